import { formatIpv4, formatIpv6, parseAddress } from '../formats/wire/address.ts';
import { foldChecksum, sumWords } from '../formats/wire/checksum.ts';

export const ETHERNET_BYTES = 14;
export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_ARP = 0x0806;
export const ETHERTYPE_IPV6 = 0x86dd;
export const IPPROTO_ICMP = 1;
export const IPPROTO_TCP = 6;
export const IPPROTO_ICMPV6 = 58;
export const TCP_FIN = 1;
export const TCP_SYN = 2;
export const TCP_RST = 4;
export const TCP_ACK = 16;
const IPV4_BYTES = 20;
const IPV6_BYTES = 40;
const DO_NOT_FRAGMENT = 0x4000;

/** Where the fields of a frame are; `transport` is -1 for a frame that is neither IPv4 nor IPv6, or too short to tell. */
export interface FrameShape {
  readonly etherType: number;
  /** IPPROTO_*, or -1. IPv6 extension headers are stepped over. */
  readonly protocol: number;
  readonly transport: number;
}

/** Finds the transport header of a frame that has no VLAN tag. */
export function shapeOf(frame: Uint8Array): FrameShape {
  const view = viewOf(frame);
  const etherType = frame.length < ETHERNET_BYTES ? 0 : view.getUint16(12);
  const none = { etherType, protocol: -1, transport: -1 };
  if (etherType === ETHERTYPE_IPV4 && frame.length >= ETHERNET_BYTES + IPV4_BYTES) {
    const transport = ETHERNET_BYTES + (frame[ETHERNET_BYTES]! & 15) * 4;
    return transport <= frame.length ? { etherType, protocol: frame[23]!, transport } : none;
  }
  if (etherType !== ETHERTYPE_IPV6 || frame.length < ETHERNET_BYTES + IPV6_BYTES) return none;
  let protocol = frame[20]!;
  let at = ETHERNET_BYTES + IPV6_BYTES;
  while ([0, 43, 60].includes(protocol) && at + 8 <= frame.length) {
    protocol = frame[at]!;
    at += 8 + frame[at + 1]! * 8;
  }
  return at <= frame.length ? { etherType, protocol, transport: at } : none;
}

/** What a TCP packet is made of. */
export interface TcpFields {
  readonly sourceMac: string;
  readonly destinationMac: string;
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** TCP_SYN and so on. */
  readonly flags: number;
  readonly sequence: number;
  readonly acknowledgement?: number;
  readonly ttl?: number;
  readonly options?: Uint8Array;
}

/** Options of the SYN of a usual Linux client: segment size 1460, selective acknowledgements, timestamps, window scale 7. */
export const SYN_OPTIONS: Uint8Array = Uint8Array.of(2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 1, 0, 0, 0, 0, 0, 0, 1, 3, 3, 7);

/** A frame with a TCP packet. @throws TypeError when the addresses are none, or not of one family. */
export function tcpFrame(fields: TcpFields): Buffer {
  const options = fields.options ?? new Uint8Array(0);
  const segment = Buffer.alloc(20 + options.length);
  segment.writeUInt16BE(fields.sourcePort, 0);
  segment.writeUInt16BE(fields.destinationPort, 2);
  segment.writeUInt32BE(fields.sequence >>> 0, 4);
  segment.writeUInt32BE((fields.acknowledgement ?? 0) >>> 0, 8);
  segment[12] = (segment.length / 4) << 4;
  segment[13] = fields.flags;
  segment.writeUInt16BE(64_240, 14);
  segment.set(options, 20);
  const frame = ipFrame({ ...fields, protocol: IPPROTO_TCP, payload: segment });
  repairTcpChecksum(frame);
  return frame;
}

/** A frame with an ICMPv6 message; its checksum is filled in. */
export function icmpv6Frame(fields: Omit<IpFields, 'protocol'>): Buffer {
  const message = Buffer.from(fields.payload);
  const pseudo = pseudoSum(bytesOf(fields.source), bytesOf(fields.destination), IPPROTO_ICMPV6, message.length);
  message.writeUInt16BE(0, 2);
  message.writeUInt16BE(foldChecksum(sumWords(message, 0, message.length, pseudo)), 2);
  return ipFrame({ ...fields, protocol: IPPROTO_ICMPV6, payload: message, ttl: fields.ttl ?? 255 });
}

interface IpFields {
  readonly sourceMac: string;
  readonly destinationMac: string;
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  readonly payload: Uint8Array;
  readonly ttl?: number;
}

function ipFrame({ sourceMac, destinationMac, source, destination, protocol, payload, ttl = 64 }: IpFields): Buffer {
  const [from, to] = [bytesOf(source), bytesOf(destination)];
  if (from.length !== to.length) throw new TypeError(`no packet goes from ${source} to ${destination}`);
  const isV4 = from.length === 4;
  const header = Buffer.alloc(isV4 ? IPV4_BYTES : IPV6_BYTES);
  if (isV4) {
    header[0] = 0x45;
    header.writeUInt16BE(IPV4_BYTES + payload.length, 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(DO_NOT_FRAGMENT, 6);
    header[8] = ttl;
    header[9] = protocol;
    header.set(from, 12);
    header.set(to, 16);
    header.writeUInt16BE(foldChecksum(sumWords(header, 0, header.length)), 10);
  } else {
    header[0] = 0x60;
    header.writeUInt16BE(payload.length, 4);
    header[6] = protocol;
    header[7] = ttl;
    header.set(from, 8);
    header.set(to, 24);
  }
  const ethernet = Buffer.concat([
    macBytes(destinationMac),
    macBytes(sourceMac),
    Buffer.from(isV4 ? [0x08, 0x00] : [0x86, 0xdd]),
  ]);
  return Buffer.concat([ethernet, header, payload]);
}

const SERVER_SEQUENCE = 0x7777_0000;

/** What somebody who listens sends back for a SYN that left: to whoever it seems to come from. */
export function synAckTo(frame: Buffer, { etherType, transport }: FrameShape): Buffer {
  const [at, length] = etherType === ETHERTYPE_IPV4 ? ([26, 4] as const) : ([22, 16] as const);
  return tcpFrame({
    sourceMac: macAt(frame, 0),
    destinationMac: macAt(frame, 6),
    source: addressAt(frame, at + length, length),
    destination: addressAt(frame, at, length),
    sourcePort: frame.readUInt16BE(transport + 2),
    destinationPort: frame.readUInt16BE(transport),
    flags: TCP_SYN | TCP_ACK,
    sequence: SERVER_SEQUENCE,
    acknowledgement: frame.readUInt32BE(transport + 4) + 1,
    // Segment size alone: timestamps would have to echo those of the SYN.
    options: SYN_OPTIONS.subarray(0, 4),
  });
}

/** The ACK of a client for a SYN-ACK that came out; the time stamps of that are echoed, as the cookie of a SYN proxy needs it. */
export function ackTo(frame: Buffer, { etherType, transport }: FrameShape, sourceMac: string): Buffer {
  const [at, length] = etherType === ETHERTYPE_IPV4 ? ([26, 4] as const) : ([22, 16] as const);
  const theirs = timestampOf(frame, transport);
  return tcpFrame({
    sourceMac,
    destinationMac: macAt(frame, 6),
    source: addressAt(frame, at + length, length),
    destination: addressAt(frame, at, length),
    sourcePort: frame.readUInt16BE(transport + 2),
    destinationPort: frame.readUInt16BE(transport),
    flags: TCP_ACK,
    sequence: frame.readUInt32BE(transport + 8),
    acknowledgement: frame.readUInt32BE(transport + 4) + 1,
    // NOP, NOP, timestamps: the other way round.
    ...(theirs === undefined
      ? {}
      : { options: Buffer.concat([Buffer.of(1, 1, 8, 10), theirs.subarray(4), theirs.subarray(0, 4)]) }),
  });
}

/** TSval and TSecr of a TCP packet (RFC 7323), 8 bytes. */
function timestampOf(frame: Uint8Array, transport: number): Uint8Array | undefined {
  const end = Math.min(frame.length, transport + (frame[transport + 12]! >>> 4) * 4);
  for (let at = transport + 20; at + 1 < end && frame[at] !== 0; ) {
    const size = frame[at] === 1 ? 1 : Math.max(2, frame[at + 1]!);
    if (frame[at] === 8 && size === 10 && at + 10 <= end) return frame.subarray(at + 2, at + 10);
    at += size;
  }
  return undefined;
}

/** Puts the right checksum into the TCP header of a frame. */
export function repairTcpChecksum(frame: Uint8Array): void {
  const sums = tcpSums(frame);
  if (sums === undefined) return;
  const { transport, end, pseudo } = sums;
  const view = viewOf(frame);
  view.setUint16(transport + 16, 0);
  view.setUint16(transport + 16, foldChecksum(sumWords(frame, transport, end, pseudo)));
}

/** Puts padding in place of the signature of a TCP packet (RFC 2385, RFC 5925); false when it has none. */
export function removeSignature(frame: Uint8Array): boolean {
  const { protocol, transport } = shapeOf(frame);
  if (protocol !== IPPROTO_TCP || transport + 20 > frame.length) return false;
  const end = Math.min(frame.length, transport + (frame[transport + 12]! >>> 4) * 4);
  for (let at = transport + 20; at + 1 < end; ) {
    const kind = frame[at];
    if (kind === 0) return false;
    const length = kind === 1 ? 1 : Math.max(2, frame[at + 1]!);
    if (kind === 19 || kind === 29) {
      frame.fill(1, at, Math.min(end, at + length));
      repairTcpChecksum(frame);
      return true;
    }
    at += length;
  }
  return false;
}

/** Puts the right checksum into the header of an IPv4 frame. */
export function repairIpChecksum(frame: Uint8Array): void {
  const { etherType, transport } = shapeOf(frame);
  if (etherType !== ETHERTYPE_IPV4 || transport < 0) return;
  const view = viewOf(frame);
  view.setUint16(24, 0);
  view.setUint16(24, foldChecksum(sumWords(frame, ETHERNET_BYTES, transport)));
}

/**
 * Whether the checksum of a captured TCP packet is only that of its pseudo header: the sender left the rest to its network card, and
 * the capture was made before the card. It is no fault of the packet.
 */
export function isOffloaded(frame: Uint8Array): boolean {
  const sums = tcpSums(frame);
  if (sums === undefined) return false;
  return viewOf(frame).getUint16(sums.transport + 16) === (~foldChecksum(sums.pseudo) & 0xffff);
}

/**
 * A TCP packet as a network card hands it over that has found its checksum right: with the sum of the pseudo header in its place
 * (CHECKSUM_PARTIAL, skbuff.h); undefined for what no card vouches for.
 */
export function vouchedFor(frame: Uint8Array): { readonly frame: Buffer; readonly transport: number } | undefined {
  const sums = tcpSums(frame);
  if (sums === undefined || foldChecksum(sumWords(frame, sums.transport, sums.end, sums.pseudo)) !== 0)
    return undefined;
  const copy = Buffer.from(frame);
  copy.writeUInt16BE(~foldChecksum(sums.pseudo) & 0xffff, sums.transport + 16);
  return { frame: copy, transport: sums.transport };
}

function tcpSums(frame: Uint8Array): { transport: number; end: number; pseudo: number } | undefined {
  const { etherType, protocol, transport } = shapeOf(frame);
  if (protocol !== IPPROTO_TCP || transport + 20 > frame.length) return undefined;
  const isV4 = etherType === ETHERTYPE_IPV4;
  const view = viewOf(frame);
  const end = isV4 ? ETHERNET_BYTES + view.getUint16(16) : ETHERNET_BYTES + IPV6_BYTES + view.getUint16(18);
  if (end < transport + 20 || end > frame.length) return undefined;
  const [at, length] = isV4 ? [26, 4] : [22, 16];
  const from = frame.subarray(at, at + length);
  const to = frame.subarray(at + length, at + 2 * length);
  return { transport, end, pseudo: pseudoSum(from, to, IPPROTO_TCP, end - transport) };
}

/** The pseudo header of RFC 9293 section 3.1 and RFC 8200 section 8.1. */
function pseudoSum(from: Uint8Array, to: Uint8Array, protocol: number, length: number): number {
  return sumWords(from, 0, from.length) + sumWords(to, 0, to.length) + protocol + length;
}

/** The address of 4 or 16 bytes at `at`, in text. */
export function addressAt(frame: Uint8Array, at: number, length: 4 | 16): string {
  return length === 4 ? formatIpv4(viewOf(frame), at) : formatIpv6(viewOf(frame), at);
}

/** The bytes of an address. @throws TypeError when it is none. */
export function bytesOf(address: string): Uint8Array {
  const bytes = parseAddress(address);
  if (bytes === undefined) throw new TypeError(`${address} is no address`);
  return bytes;
}

/** The six bytes of a MAC address. @throws TypeError when it is none. */
export function macBytes(mac: string): Buffer {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(mac)) throw new TypeError(`${mac} is no MAC address`);
  return Buffer.from(mac.replaceAll(':', ''), 'hex');
}

/** The MAC address at `at`. */
export function macAt(frame: Uint8Array, at: number): string {
  return Array.from(frame.subarray(at, at + 6), (byte) => byte.toString(16).padStart(2, '0')).join(':');
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
