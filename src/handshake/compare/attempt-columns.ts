import {
  EVENT,
  EVENT_INFO,
  EVENT_TSVAL,
  KIND_SYN,
  KIND_SYN_ACK,
  ROW,
  ROW_LAST_TIME,
  ROW_STATE,
  STATE_USED,
} from '../attempt-layout.ts';
import { type AttemptTable, eventAfter, eventNs, firstEvent } from '../attempt-table.ts';
import type { TrackedCapture } from './tracked-capture.ts';

/** What matching needs of the attempts of one capture, by row of its table. */
export interface AttemptColumns {
  readonly capture: TrackedCapture;
  readonly rows: Int32Array;
  readonly count: number;
  /** Time of the first and the last packet; NaN for a row that is not in use. */
  readonly firstNs: Float64Array;
  readonly lastNs: Float64Array;
  /** Another sighting of the same attempt at this capture (before and after translation), or -1. */
  readonly nextCopy: Int32Array;
  /** The sighting of the attempt that came first; the row itself for most. */
  readonly primary: Int32Array;
  /** Float nanoseconds to add to times of this capture so that they count from the base of the first capture. */
  readonly shiftNs: number;
}

/** Reads the columns of one capture; `baseNs` is the base of the first capture. */
export function columnsOf(capture: TrackedCapture, baseNs: bigint): AttemptColumns {
  const { table } = capture;
  const count = table.rowEnd;
  const firstNs = new Float64Array(count).fill(Number.NaN);
  const lastNs = new Float64Array(count).fill(Number.NaN);
  const primary = new Int32Array(count);
  for (let row = 0; row < count; row++) {
    primary[row] = row;
    const base = row * ROW;
    const event = firstEvent(table, row);
    if ((table.rows[base + ROW_STATE]! & STATE_USED) === 0 || event === 0) continue;
    firstNs[row] = eventNs(table, event);
    lastNs[row] = table.rowTimes[(base + ROW_LAST_TIME) / 2]!;
  }
  return {
    capture,
    rows: table.rows,
    count,
    firstNs,
    lastNs,
    nextCopy: new Int32Array(count).fill(-1),
    primary,
    shiftNs: Number(capture.baseNs - baseNs),
  };
}

/** The first event of a kind and direction at or after `event` in its row; 0 when there is none. */
export function nextEvent(table: AttemptTable, row: number, event: number, kind: number, toServer: boolean): number {
  const { events } = table;
  const wanted = kind | (toServer ? 16 : 0);
  for (let at = event; at !== 0; at = eventAfter(table, row, at)) {
    if ((events[at * EVENT + EVENT_INFO]! & 31) === wanted) return at;
  }
  return 0;
}

/** The first SYN of an attempt; 0 when it was not captured. */
export function firstSyn(table: AttemptTable, row: number): number {
  return nextEvent(table, row, firstEvent(table, row), KIND_SYN, true);
}

/** The SYN after `event` in the same attempt; 0 when there is none. */
export function followingSyn(table: AttemptTable, row: number, event: number): number {
  return nextEvent(table, row, eventAfter(table, row, event), KIND_SYN, true);
}

/** The first SYN-ACK of an attempt; 0 when it was not captured. */
export function firstSynAck(table: AttemptTable, row: number): number {
  return nextEvent(table, row, firstEvent(table, row), KIND_SYN_ACK, false);
}

/** Whether an event has a timestamps option. */
export function hasTsval(table: AttemptTable, event: number): boolean {
  return (table.events[event * EVENT + EVENT_INFO]! & 128) !== 0;
}

/** How the timestamps of the SYNs of two sightings compare. */
export type TsvalAgreement = 'same' | 'different' | 'absent';

/** Compares the TSvals of all SYNs of two rows: one that both have makes them the same attempt. */
export function compareTsvals(a: AttemptTable, rowA: number, b: AttemptTable, rowB: number): TsvalAgreement {
  let compared = false;
  for (let x = firstSyn(a, rowA); x !== 0; x = followingSyn(a, rowA, x)) {
    if (!hasTsval(a, x)) continue;
    for (let y = firstSyn(b, rowB); y !== 0; y = followingSyn(b, rowB, y)) {
      if (!hasTsval(b, y)) continue;
      compared = true;
      if (a.events[x * EVENT + EVENT_TSVAL] === b.events[y * EVENT + EVENT_TSVAL]) return 'same';
    }
  }
  return compared ? 'different' : 'absent';
}

/** TSval of an event; meaningless without the option. */
export function eventTsval(table: AttemptTable, event: number): number {
  return table.events[event * EVENT + EVENT_TSVAL]!;
}

/** IPv4 TTL or IPv6 hop limit of an event. */
export function eventTtl(table: AttemptTable, event: number): number {
  return (table.events[event * EVENT + EVENT_INFO]! >>> 8) & 255;
}
