import { parsePrefix, prefixCovers } from '../iproute/prefix.ts';
import { parseAddress } from '../wire/address.ts';
import type { TcFilter } from './filters.ts';

/** What is known of a TCP packet of a handshake: SYN, or SYN-ACK. */
export interface TcPacket {
  readonly family: 4 | 6;
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** TCP flags: 0x02 for a SYN, 0x12 for a SYN-ACK; other bits (ECN) are left open. */
  readonly flags: number;
}

type Truth = boolean | 'unknown';

/** Protocols of a filter that a packet of a family is. */
const PROTOCOLS: Readonly<Record<4 | 6, readonly string[]>> = { 4: ['ip', 'ipv4'], 6: ['ipv6'] };

/**
 * The filter of one hook that surely drops a packet: its match covers it and its action drops, and no filter before it can decide
 * otherwise (`tcf_classify()`, net/sched/cls_api.c). What is not understood is never sure.
 * @returns undefined when none surely does.
 */
export function surelyDropping(filters: readonly TcFilter[], packet: TcPacket): TcFilter | undefined {
  const entries = filters.filter(
    ({ chain, handle, skipsSoftware }) => chain === 0 && handle !== undefined && !skipsSoftware,
  );
  for (const filter of entries.toSorted((a, b) => a.preference - b.preference)) {
    const matches = filterMatches(filter, packet);
    if (matches === false) continue;
    const verdict = verdictOf(filter);
    // Dropped here or later: a drop that only may match does not save the packet from the next one.
    if (verdict === 'go-on' || (matches === 'unknown' && verdict === 'drop')) continue;
    if (matches === true && verdict === 'drop') return filter;
    return undefined;
  }
  return undefined;
}

/** What a filter does with a packet that it matches. */
function verdictOf({ kind, actions, directAction }: TcFilter): 'drop' | 'go-on' | 'other' {
  if (kind === 'bpf' && directAction) return 'other';
  for (const { control } of actions) {
    if (control === 'drop') return 'drop';
    if (control === 'pipe') continue;
    return control === 'continue' ? 'go-on' : 'other';
  }
  // Without an action a filter only names a class; the packet goes on, and no other filter is asked.
  return 'other';
}

function filterMatches(filter: TcFilter, packet: TcPacket): Truth {
  const { protocol, kind } = filter;
  if (protocol !== 'all') {
    const known = PROTOCOLS[packet.family].includes(protocol);
    if (!known) return /^(ip|ipv4|ipv6|arp)$/.test(protocol) ? false : 'unknown';
  }
  if (kind === 'matchall') return true;
  if (kind === 'flower') return all([...filter.keys].map(([key, value]) => keyMatches(key, value, packet)));
  if (kind === 'u32') {
    const words = all(filter.words.map((word) => wordMatches(word, packet)));
    return words === false || filter.unknown ? (words === false ? false : 'unknown') : words;
  }
  return 'unknown';
}

function keyMatches(key: string, value: string, packet: TcPacket): Truth {
  switch (key) {
    case 'eth_type':
      return value === 'ipv4' || value === 'ipv6' ? (value === 'ipv4') === (packet.family === 4) : 'unknown';
    case 'ip_proto':
      return value === 'tcp' || value === '6' ? true : /^(udp|icmp|icmpv6|sctp|\d+)$/.test(value) ? false : 'unknown';
    case 'src_ip':
      return prefixMatches(value, packet.source);
    case 'dst_ip':
      return prefixMatches(value, packet.destination);
    case 'src_port':
      return portMatches(value, packet.sourcePort);
    case 'dst_port':
      return portMatches(value, packet.destinationPort);
    case 'tcp_flags':
      return flagsMatch(value, packet.flags);
    default:
      return 'unknown';
  }
}

function prefixMatches(text: string, address: string): Truth {
  const prefix = parsePrefix(text);
  const bytes = parseAddress(address);
  return prefix === undefined || bytes === undefined ? 'unknown' : prefixCovers(prefix, bytes);
}

function portMatches(text: string, port: number): Truth {
  const match = /^(\d+)(?:-(\d+))?$/.exec(text);
  if (match === null) return 'unknown';
  return port >= Number(match[1]) && port <= Number(match[2] ?? match[1]);
}

/** `0x2/0x17` or `2/17`: hexadecimal (tc/f_flower.c, flower_print_tcp_flags()). */
function flagsMatch(text: string, flags: number): Truth {
  const match = /^(?:0x)?([\da-f]{1,3})(?:\/(?:0x)?([\da-f]{1,3}))?$/i.exec(text);
  if (match === null) return 'unknown';
  const mask = Number.parseInt(match[2] ?? 'fff', 16);
  // SYN, RST, FIN and ACK are known of a packet of a handshake; ECE, CWR, PSH, URG are not.
  const known = mask & 0x17;
  if ((flags & known) !== (Number.parseInt(match[1]!, 16) & known)) return false;
  return known === mask ? true : 'unknown';
}

/** One 32-bit word of the packet, as far as it is known: IPv4 without options, IPv6 without extension headers. */
function wordMatches(
  { value, mask, offset }: { value: number; mask: number; offset: number },
  packet: TcPacket,
): Truth {
  const { bytes, known } = headerOf(packet);
  let truth: Truth = true;
  for (let i = 0; i < 4; i++) {
    const bits = (mask >>> (24 - 8 * i)) & 0xff;
    if (bits === 0) continue;
    const at = offset + i;
    const sure = at < bytes.length ? known[at]! & bits : 0;
    const wanted = (value >>> (24 - 8 * i)) & 0xff;
    if (((bytes[at] ?? 0) & sure) !== (wanted & sure)) return false;
    if (sure !== bits) truth = 'unknown';
  }
  return truth;
}

/** The first bytes of a packet, and which of their bits are known. */
function headerOf({ family, source, destination, sourcePort, destinationPort, flags }: TcPacket): {
  readonly bytes: Uint8Array;
  readonly known: Uint8Array;
} {
  const length = family === 4 ? 20 : 40;
  const bytes = new Uint8Array(length + 20);
  const known = new Uint8Array(length + 20);
  const put = (at: number, values: Iterable<number>, mask = 0xff): void => {
    for (const value of values) {
      bytes[at] = value;
      known[at++] = mask;
    }
  };
  const first = parseAddress(source) ?? [];
  const second = parseAddress(destination) ?? [];
  if (family === 4) {
    put(0, [0x40], 0xf0);
    put(9, [6]);
    put(12, first);
    put(16, second);
  } else {
    put(0, [0x60], 0xf0);
    put(6, [6]);
    put(8, first);
    put(24, second);
  }
  put(length, [sourcePort >>> 8, sourcePort & 255, destinationPort >>> 8, destinationPort & 255]);
  put(length + 13, [flags], 0x17);
  return { bytes, known };
}

function all(truths: readonly Truth[]): Truth {
  if (truths.includes(false)) return false;
  return truths.includes('unknown') ? 'unknown' : true;
}
