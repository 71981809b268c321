import type { BuiltPacket } from './packets.ts';

/**
 * Lays packets out as a classic pcap file with nanosecond timestamps (magic 0xa1b23c4d), little-endian; all packets must have
 * the link type of the first.
 */
export function pcapFile(packets: readonly BuiltPacket[]): Uint8Array {
  const bytes = new Uint8Array(24 + packets.reduce((sum, packet) => sum + 16 + packet.bytes.length, 0));
  const view = new DataView(bytes.buffer);
  const linkType = packets[0]?.linkType ?? 1;
  const header = [0xa1b2_3c4d, 0x0004_0002, 0, 0, 262_144, linkType];
  for (const [index, word] of header.entries()) view.setUint32(4 * index, word, true);
  let offset = 24;
  for (const packet of packets) {
    if (packet.linkType !== linkType) throw new Error('a classic pcap file has one link type');
    view.setUint32(offset, Number(packet.timeNs / 1_000_000_000n), true);
    view.setUint32(offset + 4, Number(packet.timeNs % 1_000_000_000n), true);
    view.setUint32(offset + 8, packet.bytes.length, true);
    view.setUint32(offset + 12, packet.wireBytes, true);
    bytes.set(packet.bytes, offset + 16);
    offset += 16 + packet.bytes.length;
  }
  return bytes;
}
