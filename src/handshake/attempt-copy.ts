import {
  type AttemptTable,
  allocateEvent,
  allocateRow,
  EVENT,
  EVENT_COPIES,
  EVENT_INFO,
  EVENT_NEXT,
  KIND_ICMP,
  OWN_EVENTS,
  ROW,
  ROW_EVENTS,
  ROW_FIRST_EVENT,
  ROW_LAST_EVENT,
  tableOver,
} from './attempt-table.ts';

/**
 * Copies one attempt to memory of just the size it needs: a cheap way to keep it beyond its time, to be looked at only when
 * somebody wants to see it, through {@link tableOfCopy}.
 */
export function copyAttempt(table: AttemptTable, row: number): ArrayBuffer {
  const { rows, events } = table;
  const base = row * ROW;
  const count = rows[base + ROW_EVENTS]!;
  const memory = new ArrayBuffer((ROW + Math.max(0, count - OWN_EVENTS) * EVENT) * 4);
  const copy = tableOfCopy(memory, table);
  copy.rows.set(rows.subarray(base, base + ROW));
  let from = rows[base + ROW_FIRST_EVENT]!;
  let previous = 0;
  for (let used = 0; used < count; used++) {
    const to = allocateEvent(copy, 0, used);
    copy.events.set(events.subarray(from * EVENT, (from + 1) * EVENT), to * EVENT);
    copy.events[to * EVENT + EVENT_NEXT] = 0;
    if (previous === 0) {
      copy.rows[ROW_FIRST_EVENT] = to;
    } else {
      copy.events[previous * EVENT + EVENT_NEXT] = to;
      // The sender's address of an ICMP error lies in the event behind it.
      const isIcmp = (copy.events[previous * EVENT + EVENT_INFO]! & 15) === KIND_ICMP;
      if (isIcmp && copy.events[previous * EVENT + EVENT_COPIES] !== 0) {
        copy.events[previous * EVENT + EVENT_COPIES] = to;
      }
    }
    previous = to;
    from = events[from * EVENT + EVENT_NEXT]!;
  }
  copy.rows[ROW_LAST_EVENT] = previous;
  return memory;
}

/** A table that holds just the attempt of a copy, in row 0. */
export function tableOfCopy(memory: ArrayBuffer, { encapsulations }: AttemptTable): AttemptTable {
  const copy = tableOver(memory, 1, encapsulations);
  allocateRow(copy);
  return copy;
}
