import type { ClassicLayout } from './classic-header.ts';
import { isClassicMagic } from './classic-header.ts';
import { recordCapturedBytes, recordWireBytes, walkRecords } from './classic-walk.ts';
import type { FrameBatch, FrameInterface, FrameReader, FramingNote, RecordClock } from './frames.ts';
import { MAX_RECORD_BYTES } from './frames.ts';
import { cutNote, damagedNote, MAX_RECORD_TEXT } from './framing-notes.ts';

/** `pkt_type` of a modified pcap record (linux/if_packet.h) for packets that this host sends. */
const PACKET_OUTGOING = 4;
/** `pkt_type` for packets that are addressed to somebody else. */
const PACKET_OTHERHOST = 3;

/** Makes the reader of a classic pcap file whose header has been decoded. Its first `walk` begins at that header. */
export function createClassicReader(layout: ClassicLayout): FrameReader {
  return new ClassicReader(layout);
}

class ClassicReader implements FrameReader {
  readonly format: 'pcap' = 'pcap';
  readonly interfaces: readonly FrameInterface[];
  readonly notes: FramingNote[] = [];
  baseNs: bigint | undefined;
  clock: RecordClock;
  neededBytes: number;
  ended = false;

  private readonly layout: ClassicLayout;
  private readonly plain: boolean;
  /** Bytes and packets of the file before the current walk. */
  private fileOffset = 0;
  private packets = 0;
  private joins = 0;

  constructor(layout: ClassicLayout) {
    this.layout = layout;
    this.plain = layout.littleEndian && layout.recordHeaderBytes === 16 && layout.lengths === 'captured-first';
    this.interfaces = [{ linkType: layout.linkType, snapLength: layout.snapLength }];
    this.neededBytes = layout.headerBytes;
    this.clock = { littleEndian: layout.littleEndian, nsPerUnit: layout.nsPerUnit, baseSeconds: 0 };
  }

  walk(view: DataView, start: number, end: number, batch: FrameBatch): number {
    batch.count = 0;
    if (this.ended) return start;
    let at = start;
    if (this.fileOffset === 0) {
      if (end - start < this.layout.headerBytes) return start;
      at += this.layout.headerBytes;
    }
    const walkPlain = this.plain && view.buffer === batch.dataOffset.buffer ? batch.walkPlain : undefined;
    for (;;) {
      at = walkPlain?.(view.byteOffset, at, end) ?? walkRecords(view, at, end, batch, this.layout);
      const next = batch.count < batch.dataOffset.length ? this.unusualRecord(view, start, at, end, batch) : at;
      if (next === at) break;
      at = next;
    }
    if (this.baseNs === undefined && batch.count > 0) {
      const { littleEndian, nsPerUnit } = this.layout;
      const baseSeconds = view.getUint32(batch.recordOffset[0]!, littleEndian);
      this.clock = { littleEndian, nsPerUnit, baseSeconds };
      this.baseNs = BigInt(baseSeconds) * 1_000_000_000n;
    }
    this.fileOffset += at - start;
    this.packets += batch.count;
    return at;
  }

  timeNs(view: DataView, recordOffset: number): number {
    const { littleEndian, nsPerUnit, baseSeconds } = this.clock;
    const seconds = view.getUint32(recordOffset, littleEndian) - baseSeconds;
    return seconds * 1_000_000_000 + view.getUint32(recordOffset + 4, littleEndian) * nsPerUnit;
  }

  wireBytes(view: DataView, recordOffset: number): number {
    return recordWireBytes(view, recordOffset, this.layout);
  }

  direction(view: DataView, recordOffset: number): 0 | 1 | 2 {
    if (this.layout.recordHeaderBytes !== 24) return 0;
    const packetType = view.getUint8(recordOffset + 22);
    if (packetType === PACKET_OUTGOING) return 2;
    return packetType < PACKET_OTHERHOST ? 1 : 0;
  }

  comments(): string[] {
    return [];
  }

  finish(unusedBytes: number): void {
    if (this.joins > 0) {
      this.notes.push({
        code: 'joined',
        statement: `${this.joins} more pcap ${this.joins === 1 ? 'file was' : 'files were'} appended to the first one (as cat does); they were read as one capture.`,
        hint: 'mergecap joins captures in the order of time.',
      });
    }
    if (unusedBytes > 0 && !this.ended) {
      const claimed = unusedBytes < this.layout.recordHeaderBytes ? undefined : this.neededBytes;
      this.notes.push(cutNote(this.packets, unusedBytes, claimed));
    }
  }

  /** Decides about a record that the fast loop left: not whole, empty, absurd, or no record at all. Returns `at` to stop the walk. */
  private unusualRecord(view: DataView, start: number, at: number, end: number, batch: FrameBatch): number {
    const { recordHeaderBytes } = this.layout;
    this.neededBytes = recordHeaderBytes;
    if (end - at < recordHeaderBytes) return at;
    const captured = recordCapturedBytes(view, at, this.layout);
    if (captured > MAX_RECORD_BYTES) {
      const why = `a packet of ${captured} captured bytes is announced, and no tool writes more than ${MAX_RECORD_TEXT}`;
      return this.stop(this.fileOffset + at - start, this.packets + batch.count, why, at);
    }
    if (captured === 0 && isClassicMagic(view.getUint32(at, true))) return this.joinedFile(view, start, at, end, batch);
    if (end - at < recordHeaderBytes + captured) {
      this.neededBytes = recordHeaderBytes + captured;
      return at;
    }
    // An empty packet, or one that the fast loop has not seen as whole.
    batch.dataOffset[batch.count] = at + recordHeaderBytes;
    batch.capturedBytes[batch.count] = captured;
    batch.recordOffset[batch.count] = at;
    batch.interfaceId[batch.count] = 0;
    batch.count += 1;
    return at + recordHeaderBytes + captured;
  }

  /** A file header in place of a record: captures were joined with cat. It is skipped when the layout is the same. */
  private joinedFile(view: DataView, start: number, at: number, end: number, batch: FrameBatch): number {
    const { headerBytes, littleEndian, linkType } = this.layout;
    this.neededBytes = headerBytes;
    if (end - at < headerBytes) return at;
    const sameMagic = view.getUint32(at, true) === this.layout.magic;
    if (sameMagic && (view.getUint32(at + 20, littleEndian) & 0xffff) === linkType) {
      this.joins += 1;
      return at + headerBytes;
    }
    const why = 'another pcap file with another layout begins there, as cat leaves it; join captures with mergecap';
    return this.stop(this.fileOffset + at - start, this.packets + batch.count, why, at);
  }

  private stop(offset: number, packets: number, why: string, at: number): number {
    this.notes.push(damagedNote(offset, packets, why));
    this.ended = true;
    return at;
  }
}
