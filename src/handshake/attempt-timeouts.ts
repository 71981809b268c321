import {
  ROW,
  ROW_COUNTS,
  ROW_LAST_TIME,
  ROW_STATE,
  STATE_ANSWERED,
  STATE_CLOSED,
  STATE_USED,
} from './attempt-layout.ts';
import type { AttemptTable } from './attempt-table.ts';

const SECOND = 1e9;
/** A first SYN is given this long before its silence counts: the largest initial timeout in use is 3 s (RFC 1122). */
const FIRST_SYN_WAIT_NS = 3.2 * SECOND;
/** A SYN-ACK is given this long: the initial timeout of RFC 6298 and some slack. */
const FIRST_SYN_ACK_WAIT_NS = 1.2 * SECOND;
/** No answer takes longer than this on a path that works. */
const LONG_ROUND_TRIP_NS = 0.6 * SECOND;
/** Open attempts that {@link medianLastTime} looks at, about. */
const SAMPLED_ATTEMPTS = 4096;

/** Whether a row holds an attempt that was not judged yet. */
export function isOpen(rows: Int32Array, row: number): boolean {
  return (rows[row * ROW + ROW_STATE]! & (STATE_USED | STATE_CLOSED)) === STATE_USED;
}

/**
 * How long an attempt may be quiet before its silence says something: the initial timeout of the side that waits, and once that
 * side has repeated itself, which shows that the timeout was over, only the time of a long round trip.
 */
export function patienceNs(rows: Int32Array, base: number): number {
  const counts = rows[base + ROW_COUNTS]!;
  const answered = (rows[base + ROW_STATE]! & STATE_ANSWERED) !== 0;
  if ((answered ? (counts >>> 8) & 255 : counts & 255) > 1) return LONG_ROUND_TRIP_NS;
  return answered ? FIRST_SYN_ACK_WAIT_NS : FIRST_SYN_WAIT_NS;
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
