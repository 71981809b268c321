import { type IpRecord, number, parseIpJson, present, record, records, text, texts } from './ip-json.ts';

/** Counters of an interface (`rtnl_link_stats64`, linux/if_link.h). */
export interface IpLinkCounters {
  readonly rxPackets?: number;
  readonly rxErrors?: number;
  readonly rxDropped?: number;
  readonly rxMissed?: number;
  readonly rxFifo?: number;
  readonly rxNoHandler?: number;
  /** Frames for another host's MAC that the IP layer threw away (since 5.19). */
  readonly rxOtherhostDropped?: number;
  readonly txPackets?: number;
  readonly txErrors?: number;
  readonly txDropped?: number;
  readonly txCarrier?: number;
}

/** One interface, as `ip -j -d -s -s addr show` prints it. */
export interface IpLink {
  readonly index: number;
  readonly name: string;
  /** `veth`, `bridge`, `vlan`, `bond`, `vrf`, ...; absent for a physical one. */
  readonly kind?: string;
  readonly linkAddress?: string;
  readonly mtuBytes?: number;
  /** `UP`, `LOWER_UP`, `NOARP`, `PROMISC`, ... as `ip link` prints them. */
  readonly flags: readonly string[];
  /** `UP`, `DOWN`, `LOWERLAYERDOWN`, `UNKNOWN`, ... */
  readonly operState: string;
  readonly master?: string;
  /** State of a bridge port: `forwarding`, `blocking`, `disabled`, ... */
  readonly bridgePortState?: string;
  /** Name of the VRF it belongs to. */
  readonly vrf?: string;
  /** Routing table of the VRF that it is, or belongs to; by number or name, as routes name it. */
  readonly vrfTable?: string;
  /** Group of interfaces (`default` unless set), as rules with `suppress_ifgroup` name it. */
  readonly group?: string;
  /** XDP programs that are attached, by mode. */
  readonly xdp: readonly { readonly mode: string; readonly id?: number; readonly name?: string }[];
  readonly counters: IpLinkCounters;
}

/** One address of an interface. */
export interface IpLinkAddress {
  readonly family: 4 | 6;
  readonly address: string;
  readonly prefixLength: number;
  readonly device: string;
  readonly scope: string;
  /** `tentative`, `dadfailed`, `deprecated`, `nodad`, `temporary`, `secondary`, ... */
  readonly flags: readonly string[];
}

/** XDP_ATTACHED_* (linux/if_link.h), as `bpftool net` names them. */
const XDP_MODES: Readonly<Record<number, string>> = { 1: 'driver', 2: 'generic', 3: 'offload', 4: 'multi' };
/** Flags of addresses that `ip -j addr` prints as `"name": true` (`ifa_flag_names`, ip/ipaddress.c). */
const ADDRESS_FLAGS = [
  'secondary',
  'temporary',
  'nodad',
  'optimistic',
  'dadfailed',
  'home',
  'deprecated',
  'tentative',
  'mngtmpaddr',
  'noprefixroute',
  'autojoin',
  'stable-privacy',
] as const;

/**
 * Parses `ip -j -d -s -s addr show`: the interfaces with their counters, and the addresses.
 * @returns undefined when it is not JSON.
 */
export function parseAddr(
  json: string,
): { readonly links: readonly IpLink[]; readonly addresses: readonly IpLinkAddress[] } | undefined {
  const entries = parseIpJson(json)?.filter((entry) => text(entry, 'ifname') !== undefined);
  if (entries === undefined) return undefined;
  const tables = new Map(entries.map((entry) => [text(entry, 'ifname')!, vrfTableOf(entry)]));
  return {
    links: entries.map((entry) => linkOf(entry, tables)),
    addresses: entries.flatMap((entry) => records(entry, 'addr_info').flatMap((info) => addressOf(info, entry))),
  };
}

function linkOf(entry: IpRecord, vrfTables: ReadonlyMap<string, string | undefined>): IpLink {
  const info = record(entry, 'linkinfo');
  const kind = text(info, 'info_kind');
  const slaveKind = text(info, 'info_slave_kind');
  const name = text(entry, 'ifname')!;
  const master = text(entry, 'master');
  const vrf = kind === 'vrf' ? name : slaveKind === 'vrf' ? master : undefined;
  const port = slaveKind === 'bridge' ? text(record(info, 'info_slave_data'), 'state') : undefined;
  return {
    index: number(entry, 'ifindex') ?? 0,
    name,
    ...present('kind', kind),
    ...present('linkAddress', text(entry, 'address')),
    ...present('mtuBytes', number(entry, 'mtu')),
    flags: texts(entry, 'flags'),
    operState: text(entry, 'operstate') ?? 'UNKNOWN',
    ...present('group', text(entry, 'group')),
    ...present('master', master),
    ...present('bridgePortState', port),
    ...present('vrf', vrf),
    ...present('vrfTable', vrf === undefined ? undefined : vrfTables.get(vrf)),
    xdp: xdpOf(entry),
    counters: countersOf(record(entry, 'stats64')),
  };
}

function vrfTableOf(entry: IpRecord): string | undefined {
  const info = record(entry, 'linkinfo');
  if (text(info, 'info_kind') !== 'vrf') return undefined;
  const data = record(info, 'info_data');
  return text(data, 'table') ?? number(data, 'table')?.toString();
}

function xdpOf(entry: IpRecord): IpLink['xdp'] {
  const xdp = record(entry, 'xdp');
  if (xdp === undefined) return [];
  const attached = records(xdp, 'attached');
  return (attached.length === 0 ? [xdp] : attached).map((one) => {
    const mode = number(one, 'mode');
    const program = record(one, 'prog');
    return {
      mode: (mode === undefined ? undefined : XDP_MODES[mode]) ?? 'unknown',
      ...present('id', number(program, 'id')),
      ...present('name', text(program, 'name')),
    };
  });
}

function countersOf(stats: IpRecord | undefined): IpLinkCounters {
  const rx = record(stats, 'rx');
  const tx = record(stats, 'tx');
  return {
    ...present('rxPackets', number(rx, 'packets')),
    ...present('rxErrors', number(rx, 'errors')),
    ...present('rxDropped', number(rx, 'dropped')),
    ...present('rxMissed', number(rx, 'missed_errors')),
    ...present('rxFifo', number(rx, 'fifo_errors')),
    // Printed only when it is not 0 (print_stats64, ip/ipaddress.c).
    ...present('rxNoHandler', number(rx, 'nohandler')),
    ...present('rxOtherhostDropped', number(rx, 'otherhost')),
    ...present('txPackets', number(tx, 'packets')),
    ...present('txErrors', number(tx, 'errors')),
    ...present('txDropped', number(tx, 'dropped')),
    ...present('txCarrier', number(tx, 'carrier_errors')),
  };
}

function addressOf(info: IpRecord, entry: IpRecord): IpLinkAddress[] {
  const address = text(info, 'local');
  const family = text(info, 'family');
  if (address === undefined || (family !== 'inet' && family !== 'inet6')) return [];
  return [
    {
      family: family === 'inet' ? 4 : 6,
      address,
      prefixLength: number(info, 'prefixlen') ?? (family === 'inet' ? 32 : 128),
      device: text(entry, 'ifname')!,
      scope: text(info, 'scope') ?? 'global',
      flags: ADDRESS_FLAGS.filter((flag) => info[flag] === true),
    },
  ];
}
