import { parseAddress } from '../../src/formats/wire/address.ts';
import { foldChecksum, sumWords } from '../../src/formats/wire/checksum.ts';

/** One TCP packet with every field decided. */
export interface TcpPacket {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** Letters as tcpdump prints them. */
  readonly flags: string;
  readonly seq: number;
  readonly ack: number;
  readonly ttl: number;
  /** Option bytes; padded with no-operations (RFC 9293 section 3.1). */
  readonly options: Uint8Array;
  readonly payload: Uint8Array;
  readonly badTcpChecksum: boolean;
  readonly badIpChecksum: boolean;
}

const FLAG_BITS: Readonly<Record<string, number>> = { F: 1, S: 2, R: 4, P: 8, A: 16, '.': 16, U: 32, E: 64, W: 128 };
const IPPROTO_TCP = 6;
/** Turns a right checksum into a wrong one. */
const DAMAGE = 0x5555;

/** The bits of the flags of a TCP header, from letters. @throws Error for letters that mean nothing. */
export function flagBits(letters: string): number {
  return [...letters].reduce((bits, letter) => {
    const bit = FLAG_BITS[letter];
    if (bit === undefined) throw new Error(`${letter} is no TCP flag: one of ${Object.keys(FLAG_BITS).join(' ')}`);
    return bits | bit;
  }, 0);
}

/** The packet from its IP header on. @throws Error when its addresses are not of one family. */
export function encodeTcpPacket(packet: TcpPacket): Uint8Array {
  const [source, destination] = [parseAddress(packet.source), parseAddress(packet.destination)];
  if (source === undefined || destination === undefined || source.length !== destination.length) {
    throw new Error(`no packet goes from ${packet.source} to ${packet.destination}`);
  }
  const segment = encodeSegment(packet);
  // The pseudo header of RFC 9293 section 3.1 and RFC 8200 section 8.1.
  const pseudo = sumWords(source, 0, source.length) + sumWords(destination, 0, destination.length);
  const checksum = foldChecksum(sumWords(segment, 0, segment.length, pseudo + IPPROTO_TCP + segment.length));
  new DataView(segment.buffer).setUint16(16, packet.badTcpChecksum ? checksum ^ DAMAGE : checksum);
  const header = source.length === 4 ? ipv4Header(packet, segment.length) : ipv6Header(packet, segment.length);
  header.set(source, source.length === 4 ? 12 : 8);
  header.set(destination, source.length === 4 ? 16 : 24);
  if (source.length === 4) {
    const sum = foldChecksum(sumWords(header, 0, header.length));
    new DataView(header.buffer).setUint16(10, packet.badIpChecksum ? sum ^ DAMAGE : sum);
  }
  return Buffer.concat([header, segment]);
}

/** A maximum segment size (RFC 9293), and timestamps (RFC 7323) when they are given. */
export function usualOptions(timestamps?: { readonly value: number; readonly echo: number }): Uint8Array {
  const options = [2, 4, 1460 >> 8, 1460 & 255];
  if (timestamps === undefined) return Uint8Array.from(options);
  const numbers = Buffer.alloc(8);
  numbers.writeUInt32BE(timestamps.value >>> 0);
  numbers.writeUInt32BE(timestamps.echo >>> 0, 4);
  return Uint8Array.from([...options, 1, 1, 8, 10, ...numbers]);
}

function encodeSegment(packet: TcpPacket): Uint8Array {
  const padding = (4 - (packet.options.length % 4)) % 4;
  const headerBytes = 20 + packet.options.length + padding;
  const segment = new Uint8Array(headerBytes + packet.payload.length);
  const view = new DataView(segment.buffer);
  view.setUint16(0, packet.sourcePort);
  view.setUint16(2, packet.destinationPort);
  view.setUint32(4, packet.seq >>> 0);
  view.setUint32(8, packet.ack >>> 0);
  view.setUint8(12, (headerBytes / 4) << 4);
  view.setUint8(13, flagBits(packet.flags));
  view.setUint16(14, 64_240);
  segment.set(packet.options, 20);
  segment.fill(1, 20 + packet.options.length, headerBytes);
  segment.set(packet.payload, headerBytes);
  return segment;
}

function ipv4Header({ ttl }: TcpPacket, payloadBytes: number): Uint8Array {
  const header = new Uint8Array(20);
  const view = new DataView(header.buffer);
  view.setUint8(0, 0x45);
  view.setUint16(2, 20 + payloadBytes);
  view.setUint16(6, 0x4000);
  view.setUint8(8, ttl);
  view.setUint8(9, IPPROTO_TCP);
  return header;
}

function ipv6Header({ ttl }: TcpPacket, payloadBytes: number): Uint8Array {
  const header = new Uint8Array(40);
  const view = new DataView(header.buffer);
  view.setUint8(0, 0x60);
  view.setUint16(4, payloadBytes);
  view.setUint8(6, IPPROTO_TCP);
  view.setUint8(7, ttl);
  return header;
}
