import { ParseError } from '../parse-error.ts';
import type { CaptureLoss } from './capture-loss.ts';
import { addInterfaceStatistics, captureLossNote, createCaptureLoss } from './capture-loss.ts';
import type { FrameBatch, FrameInterface, FrameReader, FramingNote } from './frames.ts';
import { MAX_RECORD_BYTES } from './frames.ts';
import { cutNote, damagedNote, MAX_RECORD_TEXT } from './framing-notes.ts';
import { decodeInterface, MAX_INTERFACES } from './pcapng-interface.ts';
import { optionText, pcapngOptions } from './pcapng-options.ts';
import { decodeSectionStart, SECTION_HEADER, SECTION_HEADER_BYTES, SECTION_START_BYTES } from './pcapng-section.ts';
import type { TimestampScale } from './pcapng-time.ts';
import { nsSinceBase, setBase, wholeSecondNs } from './pcapng-time.ts';
import { ENHANCED_PACKET, PACKET_HEADER_BYTES, walkEnhancedPackets } from './pcapng-walk.ts';

const INTERFACE_DESCRIPTION = 1;
const OBSOLETE_PACKET = 2;
const SIMPLE_PACKET = 3;
const INTERFACE_STATISTICS = 5;

/** Bytes that a block of a type must have at least. */
const LEAST_BYTES: Readonly<Record<number, number>> = {
  [INTERFACE_DESCRIPTION]: 20,
  [OBSOLETE_PACKET]: 32,
  [SIMPLE_PACKET]: 16,
  [INTERFACE_STATISTICS]: 24,
  [ENHANCED_PACKET]: 32,
};

/** Makes the reader of a pcapng file. Its first `walk` begins at the first section header. */
export function createPcapngReader(): FrameReader {
  return new PcapngReader();
}

class PcapngReader implements FrameReader {
  readonly format: 'pcapng' = 'pcapng';
  readonly clock: undefined = undefined;
  readonly interfaces: FrameInterface[] = [];
  readonly notes: FramingNote[] = [];
  baseNs: bigint | undefined;
  neededBytes: number = SECTION_HEADER_BYTES;
  ended = false;

  private readonly scales: TimestampScale[] = [];
  private readonly loss: CaptureLoss = createCaptureLoss();
  private littleEndian = true;
  private firstInterface = 0;
  /** Offset in the file minus offset in the view of the current walk, and packets before it. */
  private viewToFile = 0;
  private fileOffset = 0;
  private packets = 0;
  /** A block that nothing is read from: bytes of it still to come before its trailing length, and that length. */
  private skipBytes = 0;
  private skippedTotal = 0;
  /** The last packet of this walk that has a time (offset of its block, or -1) and its interface. */
  private timedBlock = -1;
  private timedInterface = 0;
  private lastTimeNs = 0;
  /** Times of the simple packets of the current walk, by the offset of their block. */
  private readonly simpleTimes = new Map<number, number>();
  private simplePackets = 0;
  private undescribedPackets = 0;

  walk(view: DataView, start: number, end: number, batch: FrameBatch): number {
    batch.count = 0;
    if (this.ended) return start;
    this.simpleTimes.clear();
    this.timedBlock = -1;
    this.viewToFile = this.fileOffset - start;
    const capacity = batch.dataOffset.length;
    let at = start;
    while (batch.count < capacity) {
      if (this.skippedTotal > 0) {
        at = this.skip(view, at, end, batch);
        if (this.skippedTotal > 0) break;
      }
      const before = batch.count;
      const count = this.interfaces.length - this.firstInterface;
      at = walkEnhancedPackets(view, at, end, batch, this.littleEndian, this.firstInterface, count);
      if (batch.count > before) this.timed(view, batch, before);
      if (batch.count === capacity) break;
      const next = this.otherBlock(view, at, end, batch);
      if (next === at) break;
      at = next;
    }
    if (this.timedBlock >= 0) this.lastTimeNs = this.timeNs(view, this.timedBlock, this.timedInterface);
    this.fileOffset += at - start;
    this.packets += batch.count;
    return at;
  }

  timeNs(view: DataView, recordOffset: number, interfaceId: number): number {
    const { littleEndian } = this;
    if (view.getInt32(recordOffset, littleEndian) === SIMPLE_PACKET) return this.simpleTimes.get(recordOffset) ?? 0;
    const high = view.getUint32(recordOffset + 12, littleEndian);
    const low = view.getUint32(recordOffset + 16, littleEndian);
    return nsSinceBase(this.scales[interfaceId]!, high, low);
  }

  wireBytes(view: DataView, recordOffset: number): number {
    const simple = view.getInt32(recordOffset, this.littleEndian) === SIMPLE_PACKET;
    return view.getUint32(recordOffset + (simple ? 8 : 24), this.littleEndian);
  }

  direction(view: DataView, recordOffset: number): 0 | 1 | 2 {
    for (const option of this.packetOptions(view, recordOffset)) {
      if (option.code !== 2 || option.bytes !== 4) continue;
      const direction = view.getUint32(option.offset, this.littleEndian) & 3;
      return direction === 1 || direction === 2 ? direction : 0;
    }
    return 0;
  }

  comments(view: DataView, recordOffset: number): string[] {
    const comments: string[] = [];
    for (const option of this.packetOptions(view, recordOffset)) {
      if (option.code === 1) comments.push(optionText(view, option));
    }
    return comments;
  }

  finish(unusedBytes: number): void {
    if (this.simplePackets > 0) {
      this.notes.push({
        code: 'packets-without-time',
        statement: `${this.simplePackets} of ${this.packets} packets have no time (Simple Packet Blocks); each was given that of the packet before it.`,
      });
    }
    if (this.undescribedPackets > 0) {
      this.notes.push({
        code: 'unknown-interface',
        statement: `${this.undescribedPackets} packets name an interface that the file does not describe; they were left out.`,
        hint: 'The tool that wrote the file has a fault, or a part of the file is missing.',
      });
    }
    const loss = captureLossNote(this.loss, this.interfaces);
    if (loss !== undefined) this.notes.push(loss);
    if (this.ended) return;
    if (this.skippedTotal > 0) {
      const there = this.skippedTotal - 4 - this.skipBytes + unusedBytes;
      this.notes.push(cutNote(this.packets, there, this.skippedTotal));
    } else if (unusedBytes > 0) {
      this.notes.push(cutNote(this.packets, unusedBytes, unusedBytes < 8 ? undefined : this.neededBytes));
    }
  }

  private packetOptions(view: DataView, record: number): ReturnType<typeof pcapngOptions> {
    const { littleEndian } = this;
    const end = record + view.getUint32(record + 4, littleEndian) - 4;
    if (view.getInt32(record, littleEndian) === SIMPLE_PACKET) return pcapngOptions(view, end, end, littleEndian);
    const captured = view.getUint32(record + 20, littleEndian);
    const start = record + PACKET_HEADER_BYTES + captured + (-captured & 3);
    return pcapngOptions(view, start, end, littleEndian);
  }

  /** Takes note that the packets of the batch from `first` on have a time; the first one of all sets the base. */
  private timed(view: DataView, batch: FrameBatch, first: number): void {
    if (this.baseNs === undefined) {
      const block = batch.recordOffset[first]!;
      const high = view.getUint32(block + 12, this.littleEndian);
      const low = view.getUint32(block + 16, this.littleEndian);
      this.baseNs = wholeSecondNs(this.scales[batch.interfaceId[first]!]!, high, low);
      for (const scale of this.scales) setBase(scale, this.baseNs);
    }
    this.timedBlock = batch.recordOffset[batch.count - 1]!;
    this.timedInterface = batch.interfaceId[batch.count - 1]!;
  }

  /** Reads the block that the fast loop stopped at. Returns `at` to stop the walk. */
  private otherBlock(view: DataView, at: number, end: number, batch: FrameBatch): number {
    const there = end - at;
    this.neededBytes = 12;
    if (there < 8) return at;
    const type = view.getUint32(at, this.littleEndian);
    if (type === SECTION_HEADER) return this.section(view, at, end, batch);
    const total = view.getUint32(at + 4, this.littleEndian);
    const least = LEAST_BYTES[type] ?? 12;
    if (total < least || total % 4 !== 0) {
      return this.stop(at, batch, `a block of type ${type} claims a length of ${total} bytes, which cannot be`);
    }
    if (!(type in LEAST_BYTES)) return this.beginSkip(at, total);
    if (total > MAX_RECORD_BYTES) {
      const why = `a block of type ${type} and ${total} bytes is announced, and no tool writes more than ${MAX_RECORD_TEXT}`;
      return this.stop(at, batch, why);
    }
    this.neededBytes = total;
    if (there < total) return at;
    const trailing = view.getUint32(at + total - 4, this.littleEndian);
    if (trailing !== total) return this.stop(at, batch, unequalLengths(type, total, trailing));
    if (type === INTERFACE_DESCRIPTION) {
      if (this.interfaces.length >= MAX_INTERFACES) {
        return this.stop(at, batch, `it describes more than ${MAX_INTERFACES} interfaces`);
      }
      const { described, scale } = decodeInterface(view, at, total, this.littleEndian);
      if (this.baseNs !== undefined) setBase(scale, this.baseNs);
      this.interfaces.push(described);
      this.scales.push(scale);
    } else if (type === INTERFACE_STATISTICS) {
      const id = this.firstInterface + view.getUint32(at + 8, this.littleEndian);
      if (id < this.interfaces.length) addInterfaceStatistics(this.loss, view, at, total, this.littleEndian, id);
    } else if (!this.packet(view, at, type, total, batch)) {
      const why = `the packet in a block of ${total} bytes claims ${view.getUint32(at + 20, this.littleEndian)} captured bytes`;
      return this.stop(at, batch, why);
    }
    return at + total;
  }

  /** Appends a packet that is not in the fast loop's shape. Returns false when its length cannot be. */
  private packet(view: DataView, at: number, type: number, total: number, batch: FrameBatch): boolean {
    const { littleEndian } = this;
    const simple = type === SIMPLE_PACKET;
    const obsolete = type === OBSOLETE_PACKET;
    const local = simple ? 0 : obsolete ? view.getUint16(at + 8, littleEndian) : view.getUint32(at + 8, littleEndian);
    const id = this.firstInterface + local;
    const described = this.interfaces[id];
    let captured = view.getUint32(at + (simple ? 8 : 20), littleEndian);
    if (simple) captured = Math.min(captured, total - 16, described?.snapLength || captured);
    else if (captured > total - 32) return false;
    if (described === undefined) {
      this.undescribedPackets += 1;
      return true;
    }
    const index = batch.count;
    batch.dataOffset[index] = at + (simple ? 12 : PACKET_HEADER_BYTES);
    batch.capturedBytes[index] = captured;
    batch.recordOffset[index] = at;
    batch.interfaceId[index] = id;
    batch.count = index + 1;
    if (simple) {
      if (this.timedBlock >= 0) this.lastTimeNs = this.timeNs(view, this.timedBlock, this.timedInterface);
      this.simpleTimes.set(at, this.lastTimeNs);
      this.simplePackets += 1;
    } else {
      this.timed(view, batch, index);
      const drops = obsolete ? view.getUint16(at + 10, littleEndian) : 0;
      if (drops !== 0xffff) this.loss.betweenPackets += drops;
    }
    return true;
  }

  /** Begins a section. Packets before it are handed out first, because their bytes are read with the old byte order. */
  private section(view: DataView, at: number, end: number, batch: FrameBatch): number {
    if (batch.count > 0) return at;
    this.neededBytes = SECTION_HEADER_BYTES;
    if (end - at < SECTION_START_BYTES) return at;
    try {
      const { littleEndian, total } = decodeSectionStart(view, at, this.viewToFile + at);
      this.littleEndian = littleEndian;
      this.firstInterface = this.interfaces.length;
      return this.beginSkip(at, total);
    } catch (error) {
      if (!(error instanceof ParseError)) throw error;
      return this.stop(at, batch, error.message);
    }
  }

  /** Begins to pass over a block, of any length, without the need to have it whole in the buffer. */
  private beginSkip(at: number, total: number): number {
    this.skippedTotal = total;
    this.skipBytes = total - 12;
    return at + 8;
  }

  private skip(view: DataView, at: number, end: number, batch: FrameBatch): number {
    const passed = Math.min(this.skipBytes, end - at);
    this.skipBytes -= passed;
    const trailer = at + passed;
    this.neededBytes = 4;
    if (this.skipBytes > 0 || end - trailer < 4) return trailer;
    const total = this.skippedTotal;
    const trailing = view.getUint32(trailer, this.littleEndian);
    if (trailing !== total) return this.stop(trailer, batch, unequalLengths(undefined, total, trailing));
    this.skippedTotal = 0;
    return trailer + 4;
  }

  private stop(at: number, batch: FrameBatch, why: string): number {
    this.notes.push(damagedNote(this.viewToFile + at, this.packets + batch.count, why));
    this.ended = true;
    return at;
  }
}

function unequalLengths(type: number | undefined, first: number, last: number): string {
  const block = type === undefined ? 'a block' : `a block of type ${type}`;
  return `the two lengths of ${block} differ (${first} and ${last})`;
}
