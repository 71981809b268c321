/** One packet of a pcap stream of LINKTYPE_LINUX_SLL2. */
export interface Sll2Packet {
  readonly timeNs: bigint;
  /** Length before it was cut, without the link-layer header. */
  readonly wireBytes: number;
  readonly protocol: number;
  readonly interfaceIndex: number;
  readonly hardware: number;
  /** 0 to this host, 1 broadcast, 2 multicast, 3 to another host, 4 outgoing. */
  readonly packetType: number;
  readonly linkAddress: string;
  /** From the network header on. */
  readonly bytes: Uint8Array;
}

/** Reads a whole stream, strictly. */
export function readSll2(stream: Uint8Array): Sll2Packet[] {
  const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength);
  const header = [view.getUint32(0, true), view.getUint16(4, true), view.getUint16(6, true), view.getUint32(20, true)];
  if (header.join() !== [0xa1b23c4d, 2, 4, 276].join()) throw new Error(`odd file header ${header}`);
  const packets: Sll2Packet[] = [];
  for (let at = 24; at < stream.length; ) {
    const captured = view.getUint32(at + 8, true);
    const link = at + 16;
    packets.push({
      timeNs: BigInt(view.getUint32(at, true)) * 1_000_000_000n + BigInt(view.getUint32(at + 4, true)),
      wireBytes: view.getUint32(at + 12, true) - 20,
      protocol: view.getUint16(link),
      interfaceIndex: view.getUint32(link + 4),
      hardware: view.getUint16(link + 8),
      packetType: view.getUint8(link + 10),
      linkAddress: Buffer.from(stream.subarray(link + 12, link + 12 + view.getUint8(link + 11))).toString('hex'),
      bytes: Uint8Array.from(stream.subarray(link + 20, link + captured)),
    });
    at = link + captured;
    if (at > stream.length) throw new Error('the stream ends within a packet');
  }
  return packets;
}
