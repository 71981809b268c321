import {
  type AttemptTable,
  attemptTableOf,
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
  const copy = attemptTableOf(new ArrayBuffer(ROW * 4), new ArrayBuffer((count + 1) * EVENT * 4), encapsulations);
  copy.rows.set(rows.subarray(base, base + ROW));
  copy.rows[ROW_FIRST_EVENT] = count === 0 ? 0 : 1;
  copy.rows[ROW_LAST_EVENT] = count;
  let from = rows[base + ROW_FIRST_EVENT]!;
  for (let event = 1; event <= count; event++) {
    const at = event * EVENT;
    copy.events.set(events.subarray(from * EVENT, (from + 1) * EVENT), at);
    // The sender's address of an ICMP error lies in the event behind it.
    if ((copy.events[at + EVENT_INFO]! & 15) === KIND_ICMP && copy.events[at + EVENT_COPIES] !== 0) {
      copy.events[at + EVENT_COPIES] = event + 1;
    }
    from = events[from * EVENT + EVENT_NEXT]!;
    copy.events[at + EVENT_NEXT] = event === count ? 0 : event + 1;
  }
  copy.rowEnd = 1;
  copy.eventEnd = count + 1;
  return copy;
}
