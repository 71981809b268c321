import { parseAddr } from '../formats/iproute/addr.ts';
import { type IpRecord, number, parseIpJson, present, record, records, text } from '../formats/iproute/ip-json.ts';
import type { AddressState, LinkState } from './state.ts';

/** The question that `listen` asks as well, so that its recordings hold the answer. */
export const ADDR_COMMAND: readonly string[] = ['ip', '-j', '-d', '-s', '-s', 'addr', 'show'];

/** More interfaces or addresses than this are not copied. */
const MAX_LINKS = 4096;

/** Settings of a bridge that decide what it passes on. */
const BRIDGE_SETTINGS = ['stp_state', 'vlan_filtering', 'nf_call_iptables', 'nf_call_ip6tables', 'nf_call_arptables'];

/** Interfaces and addresses from what {@link ADDR_COMMAND} printed; undefined when it cannot be read. */
export function linksOf(
  json: string,
): { readonly links: readonly LinkState[]; readonly addresses: readonly AddressState[] } | undefined {
  const parsed = parseAddr(json);
  const entries = parseIpJson(json)?.filter((entry) => text(entry, 'ifname') !== undefined);
  if (parsed === undefined || entries === undefined) return undefined;
  const byName = new Map(entries.map((entry) => [text(entry, 'ifname') as string, entry]));
  return {
    links: parsed.links.slice(0, MAX_LINKS).map(({ counters: _, ...link }) => {
      const entry = byName.get(link.name);
      const info = record(entry, 'linkinfo');
      return {
        ...link,
        ...present('portKind', text(info, 'info_slave_kind')),
        ...present('kindArguments', kindArguments(link.kind, record(info, 'info_data'))),
        ...present('lower', text(entry, 'link')),
      };
    }),
    addresses: entries.flatMap((entry) => addressesOf(entry, parsed.addresses)).slice(0, 4 * MAX_LINKS),
  };
}

function kindArguments(kind: string | undefined, data: IpRecord | undefined): string | undefined {
  if (kind === 'bridge') {
    return BRIDGE_SETTINGS.flatMap((name) => {
      const value = number(data, name);
      // All are 0 from the start, and a kernel may know not all of them.
      return value === undefined || value === 0 ? [] : [`${name} ${value}`];
    }).join(' ');
  }
  if (kind === 'vrf') {
    const table = text(data, 'table') ?? number(data, 'table')?.toString();
    return table === undefined ? undefined : `table ${table}`;
  }
  return undefined;
}

/** The parsed addresses of an interface, with what only the entry of `ip` tells. */
function addressesOf(
  entry: IpRecord,
  all: NonNullable<ReturnType<typeof parseAddr>>['addresses'],
): readonly AddressState[] {
  const device = text(entry, 'ifname');
  const infos = records(entry, 'addr_info');
  return all
    .filter((address) => address.device === device)
    .map((address) => {
      const info = infos.find(
        (one) => text(one, 'local') === address.address && number(one, 'prefixlen') === address.prefixLength,
      );
      return {
        ...address,
        ...present('peer', text(info, 'address')),
        ...present('broadcast', text(info, 'broadcast')),
      };
    });
}
