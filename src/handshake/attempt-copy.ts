import {
  EVENT,
  EVENT_COPIES,
  EVENT_INFO,
  EVENT_NEXT,
  HEADER,
  KIND_ICMP,
  OWN_EVENTS,
  ROW,
  ROW_EVENTS,
  ROW_FIRST_EVENT,
  ROW_LAST_EVENT,
  ROW_NEXT_FREE,
  ROW_STATE,
} from './attempt-layout.ts';
import { type AttemptTable, tableArrays } from './attempt-table.ts';

/** A table of copies of attempts, which outlive the table that they come from. */
export interface CopyTable extends AttemptTable {
  rowEnd: number;
  eventEnd: number;
  /** Heads of the lists of rows and events that can be used again; -1 and 0 when empty. */
  freeRow: number;
  freeEvent: number;
}

/**
 * Makes a table for at most `capacity` copies, which may borrow `borrowed` further events between them.
 * @param encapsulations those of the table that attempts are copied from.
 */
export function createCopyTable(capacity: number, borrowed: number, encapsulations: string[]): CopyTable {
  return {
    ...tableArrays(new ArrayBuffer((capacity * ROW + borrowed * EVENT) * 4), 0, capacity, borrowed),
    capacity,
    rowEnd: 0,
    eventEnd: (capacity * ROW) / EVENT,
    freeRow: -1,
    freeEvent: 0,
    encapsulations,
  };
}

/**
 * Copies one attempt to another table, where it outlives its time.
 * @returns its row there; -1 when that table has no room for it.
 */
export function copyAttempt(from: AttemptTable, row: number, to: CopyTable): number {
  const copy = allocateRow(to);
  if (copy < 0) return -1;
  const source = row * ROW;
  const base = copy * ROW;
  for (let word = 0; word < HEADER; word++) to.rows[base + word] = from.rows[source + word]!;
  const count = from.rows[source + ROW_EVENTS]!;
  let original = from.rows[source + ROW_FIRST_EVENT]!;
  let previous = 0;
  for (let used = 0; used < count; used++) {
    const event = allocateEvent(to, copy, used);
    if (event === 0) {
      to.rows[base + ROW_EVENTS] = used;
      releaseCopy(to, copy);
      return -1;
    }
    for (let word = 0; word < EVENT; word++) to.events[event * EVENT + word] = from.events[original * EVENT + word]!;
    to.events[event * EVENT + EVENT_NEXT] = 0;
    if (previous === 0) {
      to.rows[base + ROW_FIRST_EVENT] = event;
    } else {
      const at = previous * EVENT;
      to.events[at + EVENT_NEXT] = event;
      // The sender's address of an ICMP error lies in the event behind it.
      const isIcmp = (to.events[at + EVENT_INFO]! & 15) === KIND_ICMP;
      if (isIcmp && to.events[at + EVENT_COPIES] !== 0) to.events[at + EVENT_COPIES] = event;
    }
    to.rows[base + ROW_LAST_EVENT] = event;
    previous = event;
    original = from.events[original * EVENT + EVENT_NEXT]!;
  }
  return copy;
}

/** Takes a row, cleared; -1 when the table is full. */
function allocateRow(table: CopyTable): number {
  const free = table.freeRow;
  if (free >= 0) {
    const base = free * ROW;
    table.freeRow = table.rows[base + ROW_NEXT_FREE]!;
    for (let word = base; word < base + HEADER; word++) table.rows[word] = 0;
    return free;
  }
  return table.rowEnd === table.capacity ? -1 : table.rowEnd++;
}

/** Index of the first of a row's own events. */
function ownEvent(row: number): number {
  return (row * ROW + HEADER) / EVENT;
}

/**
 * Takes the next event of a row that has `used` of them; 0 when the table is full. Its words hold what the last user left there.
 */
function allocateEvent(table: CopyTable, row: number, used: number): number {
  if (used < OWN_EVENTS) return ownEvent(row) + used;
  const free = table.freeEvent;
  if (free !== 0) {
    table.freeEvent = table.events[free * EVENT + EVENT_NEXT]!;
    return free;
  }
  if ((table.eventEnd + 1) * EVENT > table.events.length) return 0;
  return table.eventEnd++;
}

/** Gives a copy and its events back. */
export function releaseCopy(table: CopyTable, row: number): void {
  const { rows, events } = table;
  const base = row * ROW;
  const used = rows[base + ROW_EVENTS]!;
  if (used > OWN_EVENTS) {
    const last = rows[base + ROW_LAST_EVENT]!;
    const borrowed = events[(ownEvent(row) + OWN_EVENTS - 1) * EVENT + EVENT_NEXT]!;
    events[last * EVENT + EVENT_NEXT] = table.freeEvent;
    table.freeEvent = borrowed;
  }
  rows[base + ROW_STATE] = 0;
  rows[base + ROW_NEXT_FREE] = table.freeRow;
  table.freeRow = row;
}
