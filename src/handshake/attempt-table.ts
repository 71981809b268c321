import { EVENT, ROW } from './attempt-layout.ts';

/**
 * Every connection attempt of one capture, in typed arrays: one row an attempt, one event a packet that took part in it. Where what
 * lies in them is told by `attempt-layout.ts`.
 *
 * The arrays are made at their largest size at once. The kernel gives memory to an array page by page as it is first written
 * to, so an unused part costs nothing, and nobody ever meets an array that moved.
 */
export interface AttemptTable {
  /** Rows of {@link ROW} words each. */
  readonly rows: Int32Array;
  /** The same memory as `rows`, for the 64-bit floats of a row. */
  readonly rowTimes: Float64Array;
  /**
   * Events of {@link EVENT} words each; index 0 is never one and means "none". It is the same memory as `rows`: the first
   * {@link OWN_EVENTS} of a row lie behind its header, so that following an attempt touches one place, and further ones behind
   * the last row.
   */
  readonly events: Int32Array;
  readonly eventTimes: Float64Array;
  /** Most rows. */
  readonly capacity: number;
  /** Rows that were ever in use: 0 to `rowEnd - 1`. */
  readonly rowEnd: number;
  /** The first event that was never in use. */
  readonly eventEnd: number;
  /** Encapsulations that were met, outermost first; index 0 is none. Rows refer to them by index. */
  readonly encapsulations: string[];
}

/**
 * The table that lies in a piece of memory.
 * @param at where its first row begins, in bytes.
 * @param borrowed events behind the rows, which rows may borrow.
 */
export function tableArrays(
  memory: ArrayBuffer,
  at: number,
  capacity: number,
  borrowed: number,
): Pick<AttemptTable, 'rows' | 'rowTimes' | 'events' | 'eventTimes'> {
  const words = capacity * ROW + borrowed * EVENT;
  const rows = new Int32Array(memory, at, words);
  const rowTimes = new Float64Array(memory, at, Math.floor(words / 2));
  return { rows, rowTimes, events: rows, eventTimes: rowTimes };
}

/** A copy of a table whose memory is its own, so that it can be handed to another thread. */
export function copyTable({ rows, capacity, rowEnd, eventEnd, encapsulations }: AttemptTable): AttemptTable {
  const memory = new ArrayBuffer(rows.byteLength);
  const borrowed = rows.length / EVENT - (capacity * ROW) / EVENT;
  const copy = tableArrays(memory, 0, capacity, borrowed);
  copy.rows.set(rows.subarray(0, rowEnd * ROW));
  copy.rows.set(rows.subarray(capacity * ROW, eventEnd * EVENT), capacity * ROW);
  return { ...copy, capacity, rowEnd, eventEnd, encapsulations };
}
