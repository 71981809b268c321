import type { NftDump, NftTable } from './dump.ts';

/** Names of devices of a base chain, by family, table and chain. */
export type ChainDevices = ReadonlyMap<string, readonly string[]>;

/** Whether a chain hangs on devices that the listing does not name: nft left them out of its JSON until 1.0.7. */
export function lacksDevices(dump: NftDump): boolean {
  return dump.tables.some((table) =>
    [...table.chains.values()].some(({ hook, devices }) => isDeviceHook(hook) && devices === undefined),
  );
}

/** Whether chains at this hook belong to devices. */
function isDeviceHook(hook: string | undefined): boolean {
  return hook === 'ingress' || hook === 'egress';
}

/**
 * Parses the devices of chains from the text of `nft -t list ruleset`:
 * `type filter hook ingress device "eth0" priority filter; policy accept;` or `devices = { "eth0", "eth1" }`.
 */
export function parseChainDevices(text: string): ChainDevices {
  const devices = new Map<string, readonly string[]>();
  let table = '';
  let chain = '';
  for (const line of text.split('\n')) {
    const opened = /^\s*(table (\S+) (\S+)|chain (\S+)) \{/.exec(line);
    if (opened?.[2] !== undefined) table = `${opened[2]} ${opened[3]}`;
    else if (opened?.[4] !== undefined) chain = opened[4];
    const hook = /^\s*type \S+ hook (?:ingress|egress) devices? (?:= )?(\{[^}]*\}|\S+)/.exec(line);
    if (hook?.[1] !== undefined) devices.set(`${table} ${chain}`, deviceNames(hook[1]));
  }
  return devices;
}

/** Devices of one chain. */
export function devicesOf(
  devices: ChainDevices | undefined,
  table: NftTable,
  chain: string,
): readonly string[] | undefined {
  return devices?.get(`${table.family} ${table.name} ${chain}`);
}

function deviceNames(text: string): readonly string[] {
  return text
    .replace(/^\{|\}$/g, '')
    .split(',')
    .map((name) => name.trim().replace(/^"|"$/g, ''))
    .filter((name) => name !== '');
}
