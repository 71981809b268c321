import { createFrameReader, describeShortInput } from '../formats/pcap/frame-reader.ts';
import type { CaptureMemory, FrameBatch, FrameReader } from '../formats/pcap/frames.ts';
import { createFrameBatch } from '../formats/pcap/frames.ts';
import type { CaptureSummary, Note } from '../model/capture.ts';

/**
 * Gets the packets of a capture, a batch at a time. The view and the batch are used again for the next one.
 * @param firstFrameNumber number of the batch's first packet in the capture; the first of all is 1, as in Wireshark.
 */
export type OnFrames = (reader: FrameReader, view: DataView, batch: FrameBatch, firstFrameNumber: number) => void;

/** Packets that are handed over at most at a time: the columns of a batch then fit into a first-level cache. */
const BATCH_PACKETS = 1024;

/** Puts bytes of a capture, as they come, into one buffer and hands the packets on. What is not a whole record waits there. */
export class CapturePump {
  /** Bytes of the capture so far. */
  bytes = 0;
  /** Packets that were handed on. */
  packets = 0;
  /** The reader of the capture's format, when its first bytes were there. */
  reader: FrameReader | undefined;

  /** What {@link OnFrames} threw, so that it can be told from a failure to read. */
  thrown: unknown;

  private readonly onFrames: OnFrames;
  private readonly chunkBytes: number;
  private readonly memory: CaptureMemory | undefined;
  private readonly batch: FrameBatch;
  private buffer: Uint8Array;
  private view: DataView;
  private filled = 0;
  private firstNs = Number.POSITIVE_INFINITY;
  private lastNs = Number.NEGATIVE_INFINITY;

  /**
   * @param chunkBytes size of the buffer in bytes; it grows for a longer record only.
   * @param memory where the buffer and the batches shall lie, as far as there is room.
   */
  constructor(onFrames: OnFrames, chunkBytes: number, memory?: CaptureMemory) {
    this.onFrames = onFrames;
    this.chunkBytes = chunkBytes;
    this.memory = memory;
    this.batch = memory?.batch ?? createFrameBatch(BATCH_PACKETS);
    this.buffer = this.memoryOf(chunkBytes);
    this.view = viewOf(this.buffer);
  }

  /** Whether nothing more of the input can be used. */
  get ended(): boolean {
    return this.reader?.ended ?? false;
  }

  /** The free part of the buffer, never empty. Fill it from its start, then call {@link wrote}. */
  room(): Uint8Array {
    const wanted = Math.max(this.chunkBytes, this.reader?.neededBytes ?? 0);
    if (this.filled === this.buffer.length) this.grow();
    return this.buffer.subarray(this.filled, Math.max(Math.min(wanted, this.buffer.length), this.filled + 1));
  }

  /**
   * Hands on the packets that the next `count` bytes complete.
   * @throws ParseError when the input turns out to be no capture.
   */
  wrote(count: number): void {
    const { batch } = this;
    this.filled += count;
    this.bytes += count;
    this.reader ??= createFrameReader(this.view, 0, this.filled);
    const { reader } = this;
    if (reader === undefined) return;
    let used = 0;
    for (;;) {
      const next = reader.walk(this.view, used, this.filled, batch);
      if (batch.count > 0) {
        this.noteTimes(reader);
        const first = this.packets + 1;
        this.packets += batch.count;
        try {
          this.onFrames(reader, this.view, batch, first);
        } catch (error) {
          this.thrown = error;
          throw error;
        }
      }
      if (next === used) break;
      used = next;
    }
    if (used > 0) {
      this.buffer.copyWithin(0, used, this.filled);
      this.filled -= used;
    }
  }

  /** Takes bytes that are somewhere else in memory. */
  push(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length && !this.ended) {
      const room = this.room();
      const count = Math.min(room.length, bytes.length - at);
      room.set(bytes.subarray(at, at + count));
      at += count;
      this.wrote(count);
    }
  }

  /**
   * Ends the capture.
   * @param isWhole false when reading stopped for another reason than the end of the input, so that bytes left over mean nothing.
   * @throws ParseError when `isWhole` and the input ended before it was known to be a capture.
   */
  finish(name: string, isWhole: boolean, notes: readonly Note[]): CaptureSummary {
    const { reader } = this;
    if (reader === undefined && isWhole) throw describeShortInput(this.view, 0, this.filled);
    reader?.finish(isWhole ? this.filled : 0);
    const base = reader?.baseNs;
    return {
      name,
      format: reader?.format ?? 'pcap',
      interfaces: reader?.interfaces ?? [],
      packets: this.packets,
      bytes: this.bytes,
      ...(base === undefined
        ? {}
        : { firstNs: base + BigInt(Math.round(this.firstNs)), lastNs: base + BigInt(Math.round(this.lastNs)) }),
      notes: [...(reader?.notes ?? []), ...notes],
    };
  }

  /**
   * Looks at the first and the last packet of a batch only: packets that are out of order within a batch do not move the bounds
   * of a capture by more than their disorder, and a look at each one would cost more than finding it.
   */
  private noteTimes(reader: FrameReader): void {
    const { recordOffset, interfaceId, count } = this.batch;
    if (reader.baseNs === undefined) return;
    for (const index of [0, count - 1]) {
      const time = reader.timeNs(this.view, recordOffset[index]!, interfaceId[index]!);
      if (time < this.firstNs) this.firstNs = time;
      if (time > this.lastNs) this.lastNs = time;
    }
  }

  /** Doubles the buffer. It happens when it is full of bytes that have really come, and not for a length that a record claims. */
  private grow(): void {
    const larger = this.memoryOf(this.buffer.length * 2);
    // Within the memory that was given the larger buffer begins where the smaller one did.
    if (larger.buffer !== this.buffer.buffer) larger.set(this.buffer);
    this.buffer = larger;
    this.view = viewOf(larger);
  }

  private memoryOf(bytes: number): Uint8Array {
    const { memory } = this;
    return memory !== undefined && bytes <= memory.bytes.length
      ? memory.bytes.subarray(0, bytes)
      : new Uint8Array(bytes);
  }
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
