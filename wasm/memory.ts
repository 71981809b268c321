// Rows and events in the shared memory: the table of attempts, and what is free in it.
import {
  EVENT,
  HEADER,
  OWN_EVENTS,
  ROW,
  ROW_BORROWED,
  ROW_LAST_EVENT,
  ROW_NEXT_FREE,
  ROW_STATE,
} from '../src/handshake/attempt-layout';
import { AT_EVENT_END, AT_FREE_EVENT, AT_FREE_ROW, AT_LOADED, AT_ROW_END } from '../src/handshake/scan-layout';

/** Address of the first row. */
let rowsAt: i32 = 0;
/** Whether rows are kept when their attempts are over. */
export let keeps: bool = false;
/** Most rows, and the event that would be one too many. */
let capacity: i32 = 0;
let eventLimit: i32 = 0;
/** Address of the word of event 0 in the table of what lies before each event that can be borrowed. */
let earlierAt: i32 = 0;

/** Says where the rows lie, how many there can be, how many events may be borrowed, and whether rows are kept. */
export function placeRows(at: i32, rows: i32, borrowed: i32, keep: bool): void {
  rowsAt = at;
  keeps = keep;
  capacity = rows;
  const first = (rows * ROW) / EVENT;
  eventLimit = first + borrowed;
  earlierAt = eventAt(eventLimit) - (first << 2);
  store<i32>(AT_ROW_END, 0);
  store<i32>(AT_EVENT_END, first);
  store<i32>(AT_FREE_ROW, -1);
  store<i32>(AT_FREE_EVENT, 0);
}

/** Address of a row. */
@inline
export function rowAt(row: i32): i32 {
  return rowsAt + row * (ROW << 2);
}

/** Address of an event. */
@inline
export function eventAt(event: i32): i32 {
  return rowsAt + event * (EVENT << 2);
}

/** Address of the first event of the row at `base`, if it has one. */
@inline
export function firstEventAt(base: i32): i32 {
  return base + (HEADER << 2);
}

/** Address of the nth of the `used` events of the row at `base`. */
export function nthEventAt(base: i32, nth: i32, used: i32): i32 {
  if (nth < OWN_EVENTS) return firstEventAt(base) + nth * (EVENT << 2);
  let event = load<i32>(base, ROW_LAST_EVENT << 2);
  for (let later = used - 1; later > nth; later--) event = earlierBorrowed(event);
  return eventAt(event);
}

/** The event before a borrowed one, 0 when that is the first one; of a free one the next that is free. */
@inline
export function earlierBorrowed(event: i32): i32 {
  return load<i32>(earlierAt + (event << 2));
}

/** Puts an event before a borrowed one. */
@inline
export function chainBorrowed(event: i32, earlier: i32): void {
  store<i32>(earlierAt + (event << 2), earlier);
}

/** Takes the sum of words that were only loaded to have them in the processor's cache: unused, they would not be loaded. */
@inline
export function keepLoads(sum: i32): void {
  store<i32>(AT_LOADED, sum);
}

/** Loads what {@link releaseRow} needs besides the row at `base`, so that it lies in the processor's cache. */
@inline
export function warmRelease(base: i32): i32 {
  const first = load<i32>(base, ROW_BORROWED << 2);
  return first === 0 ? 0 : earlierBorrowed(first);
}

/** Gives an event back that was taken but not put into its row of `used` events. */
export function releaseEvent(event: i32, used: i32): void {
  if (used < OWN_EVENTS) return;
  chainBorrowed(event, load<i32>(AT_FREE_EVENT));
  store<i32>(AT_FREE_EVENT, event);
}

/** Takes a row, cleared; -1 when the table is full. */
export function allocateRow(): i32 {
  const free = load<i32>(AT_FREE_ROW);
  if (free >= 0) {
    const base = rowAt(free);
    store<i32>(AT_FREE_ROW, load<i32>(base, ROW_NEXT_FREE << 2));
    const zero = i32x4.splat(0);
    for (let at = 0; at < HEADER << 2; at += 16) v128.store(base + at, zero);
    return free;
  }
  const end = load<i32>(AT_ROW_END);
  if (end === capacity) return -1;
  store<i32>(AT_ROW_END, end + 1);
  return end;
}

/** Takes the next event of a row that has `used` of them; 0 when the table is full. Its words hold what the last user left there. */
export function allocateEvent(row: i32, used: i32): i32 {
  if (used < OWN_EVENTS) return (row * ROW + HEADER) / EVENT + used;
  const free = load<i32>(AT_FREE_EVENT);
  if (free !== 0) {
    store<i32>(AT_FREE_EVENT, earlierBorrowed(free));
    return free;
  }
  const end = load<i32>(AT_EVENT_END);
  if (end === eventLimit) return 0;
  store<i32>(AT_EVENT_END, end + 1);
  return end;
}

/** Gives a row and its events back, if rows are not kept. */
export function releaseRow(row: i32): void {
  if (keeps) return;
  const base = rowAt(row);
  const borrowed = load<i32>(base, ROW_BORROWED << 2);
  if (borrowed !== 0) {
    chainBorrowed(borrowed, load<i32>(AT_FREE_EVENT));
    store<i32>(AT_FREE_EVENT, load<i32>(base, ROW_LAST_EVENT << 2));
  }
  store<i32>(base, 0, ROW_STATE << 2);
  store<i32>(base, load<i32>(AT_FREE_ROW), ROW_NEXT_FREE << 2);
  store<i32>(AT_FREE_ROW, row);
}
