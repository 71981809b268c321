import { foldChecksum, sumWords } from '../checksum.ts';
import { IPPROTO_HOPOPTS, IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP } from '../numbers.ts';
import { join, u16, u32 } from './bytes.ts';
import type { NotedPacket } from './notation.ts';

/** What an IP header says beside addresses and protocol; each has the value in parentheses when left out. */
export interface IpOptions {
  /** TTL or hop limit (64). */
  readonly ttl?: number;
  /** IPv4 Identification (0). */
  readonly ipId?: number;
  /** IPv4 Type of Service or IPv6 Traffic Class: DSCP and ECN (0). */
  readonly trafficClass?: number;
  /** IPv4 Don't Fragment (true, as for Linux TCP). */
  readonly dontFragment?: boolean;
  /** Offset in bytes of a fragment (0), a multiple of 8. IPv6 gets a fragment header when this or the next is given. */
  readonly fragmentOffsetBytes?: number;
  /** More Fragments (false). */
  readonly moreFragments?: boolean;
  /** IPv4 options, a multiple of four bytes (none). */
  readonly ipv4Options?: ArrayLike<number>;
  /** IPv6 extension headers before the payload: `[number, value after the length byte]` (none). */
  readonly ipv6Extensions?: readonly (readonly [type: number, value: ArrayLike<number>])[];
  /** IPv4 Total Length or IPv6 Payload Length to write instead of the right one, such as 0 of TSO captures. */
  readonly ipLength?: number;
}

/** Encodes an IPv4 or IPv6 packet (RFC 791, RFC 8200), by the length of its addresses. */
export function encodeIp(
  source: Uint8Array,
  destination: Uint8Array,
  protocol: number,
  payload: Uint8Array,
  options: IpOptions,
): Uint8Array {
  if (source.length !== destination.length) throw new Error('addresses of different IP versions in one packet');
  const encode = source.length === 4 ? encodeIpv4 : encodeIpv6;
  return encode(source, destination, protocol, payload, options);
}

/** Encodes the TCP segment or UDP datagram of a noted packet, with its checksum. The payload is `0, 1, 2...`. */
export function encodeTransport(noted: NotedPacket): Uint8Array {
  const payload = Uint8Array.from({ length: noted.payloadBytes }, (_, index) => index & 255);
  const ports = [...u16(noted.sourcePort), ...u16(noted.destinationPort)];
  if (noted.protocol === 'udp') {
    const datagram = join(ports, u16(8 + payload.length), [0, 0], payload);
    return fillChecksum(datagram, 6, pseudoSum(noted.source, noted.destination, IPPROTO_UDP, datagram.length));
  }
  const segment = join(
    ports,
    u32(noted.seq),
    u32(noted.ack),
    (5 + noted.options.length / 4) << 4,
    noted.flags,
    u16(noted.window),
    [0, 0, 0, 0],
    noted.options,
    payload,
  );
  return fillChecksum(segment, 16, pseudoSum(noted.source, noted.destination, IPPROTO_TCP, segment.length));
}

/** Encodes an ICMP or ICMPv6 message (RFC 792, RFC 4443), by the length of its addresses, with its checksum. */
export function encodeIcmp(
  source: Uint8Array,
  destination: Uint8Array,
  type: number,
  code: number,
  restOfHeader: number,
  body: Uint8Array,
): Uint8Array {
  const message = join(type, code, [0, 0], u32(restOfHeader), body);
  return fillChecksum(
    message,
    2,
    source.length === 4 ? 0 : pseudoSum(source, destination, IPPROTO_ICMPV6, message.length),
  );
}

/** The protocol number of ICMP for addresses of this length. */
export function icmpProtocol(address: Uint8Array): number {
  return address.length === 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
}

function encodeIpv4(
  source: Uint8Array,
  destination: Uint8Array,
  protocol: number,
  payload: Uint8Array,
  options: IpOptions,
): Uint8Array {
  const ipv4Options = options.ipv4Options ?? [];
  const headerBytes = 20 + ipv4Options.length;
  const flags = ((options.dontFragment ?? true) ? 0x4000 : 0) | (options.moreFragments ? 0x2000 : 0);
  const packet = join(
    0x40 | (headerBytes / 4),
    options.trafficClass ?? 0,
    u16(options.ipLength ?? headerBytes + payload.length),
    u16(options.ipId ?? 0),
    u16(flags | ((options.fragmentOffsetBytes ?? 0) / 8)),
    options.ttl ?? 64,
    protocol,
    [0, 0],
    source,
    destination,
    ipv4Options,
    payload,
  );
  packet.set(u16(foldChecksum(sumWords(packet, 0, headerBytes))), 10);
  return packet;
}

function encodeIpv6(
  source: Uint8Array,
  destination: Uint8Array,
  protocol: number,
  payload: Uint8Array,
  options: IpOptions,
): Uint8Array {
  const extensions = [...(options.ipv6Extensions ?? [])];
  if (options.fragmentOffsetBytes !== undefined || options.moreFragments !== undefined) {
    const offsetAndFlag = (options.fragmentOffsetBytes ?? 0) | (options.moreFragments ? 1 : 0);
    extensions.push([44, [...u16(offsetAndFlag), ...u32(options.ipId ?? 0)]]);
  }
  let next = protocol;
  let body = payload;
  for (const [type, value] of extensions.reverse()) {
    body = join(encodeExtension(type, next, value), body);
    next = type;
  }
  return join(
    u32(0x6000_0000 | ((options.trafficClass ?? 0) << 20)),
    u16(options.ipLength ?? body.length),
    next,
    options.ttl ?? 64,
    source,
    destination,
    body,
  );
}

/** Length units: 8 bytes beyond the first 8; AH 4 bytes beyond the first 8; the fragment header has none. */
function encodeExtension(type: number, next: number, value: ArrayLike<number>): Uint8Array {
  const padding = new Uint8Array((8 - ((2 + value.length) % 8)) % 8);
  const bytes = 2 + value.length + padding.length;
  const length = type === 44 ? 0 : type === 51 ? bytes / 4 - 2 : bytes / 8 - 1;
  if (type === IPPROTO_HOPOPTS && padding.length > 1) padding.set([1, padding.length - 2]);
  return join(next, length, value, padding);
}

function pseudoSum(source: Uint8Array, destination: Uint8Array, protocol: number, length: number): number {
  const addresses = join(source, destination);
  return sumWords(addresses, 0, addresses.length) + protocol + length;
}

function fillChecksum(message: Uint8Array, offset: number, pseudo: number): Uint8Array {
  message.set(u16(foldChecksum(sumWords(message, 0, message.length, pseudo))), offset);
  return message;
}
