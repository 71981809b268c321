import type { FrameBatch, FrameReader } from '../formats/pcap/frames.ts';
import { LINKTYPE_LINUX_SLL, LINKTYPE_LINUX_SLL2 } from '../formats/wire/numbers.ts';
import { CapturePump } from './capture-pump.ts';

/** Magic number of a pcap file with nanoseconds (draft-ietf-opsawg-pcap section 4). */
const NANOSECOND_MAGIC = 0xa1b2_3c4d;
const RECORD_HEADER_BYTES = 16;
/** Of LINKTYPE_LINUX_SLL2 and LINKTYPE_LINUX_SLL. */
export const SLL2_BYTES: number = 20;
const SLL_BYTES = 16;
const CHUNK_BYTES = 256 * 1024;
const SECOND_NS = 1_000_000_000n;

/** The file header of a pcap stream with times in nanoseconds and packets of LINKTYPE_LINUX_SLL2, little endian. */
export function sll2FileHeader(snapLengthBytes: number): Uint8Array {
  const header = new DataView(new ArrayBuffer(24));
  header.setUint32(0, NANOSECOND_MAGIC, true);
  header.setUint16(4, 2, true);
  header.setUint16(6, 4, true);
  header.setUint32(16, snapLengthBytes + SLL2_BYTES, true);
  header.setUint32(20, LINKTYPE_LINUX_SLL2, true);
  return new Uint8Array(header.buffer);
}

/**
 * Looks at one packet with its LINKTYPE_LINUX_SLL2 header, from `start` to `end` of the view. It may change bytes in place.
 * @returns where the packet is to end from now on; `start` leaves it out.
 */
export type EditPacket = (view: DataView, start: number, end: number) => number;

/**
 * Turns a capture as it comes, of LINKTYPE_LINUX_SLL2 or LINKTYPE_LINUX_SLL in any byte order and precision, into the pcap stream of
 * a host's capture. Packets of other links are left out.
 */
export class Sll2Stream {
  private readonly edit: EditPacket | undefined;
  private readonly pump: CapturePump = new CapturePump(
    (reader, view, batch) => this.take(reader, view, batch),
    CHUNK_BYTES,
  );
  private pieces: Uint8Array[] = [];

  constructor(edit?: EditPacket) {
    this.edit = edit;
  }

  /**
   * Takes bytes of the capture.
   * @returns the packets that they complete; without a file header.
   * @throws ParseError when they are no capture.
   */
  push(bytes: Uint8Array): Uint8Array {
    this.pump.push(bytes);
    const packets = Buffer.concat(this.pieces);
    this.pieces = [];
    return packets;
  }

  private take(reader: FrameReader, view: DataView, batch: FrameBatch): void {
    for (let index = 0; index < batch.count; index++) {
      const linkType = reader.interfaces[batch.interfaceId[index]!]?.linkType;
      const start = batch.dataOffset[index]!;
      const end = start + batch.capturedBytes[index]!;
      const record = batch.recordOffset[index]!;
      const timeNs = (reader.baseNs ?? 0n) + BigInt(Math.round(reader.timeNs(view, record, batch.interfaceId[index]!)));
      const wireBytes = reader.wireBytes(view, record);
      if (linkType === LINKTYPE_LINUX_SLL2 && end - start >= SLL2_BYTES) {
        this.put(view, start, end, timeNs, wireBytes);
      } else if (linkType === LINKTYPE_LINUX_SLL && end - start >= SLL_BYTES) {
        const cooked = fromSll(view, start, end);
        this.put(cooked, 0, cooked.byteLength, timeNs, wireBytes + SLL2_BYTES - SLL_BYTES);
      }
    }
  }

  private put(view: DataView, start: number, end: number, timeNs: bigint, wireBytes: number): void {
    const kept = (this.edit?.(view, start, end) ?? end) - start;
    if (kept <= 0) return;
    const record = new Uint8Array(RECORD_HEADER_BYTES + kept);
    const header = new DataView(record.buffer);
    header.setUint32(0, Number(timeNs / SECOND_NS), true);
    header.setUint32(4, Number(timeNs % SECOND_NS), true);
    header.setUint32(8, kept, true);
    header.setUint32(12, wireBytes, true);
    record.set(new Uint8Array(view.buffer, view.byteOffset + start, kept), RECORD_HEADER_BYTES);
    this.pieces.push(record);
  }
}

/** Gives a packet of LINKTYPE_LINUX_SLL the header of LINKTYPE_LINUX_SLL2; which interface it was is not known. */
function fromSll(view: DataView, start: number, end: number): DataView {
  const cooked = new DataView(new ArrayBuffer(end - start + SLL2_BYTES - SLL_BYTES));
  cooked.setUint16(0, view.getUint16(start + 14));
  cooked.setUint16(8, view.getUint16(start + 2));
  cooked.setUint8(10, view.getUint16(start));
  cooked.setUint8(11, Math.min(8, view.getUint16(start + 4)));
  const bytes = new Uint8Array(cooked.buffer);
  bytes.set(new Uint8Array(view.buffer, view.byteOffset + start + 6, 8), 12);
  bytes.set(new Uint8Array(view.buffer, view.byteOffset + start + SLL_BYTES, end - start - SLL_BYTES), SLL2_BYTES);
  return cooked;
}
