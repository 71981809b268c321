import {
  type AttemptTable,
  allocateEvent,
  allocateRow,
  createAttemptTable,
  EVENT,
  EVENT_COPIES,
  EVENT_INFO,
  EVENT_NEXT,
  KIND_ICMP,
  ROW,
  ROW_EVENTS,
  ROW_FIRST_EVENT,
  ROW_LAST_EVENT,
} from './attempt-table.ts';

/**
 * Copies one attempt to a table of its own, of just the size it needs: a cheap way to keep it beyond its time, to be
 * materialized only when somebody wants to see it.
 */
export function copyAttempt({ rows, events, encapsulations }: AttemptTable, row: number): AttemptTable {
  const base = row * ROW;
  const count = rows[base + ROW_EVENTS]!;
  const copy = createAttemptTable(1, count, encapsulations);
  const copied = allocateRow(copy);
  copy.rows.set(rows.subarray(base, base + ROW));
  let from = rows[base + ROW_FIRST_EVENT]!;
  let previous = 0;
  for (let used = 0; used < count; used++) {
    const to = allocateEvent(copy, copied, used);
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
  return copy;
}
