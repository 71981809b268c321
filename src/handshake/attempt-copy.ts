import {
  type AttemptTable,
  allocateEvent,
  allocateRow,
  EVENT,
  EVENT_COPIES,
  EVENT_INFO,
  EVENT_NEXT,
  HEADER,
  KIND_ICMP,
  ROW,
  ROW_EVENTS,
  ROW_FIRST_EVENT,
  ROW_LAST_EVENT,
  releaseRow,
} from './attempt-table.ts';

/**
 * Copies one attempt to another table, where it outlives its time.
 * @returns its row there; -1 when that table has no room for it.
 */
export function copyAttempt(from: AttemptTable, row: number, to: AttemptTable): number {
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
      releaseRow(to, copy);
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
