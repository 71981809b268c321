import { ROW, ROW_LAST_TIME, ROW_STATE, STATE_CLOSED, STATE_USED } from './attempt-layout.ts';
import type { AttemptTable } from './attempt-table.ts';

/** Open attempts that {@link medianLastTime} looks at, about. */
const SAMPLED_ATTEMPTS = 4096;

/** Whether a row holds an attempt that was not judged yet. */
export function isOpen(rows: Int32Array, row: number): boolean {
  return (rows[row * ROW + ROW_STATE]! & (STATE_USED | STATE_CLOSED)) === STATE_USED;
}

/** When half of the open attempts had shown their last life, by a sample of them. */
export function medianLastTime({ rows, rowTimes, rowEnd }: AttemptTable): number {
  const sample: number[] = [];
  const step = Math.max(1, Math.floor(rowEnd / SAMPLED_ATTEMPTS));
  for (let row = 0; row < rowEnd; row += step) {
    if (isOpen(rows, row)) sample.push(rowTimes[(row * ROW + ROW_LAST_TIME) / 2]!);
  }
  sample.sort((a, b) => a - b);
  return sample[sample.length >> 1] ?? 0;
}
