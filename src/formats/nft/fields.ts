import { type Bits, bits, partlyUnknown, unknownBits } from '../netfilter/bits.ts';
import { depends, UNKNOWN } from '../netfilter/truth.ts';
import type { PacketView } from '../netfilter/view.ts';
import { ETHER_TYPE, INTEGER, IPV4, IPV6, PROTOCOL, TCP_FLAGS } from './data-types.ts';
import { type Json, numberOf, textOf } from './json.ts';
import { ABSENT, number, obscure, type Value } from './operand.ts';

/** TCP's number (IANA protocol numbers). */
const TCP = 6;

/** The value of `{"payload": ...}`: a field of the headers, or raw bytes of them. */
export function payloadValue(body: Json, view: PacketView): Value {
  const protocol = textOf(body, 'protocol');
  const field = textOf(body, 'field');
  if (protocol !== undefined && field !== undefined) return headerField(protocol, field, view);
  const base = textOf(body, 'base');
  const [offset, length] = [numberOf(body, 'offset'), numberOf(body, 'len')];
  if (base === undefined || offset === undefined || length === undefined) return obscure(UNKNOWN);
  return rawBytes(base, offset, length, view);
}

function headerField(protocol: string, field: string, view: PacketView): Value {
  switch (protocol) {
    case 'ip':
      return view.packet.family === 4 ? ipv4Field(field, view) : ABSENT;
    case 'ip6':
      return view.packet.family === 6 ? ipv6Field(field, view) : ABSENT;
    case 'tcp':
    case 'th':
      return tcpField(field, view);
    case 'ether':
      return field === 'type' ? number(ETHER_TYPE, etherType(view)) : obscure(UNKNOWN);
    // A tagged frame has its tag beside the packet, where it may or may not be still.
    case 'vlan':
      return obscure(UNKNOWN);
    case 'udp':
    case 'udplite':
    case 'sctp':
    case 'dccp':
    case 'icmp':
    case 'icmpv6':
    case 'igmp':
    case 'arp':
    case 'ah':
    case 'esp':
    case 'comp':
    case 'gre':
    case 'vxlan':
    case 'geneve':
      return ABSENT;
    default:
      return obscure(UNKNOWN);
  }
}

function ipv4Field(field: string, { state, packet }: PacketView): Value {
  switch (field) {
    case 'saddr':
      return number(IPV4, state.source);
    case 'daddr':
      return number(IPV4, state.destination);
    case 'protocol':
      return number(PROTOCOL, bits(TCP));
    case 'ttl':
      return number(INTEGER, packet.ttl);
    case 'version':
      return number(INTEGER, bits(4));
    case 'hdrlength':
      // Without options, which nobody sends and most routers drop.
      return number(INTEGER, bits(5));
    case 'frag-off':
      // A first fragment or none; DF may be set.
      return number(INTEGER, partlyUnknown(0, 0x4000, UNKNOWN));
    case 'ecn':
      return obscure(depends('ecn'));
    default:
      return obscure(UNKNOWN);
  }
}

function ipv6Field(field: string, { state, packet }: PacketView): Value {
  switch (field) {
    case 'saddr':
      return number(IPV6, state.source);
    case 'daddr':
      return number(IPV6, state.destination);
    case 'nexthdr':
      return number(PROTOCOL, bits(TCP));
    case 'hoplimit':
      return number(INTEGER, packet.ttl);
    case 'version':
      return number(INTEGER, bits(6));
    case 'ecn':
      return obscure(depends('ecn'));
    default:
      return obscure(UNKNOWN);
  }
}

function tcpField(field: string, { state, packet }: PacketView): Value {
  switch (field) {
    case 'sport':
      return number(INTEGER, state.sourcePort);
    case 'dport':
      return number(INTEGER, state.destinationPort);
    case 'flags':
      return number(TCP_FLAGS, packet.flags);
    case 'window':
      return number(INTEGER, packet.window);
    default:
      return obscure(UNKNOWN);
  }
}

function etherType({ packet }: PacketView): Bits {
  return bits(packet.family === 4 ? 0x800 : 0x86dd);
}

/** Raw bytes where they are a field that is known (`@th,16,16`); offset and length in bits. */
function rawBytes(base: string, offset: number, length: number, view: PacketView): Value {
  const { state, packet } = view;
  const place = `${base} ${offset} ${length}`;
  const both: Readonly<Record<string, Bits>> = {
    'th 0 16': state.sourcePort,
    'th 16 16': state.destinationPort,
    'th 104 8': packet.flags,
  };
  const own: Readonly<Record<string, Bits>> =
    packet.family === 4
      ? {
          'nh 64 8': packet.ttl,
          'nh 72 8': bits(TCP),
          'nh 96 32': state.source,
          'nh 128 32': state.destination,
        }
      : {
          'nh 48 8': bits(TCP),
          'nh 56 8': packet.ttl,
          'nh 64 128': state.source,
          'nh 192 128': state.destination,
        };
  const known = both[place] ?? own[place];
  if (known !== undefined) return number(INTEGER, known);
  return length > 0 && length <= 128 ? number(INTEGER, unknownBits(length)) : obscure(UNKNOWN);
}

/** The value of `{"exthdr": ...}` and `{"ip option": ...}`: packets of a handshake have no such headers. */
export function extensionValue(body: Json): Value {
  return textOf(body, 'field') === undefined ? number(INTEGER, bits(0)) : ABSENT;
}

/** The value of `{"tcp option": ...}`: whether an option is there, or a field of it. */
export function tcpOptionValue(body: Json, { packet }: PacketView): Value {
  const name = textOf(body, 'name');
  if (name === undefined || !Object.hasOwn(packet.options.present, name)) return obscure(depends('options'));
  const present = packet.options.present[name] === true;
  const field = textOf(body, 'field');
  if (field === undefined) return number(INTEGER, bits(present ? 1 : 0));
  if (!present) return ABSENT;
  const { maxSegment, windowScale } = packet.options;
  if (name === 'maxseg' && field === 'size' && maxSegment !== undefined) return number(INTEGER, bits(maxSegment));
  if (name === 'window' && field === 'count' && windowScale !== undefined) return number(INTEGER, bits(windowScale));
  return obscure(depends('options'));
}
