import { anyBit, type Bits, bits, equalBits, isBelow } from '../netfilter/bits.ts';
import { testNames } from '../netfilter/names.ts';
import { anyOf, depends, not, type Truth, UNKNOWN } from '../netfilter/truth.ts';
import { inputDevice, outputDevice } from '../netfilter/view.ts';
import type { OptionTests, Scene } from './matcher.ts';
import { inAddressRange, inNetwork, inNumberList, inNumbers, parseNumber } from './ranges.ts';

/** Protocols that may be written instead of TCP's own name and number; `all` is every one. */
const IS_TCP: Readonly<Record<string, boolean>> = { tcp: true, '6': true, all: true, '0': true, ip: true };

/** `eth+` stands for every name that begins with `eth`. */
function deviceMatches(pattern: string, name: string): boolean {
  return pattern.endsWith('+') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

/** Options of a rule itself (iptables(8), PARAMETERS). */
export const OWN: OptionTests = {
  '-p': ([protocol = '']) => IS_TCP[protocol.toLowerCase()] ?? false,
  '-s': ([network], { view }) => inNetwork(view.state.source, network, view.packet.family),
  '-d': ([network], { view }) => inNetwork(view.state.destination, network, view.packet.family),
  '-i': ([pattern = ''], { view }) => testNames(inputDevice(view), (name) => deviceMatches(pattern, name)),
  '-o': ([pattern = ''], { view }) => testNames(outputDevice(view), (name) => deviceMatches(pattern, name)),
  '-f': () => false,
  '-4': (_, { view }) => view.packet.family === 4,
  '-6': (_, { view }) => view.packet.family === 6,
  '-c': null,
};

const FLAGS: Readonly<Record<string, number>> = {
  FIN: 1,
  SYN: 2,
  RST: 4,
  PSH: 8,
  ACK: 16,
  URG: 32,
  ALL: 63,
  NONE: 0,
};

function flagsOf(text: string | undefined): bigint | undefined {
  let all = 0;
  for (const name of (text ?? '').split(',')) {
    const flag = Object.hasOwn(FLAGS, name) ? FLAGS[name] : undefined;
    if (flag === undefined) return undefined;
    all |= flag;
  }
  return BigInt(all);
}

/** Kinds of TCP options by number, as nft names them. */
const OPTION_KINDS: Readonly<Record<string, string>> = {
  '2': 'maxseg',
  '3': 'window',
  '4': 'sack-perm',
  '8': 'timestamp',
  '19': 'md5sig',
  '30': 'mptcp',
  '34': 'fastopen',
};

function hasOption([kind = '']: readonly string[], { view }: Scene): Truth {
  const name = OPTION_KINDS[kind];
  const { present } = view.packet.options;
  return name !== undefined && Object.hasOwn(present, name) ? present[name] === true : depends('options');
}

/** `-m tcp`. */
export const TCP: OptionTests = {
  '--sport': ([ports], { view }) => inNumbers(view.state.sourcePort, ports),
  '--dport': ([ports], { view }) => inNumbers(view.state.destinationPort, ports),
  '--source-port': ([ports], { view }) => inNumbers(view.state.sourcePort, ports),
  '--destination-port': ([ports], { view }) => inNumbers(view.state.destinationPort, ports),
  '--tcp-flags': ([mask, wanted], { view }) => {
    const [looked, set] = [flagsOf(mask), flagsOf(wanted)];
    return looked === undefined || set === undefined ? undefined : equalBits(view.packet.flags, set, looked);
  },
  '--syn': (_, { view }) => equalBits(view.packet.flags, 2n, 0x17n),
  '--tcp-option': hasOption,
};

/** `-m multiport`. */
export const MULTIPORT: OptionTests = {
  '--sports': ([ports], { view }) => inNumberList(view.state.sourcePort, ports),
  '--dports': ([ports], { view }) => inNumberList(view.state.destinationPort, ports),
  '--source-ports': ([ports], { view }) => inNumberList(view.state.sourcePort, ports),
  '--destination-ports': ([ports], { view }) => inNumberList(view.state.destinationPort, ports),
  '--ports': ([ports], { view }) =>
    anyOf([inNumberList(view.state.sourcePort, ports), inNumberList(view.state.destinationPort, ports)]),
};

/** `-m iprange`. */
export const IPRANGE: OptionTests = {
  '--src-range': ([range], { view }) => inAddressRange(view.state.source, range, view.packet.family),
  '--dst-range': ([range], { view }) => inAddressRange(view.state.destination, range, view.packet.family),
};

function hops(value: Bits, kind: 'eq' | 'lt' | 'gt', text: string | undefined): Truth {
  const limit = parseNumber(text);
  if (limit === undefined) return UNKNOWN;
  if (kind === 'eq') return equalBits(value, limit);
  return kind === 'lt' ? isBelow(value, limit) : not(isBelow(value, limit + 1n));
}

/** `-m ttl` and `-m hl`. */
export const HOPS: OptionTests = {
  '--ttl-eq': ([number], { view }) => hops(view.packet.ttl, 'eq', number),
  '--ttl-lt': ([number], { view }) => hops(view.packet.ttl, 'lt', number),
  '--ttl-gt': ([number], { view }) => hops(view.packet.ttl, 'gt', number),
  '--hl-eq': ([number], { view }) => hops(view.packet.ttl, 'eq', number),
  '--hl-lt': ([number], { view }) => hops(view.packet.ttl, 'lt', number),
  '--hl-gt': ([number], { view }) => hops(view.packet.ttl, 'gt', number),
};

/** `-m tcpmss`: only a SYN with the option matches. */
export const TCPMSS: OptionTests = {
  '--mss': ([range], { view }) => {
    if (anyBit(view.packet.flags, 2n) === false) return false;
    const { present, maxSegment } = view.packet.options;
    if (present.maxseg === false) return false;
    return maxSegment === undefined ? depends('options') : inNumbers(bits(maxSegment), range);
  },
};

const PACKET_TYPES: Readonly<Record<string, string>> = {
  unicast: 'host',
  host: 'host',
  us: 'host',
  broadcast: 'broadcast',
  multicast: 'multicast',
};

/** `-m pkttype`. */
export const PKTTYPE: OptionTests = {
  '--pkt-type': ([type = ''], { view }) => {
    const { origin, linkDestination } = view.packet;
    if (origin === 'local' || linkDestination === undefined) return undefined;
    return Object.hasOwn(PACKET_TYPES, type) ? PACKET_TYPES[type] === linkDestination : undefined;
  },
};
