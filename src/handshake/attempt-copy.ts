import {
  EVENT,
  HEADER,
  OWN_EVENTS,
  ROW,
  ROW_BORROWED,
  ROW_LAST_EVENT,
  ROW_NEXT_FREE,
  ROW_STATE,
} from './attempt-layout.ts';
import {
  type AttemptTable,
  eventAfter,
  eventCount,
  firstBorrowed,
  firstEvent,
  ownEvent,
  tableArrays,
  tableBytes,
} from './attempt-table.ts';

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
    ...tableArrays(new ArrayBuffer(tableBytes(capacity, borrowed)), 0, capacity, borrowed),
    capacity,
    rowEnd: 0,
    eventEnd: firstBorrowed(capacity),
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
  to.rows[base + ROW_BORROWED] = 0;
  const count = eventCount(from.rows, source);
  let original = firstEvent(from, row);
  let previous = 0;
  for (let used = 0; used < count; used++) {
    const event = used < OWN_EVENTS ? ownEvent(copy) + used : borrowEvent(to);
    if (event === 0) {
      releaseCopy(to, copy);
      return -1;
    }
    for (let word = 0; word < EVENT; word++) to.events[event * EVENT + word] = from.events[original * EVENT + word]!;
    if (used === OWN_EVENTS) to.rows[base + ROW_BORROWED] = event;
    else if (used > OWN_EVENTS) to.nextEvents[previous - firstBorrowed(to.capacity)] = event;
    to.rows[base + ROW_LAST_EVENT] = event;
    previous = event;
    original = eventAfter(from, row, original);
  }
  return copy;
}

/** Takes a row; -1 when the table is full. */
function allocateRow(table: CopyTable): number {
  const free = table.freeRow;
  if (free >= 0) {
    table.freeRow = table.rows[free * ROW + ROW_NEXT_FREE]!;
    return free;
  }
  return table.rowEnd === table.capacity ? -1 : table.rowEnd++;
}

/** Takes an event with nothing behind it; 0 when the table is full. Its words hold what the last user left there. */
function borrowEvent(table: CopyTable): number {
  const first = firstBorrowed(table.capacity);
  let event = table.freeEvent;
  if (event !== 0) table.freeEvent = table.nextEvents[event - first]!;
  else if (table.eventEnd - first < table.nextEvents.length) event = table.eventEnd++;
  else return 0;
  table.nextEvents[event - first] = 0;
  return event;
}

/** Gives a copy and its events back. */
export function releaseCopy(table: CopyTable, row: number): void {
  const { rows } = table;
  const base = row * ROW;
  const borrowed = rows[base + ROW_BORROWED]!;
  if (borrowed !== 0) {
    table.nextEvents[rows[base + ROW_LAST_EVENT]! - firstBorrowed(table.capacity)] = table.freeEvent;
    table.freeEvent = borrowed;
  }
  rows[base + ROW_STATE] = 0;
  rows[base + ROW_NEXT_FREE] = table.freeRow;
  table.freeRow = row;
}
