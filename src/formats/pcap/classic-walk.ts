import type { ClassicLayout } from './classic-header.ts';
import type { FrameBatch } from './frames.ts';
import { MAX_RECORD_BYTES } from './frames.ts';

/**
 * Appends the packets of classic pcap records from `at` on. It stops at a record that is not whole, that has no bytes, or whose length
 * is absurd, and leaves the decision to the caller.
 * @returns the offset where it stopped.
 */
export function walkRecords(view: DataView, at: number, end: number, batch: FrameBatch, layout: ClassicLayout): number {
  const { dataOffset, capturedBytes, recordOffset, interfaceId } = batch;
  const capacity = dataOffset.length;
  const lastHeader = end - layout.recordHeaderBytes;
  let count = batch.count;
  while (count < capacity && at <= lastHeader) {
    const captured = recordCapturedBytes(view, at, layout);
    if (captured === 0 || captured > lastHeader - at || captured > MAX_RECORD_BYTES) break;
    const data = at + layout.recordHeaderBytes;
    dataOffset[count] = data;
    capturedBytes[count] = captured;
    recordOffset[count] = at;
    interfaceId[count] = 0;
    count += 1;
    at = data + captured;
  }
  batch.count = count;
  return at;
}

/** Captured length in bytes that a record header claims. */
export function recordCapturedBytes(view: DataView, record: number, layout: ClassicLayout): number {
  const first = view.getUint32(record + 8, layout.littleEndian);
  if (layout.lengths === 'captured-first') return first;
  const second = view.getUint32(record + 12, layout.littleEndian);
  return layout.lengths === 'wire-first' ? second : Math.min(first, second);
}

/** Length on the wire in bytes that a record header claims. */
export function recordWireBytes(view: DataView, record: number, layout: ClassicLayout): number {
  const second = view.getUint32(record + 12, layout.littleEndian);
  if (layout.lengths === 'captured-first') return second;
  const first = view.getUint32(record + 8, layout.littleEndian);
  return layout.lengths === 'wire-first' ? first : Math.max(first, second);
}
