import {
  ACK_FORM,
  EVENT,
  EVENT_ACK,
  EVENT_ADDRESS,
  EVENT_INFO,
  EVENT_SEQ,
  EVENT_TIME,
  FORM_NEXT,
  FORM_TOLD,
  FORM_ZERO,
  HEADER,
  KIND_ADDRESS,
  KIND_ICMP,
  KIND_NUMBERS,
  OWN_EVENTS,
  ROW,
  ROW_BORROWED,
  ROW_CLIENT_ISN,
  ROW_EVENTS,
  ROW_LAST_EVENT,
  ROW_SERVER_ISN,
  SEQ_FORM,
} from './attempt-layout.ts';

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
   * {@link OWN_EVENTS} of a row lie behind its header, so that following an attempt touches one place, and further ones, which
   * it borrows, behind the last row.
   */
  readonly events: Int32Array;
  readonly eventTimes: Float64Array;
  /** Of each event that can be borrowed the one before it in its row, from the first on; 0 when that is none of these. */
  readonly earlierEvents: Int32Array;
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
  memory: SharedArrayBuffer,
  at: number,
  capacity: number,
  borrowed: number,
): Pick<AttemptTable, 'rows' | 'rowTimes' | 'events' | 'eventTimes' | 'earlierEvents'> {
  const words = capacity * ROW + borrowed * EVENT;
  const rows = new Int32Array(memory, at, words);
  const rowTimes = new Float64Array(memory, at, words / 2);
  const earlierEvents = new Int32Array(memory, at + words * 4, borrowed);
  return { rows, rowTimes, events: rows, eventTimes: rowTimes, earlierEvents };
}

/** Bytes of a table: what {@link tableArrays} needs. */
export function tableBytes(capacity: number, borrowed: number): number {
  return (capacity * ROW + borrowed * (EVENT + 1)) * 4;
}

/** The first event of a row; 0 when it has none. */
export function firstEvent({ rows }: AttemptTable, row: number): number {
  return eventCount(rows, row * ROW) === 0 ? 0 : ownEvent(row);
}

/** The event behind another one of a row; 0 behind the last. */
export function eventAfter({ rows, earlierEvents, capacity }: AttemptTable, row: number, event: number): number {
  const base = row * ROW;
  const nth = event - ownEvent(row);
  if (nth >= 0 && nth < OWN_EVENTS) {
    if (nth + 1 >= eventCount(rows, base)) return 0;
    return nth === OWN_EVENTS - 1 ? rows[base + ROW_BORROWED]! : event + 1;
  }
  let after = 0;
  let at = rows[base + ROW_LAST_EVENT]!;
  while (at !== event && at !== 0) {
    after = at;
    at = earlierEvents[at - firstBorrowed(capacity)]!;
  }
  return after;
}

/** Index of the first of a row's own events, used or not. */
function ownEvent(row: number): number {
  return (row * ROW + HEADER) / EVENT;
}

/** The first event that rows can borrow. */
function firstBorrowed(capacity: number): number {
  return (capacity * ROW) / EVENT;
}

/** How many events a row has, those that are no packets too; at most 255. */
function eventCount(rows: Int32Array, base: number): number {
  return rows[base + ROW_EVENTS]! & 255;
}

/** Index of what encapsulates the packets of a row in {@link AttemptTable.encapsulations}. */
export function encapsulationOf(rows: Int32Array, base: number): number {
  return rows[base + ROW_EVENTS]! >>> 8;
}

/** Index of the address of the sender of an ICMP error in {@link AttemptTable.events}. */
export function senderAddress(table: AttemptTable, row: number, error: number): number {
  let event = eventAfter(table, row, error);
  if (kindOf(table, event) === KIND_NUMBERS) event = eventAfter(table, row, event);
  if (kindOf(table, event) !== KIND_ADDRESS) {
    event = firstEvent(table, row);
    while (event !== 0 && kindOf(table, event) !== KIND_ADDRESS) event = eventAfter(table, row, event);
  }
  return event * EVENT + EVENT_ADDRESS;
}

/** Kind of an event; 0 when there is none. */
function kindOf({ events }: AttemptTable, event: number): number {
  return event === 0 ? 0 : events[event * EVENT + EVENT_INFO]! & 15;
}

/** Time of an event, counted from the base of its capture. */
export function eventNs({ eventTimes }: AttemptTable, event: number): number {
  return eventTimes[(event * EVENT + EVENT_TIME) / 2]!;
}

/** Sequence number of a packet; of an ICMP error that of the packet that it quotes. */
export function eventSeq(table: AttemptTable, row: number, event: number): number {
  const info = table.events[event * EVENT + EVENT_INFO]!;
  return numberOf(table, row, event, (info >>> SEQ_FORM) & 3, isOfClient(info), EVENT_SEQ);
}

/** Acknowledgement number of a packet. */
export function eventAck(table: AttemptTable, row: number, event: number): number {
  const info = table.events[event * EVENT + EVENT_INFO]!;
  return numberOf(table, row, event, (info >>> ACK_FORM) & 3, !isOfClient(info), EVENT_ACK);
}

function isOfClient(info: number): boolean {
  return ((info & 16) !== 0) !== ((info & 15) === KIND_ICMP);
}

function numberOf(
  table: AttemptTable,
  row: number,
  event: number,
  form: number,
  ofClient: boolean,
  word: number,
): number {
  if (form === FORM_ZERO) return 0;
  if (form === FORM_TOLD) return table.events[eventAfter(table, row, event) * EVENT + word]! >>> 0;
  const initial = table.rows[row * ROW + (ofClient ? ROW_CLIENT_ISN : ROW_SERVER_ISN)]!;
  return (initial + Number(form === FORM_NEXT)) >>> 0;
}
