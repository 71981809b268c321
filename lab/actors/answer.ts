import { formatIpv4, formatIpv6 } from '../../src/formats/wire/address.ts';
import { C, onReady } from './libc.ts';
import { ETH_P_ALL, encodeLinkAddress, packetSocket } from './packet-socket.ts';
import type { AnswerTask } from './tasks.ts';
import { encodeTcpPacket, usualOptions } from './tcp-packet.ts';

const MSG_DONTWAIT = 0x40;
/** `sll_pkttype` of packets that this host sends itself (packet(7)). */
const PACKET_OUTGOING = 4;
const SYN_AND_ACK = 0x12;
const SYN = 0x02;

/** A SYN as it came. */
interface Syn {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly seq: number;
  /** Its timestamp; absent when it has none. */
  readonly timestamp?: number;
}

/** From now on answers each SYN to the port with a segment made by hand, sent back to where the SYN came from. @throws CallError */
export function answer(task: AnswerTask): void {
  const fd = packetSocket(ETH_P_ALL);
  const bytes = Buffer.alloc(2048);
  const from = Buffer.alloc(20);
  const length = Buffer.alloc(4);
  onReady(fd, 'readable', () => {
    for (;;) {
      length.writeUInt32LE(from.length);
      const read = Number(C.recvfrom(fd, bytes, bytes.length, MSG_DONTWAIT, from, length));
      if (read < 0) return;
      if (from.readUInt8(10) === PACKET_OUTGOING) continue;
      const syn = decodeSyn(bytes.subarray(0, read), task.port);
      if (syn === undefined) continue;
      const packet = makeAnswer(syn, task);
      const to = encodeLinkAddress(from.readUInt16BE(2), from.readInt32LE(4), from.subarray(12, 18));
      for (let copy = 0; copy < task.count; copy++) C.sendto(fd, packet, packet.length, 0, to, to.length);
    }
  });
}

function makeAnswer(syn: Syn, task: AnswerTask): Uint8Array {
  const { timestamp } = syn;
  const echo = task.tsecr ?? timestamp ?? 0;
  const usual = task.flags.includes('S')
    ? usualOptions(timestamp === undefined && task.tsecr === undefined ? undefined : { value: 77_000, echo })
    : new Uint8Array();
  return encodeTcpPacket({
    source: task.fromAddress ?? syn.destination,
    destination: syn.source,
    sourcePort: task.sourcePort ?? task.port,
    destinationPort: syn.sourcePort,
    flags: task.flags,
    seq: task.seq ?? 1_000_000,
    ack: task.ack ?? syn.seq + 1 + task.ackOffset,
    ttl: task.ttl,
    options: task.tcpOptions === undefined ? usual : Buffer.from(task.tcpOptions, 'hex'),
    payload: Buffer.from(task.payload),
    badTcpChecksum: task.badTcpChecksum,
    badIpChecksum: task.badIpChecksum,
  });
}

/** A SYN to the port, from its IP header on; undefined for everything else. IPv6 without extension headers. */
function decodeSyn(packet: Buffer, port: number): Syn | undefined {
  const version = packet.length >= 40 ? packet.readUInt8() >> 4 : 0;
  const tcp = version === 4 ? (packet.readUInt8() & 15) * 4 : 40;
  const protocol = version === 4 ? packet.readUInt8(9) : version === 6 ? packet.readUInt8(6) : 0;
  if (protocol !== 6 || packet.length < tcp + 20) return undefined;
  if (packet.readUInt16BE(tcp + 2) !== port || (packet.readUInt8(tcp + 13) & SYN_AND_ACK) !== SYN) return undefined;
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  const end = Math.min(packet.length, tcp + (packet.readUInt8(tcp + 12) >> 4) * 4);
  const timestamp = findTimestamp(packet.subarray(tcp + 20, end));
  return {
    source: version === 4 ? formatIpv4(view, 12) : formatIpv6(view, 8),
    destination: version === 4 ? formatIpv4(view, 16) : formatIpv6(view, 24),
    sourcePort: packet.readUInt16BE(tcp),
    seq: packet.readUInt32BE(tcp + 4),
    ...(timestamp === undefined ? {} : { timestamp }),
  };
}

/** TSval of the timestamps option (RFC 7323). */
function findTimestamp(options: Buffer): number | undefined {
  for (let offset = 0; offset < options.length; ) {
    const kind = options[offset];
    if (kind === 1) {
      offset++;
      continue;
    }
    const length = options[offset + 1] ?? 0;
    if (kind === 0 || length < 2) return undefined;
    if (kind === 8 && offset + 10 <= options.length) return options.readUInt32BE(offset + 2);
    offset += length;
  }
  return undefined;
}
