import { createFrameReader, describeShortInput } from '../frame-reader.ts';
import type { FrameInterface, FrameReader, FramingNote } from '../frames.ts';
import { createFrameBatch } from '../frames.ts';

/** One packet as a test looks at it. */
interface ReadFrame {
  readonly timeNs: bigint;
  readonly bytes: Uint8Array;
  readonly wireBytes: number;
  readonly interfaceId: number;
  readonly direction: 0 | 1 | 2;
  readonly comments: readonly string[];
}

/** A whole capture as a test looks at it. */
export interface ReadCapture {
  readonly frames: readonly ReadFrame[];
  readonly interfaces: readonly FrameInterface[];
  readonly notes: readonly FramingNote[];
  readonly ended: boolean;
}

/** How {@link readAll} feeds the reader. */
export interface ReadAllOptions {
  /** Sizes of the pieces, used in turn; everything at once when absent. */
  readonly chunks?: readonly number[];
  readonly batchSize?: number;
}

/** Reads a whole capture in pieces, as the input does: what is left of one piece is moved to the front before the next one. */
export function readAll(capture: Uint8Array, options: ReadAllOptions = {}): ReadCapture {
  const { chunks = [Math.max(capture.length, 1)], batchSize = 7 } = options;
  const batch = createFrameBatch(batchSize);
  const frames: ReadFrame[] = [];
  let reader: FrameReader | undefined;
  let rest = new Uint8Array(0);
  for (let at = 0, turn = 0; at < capture.length && !reader?.ended; turn += 1) {
    const size = Math.max(1, chunks[turn % chunks.length]!);
    // An offset that is not 0 and not aligned shows a reader that forgets where its view begins.
    const room = new Uint8Array(3 + rest.length + Math.min(size, capture.length - at));
    room.set(rest, 3);
    room.set(capture.subarray(at, at + size), 3 + rest.length);
    at += size;
    const view = new DataView(room.buffer, 1);
    let used = 2;
    const end = room.length - 1;
    reader ??= createFrameReader(view, used, end);
    while (reader !== undefined) {
      const next = reader.walk(view, used, end, batch);
      for (let index = 0; index < batch.count; index += 1) {
        const record = batch.recordOffset[index]!;
        const interfaceId = batch.interfaceId[index]!;
        const data = batch.dataOffset[index]!;
        frames.push({
          timeNs: (reader.baseNs ?? 0n) + BigInt(reader.timeNs(view, record, interfaceId)),
          bytes: room.slice(data + 1, data + 1 + batch.capturedBytes[index]!),
          wireBytes: reader.wireBytes(view, record),
          interfaceId,
          direction: reader.direction(view, record),
          comments: reader.comments(view, record),
        });
      }
      if (next === used) break;
      used = next;
    }
    rest = room.slice(used + 1);
  }
  if (reader === undefined) throw describeShortInput(new DataView(rest.buffer), 0, rest.length);
  reader.finish(rest.length);
  return { frames, interfaces: reader.interfaces, notes: reader.notes, ended: reader.ended };
}
