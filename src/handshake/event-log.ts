import {
  type AttemptTable,
  allocateEvent,
  EVENT,
  EVENT_ACK,
  EVENT_COPIES,
  EVENT_FRAME,
  EVENT_ID_LENGTH,
  EVENT_INFO,
  EVENT_NEXT,
  EVENT_SEQ,
  EVENT_TSVAL,
  KIND_ADDRESS,
  KIND_ICMP,
  KIND_SYN,
  KIND_SYN_ACK,
  MAX_EVENTS,
  packEventInfo,
  ROW,
  ROW_EVENTS,
  ROW_FIRST_EVENT,
  ROW_LAST_EVENT,
  ROW_LAST_TIME,
  ROW_SEGMENTS,
  ROW_STATE,
  STATE_DUPLICATES,
} from './attempt-table.ts';
import type { IcmpInput, SegmentInput } from './segment-input.ts';

/** Two sightings of one packet (veth pair, `-i any`, SPAN) lie closer together than any retransmission. */
const COPY_WITHIN_NS = 50e6;
/** A copy seen at another interface of a router has crossed a few hops at most. */
const COPY_TTL_DISTANCE = 4;

/** Notes one segment of an attempt. Returns false when it is only another copy of a packet that was noted already. */
export function addSegmentEvent(
  table: AttemptTable,
  row: number,
  input: SegmentInput,
  kind: number,
  toServer: boolean,
): boolean {
  const { events } = table;
  const { hasTimestamps } = input.options;
  const info = packEventInfo(kind, toServer, input.seen, hasTimestamps, input.ttl, input.flags & 255);
  const idLength = (input.ipId << 16) | Math.min(input.payloadBytes, 0xffff);
  const tsval = hasTimestamps ? input.options.tsval | 0 : 0;
  const original = findCopy(table, row, input, info, idLength, tsval, input.ack | 0);
  if (original !== 0) {
    if (events[original * EVENT + EVENT_COPIES]! < 0xffff) events[original * EVENT + EVENT_COPIES]!++;
    table.rows[row * ROW + ROW_STATE]! |= STATE_DUPLICATES;
    return false;
  }
  const event = append(table, row, input, info);
  if (event === 0) return true;
  const at = event * EVENT;
  events[at + EVENT_ACK] = input.ack;
  events[at + EVENT_TSVAL] = tsval;
  events[at + EVENT_ID_LENGTH] = idLength;
  events[at + EVENT_COPIES] = 0;
  return true;
}

/** Notes one ICMP error about a segment of an attempt; its copies are told apart by time alone. */
export function addIcmpEvent(
  table: AttemptTable,
  row: number,
  input: SegmentInput,
  error: IcmpInput,
  toServer: boolean,
): boolean {
  const { events } = table;
  const info = packEventInfo(KIND_ICMP, toServer, input.seen, false, input.ttl, 0);
  const typeCode = (error.type << 24) | (error.code << 16) | error.mtuBytes;
  const idLength = input.ipId << 16;
  if (findCopy(table, row, input, info, idLength, 0, typeCode) !== 0) {
    table.rows[row * ROW + ROW_STATE]! |= STATE_DUPLICATES;
    return false;
  }
  const event = append(table, row, input, info);
  if (event === 0) return true;
  const at = event * EVENT;
  events[at + EVENT_ACK] = typeCode;
  events[at + EVENT_TSVAL] = 0;
  events[at + EVENT_ID_LENGTH] = idLength;
  events[at + EVENT_COPIES] = 0;
  const base = row * ROW;
  const sender = allocateEvent(table, row, table.rows[base + ROW_EVENTS]!);
  if (sender === 0) return true;
  events[at + EVENT_COPIES] = sender;
  table.eventTimes[sender * (EVENT / 2)] = input.timeNs;
  events[sender * EVENT + EVENT_INFO] = KIND_ADDRESS | (toServer ? 16 : 0);
  for (let word = 0; word < 4; word++) events[sender * EVENT + EVENT_SEQ + word] = error.from[word]!;
  link(table, row, sender);
  return true;
}

function append(table: AttemptTable, row: number, input: SegmentInput, info: number): number {
  const { rows, events } = table;
  const base = row * ROW;
  if (rows[base + ROW_SEGMENTS]! >= MAX_EVENTS) {
    rows[base + ROW_SEGMENTS]!++;
    return 0;
  }
  rows[base + ROW_SEGMENTS]!++;
  const event = allocateEvent(table, row, rows[base + ROW_EVENTS]!);
  if (event === 0) return 0;
  const at = event * EVENT;
  table.eventTimes[event * (EVENT / 2)] = input.timeNs;
  events[at + EVENT_FRAME] = input.frame;
  events[at + EVENT_SEQ] = input.seq;
  events[at + EVENT_INFO] = info;
  link(table, row, event);
  return event;
}

function link({ rows, events }: AttemptTable, row: number, event: number): void {
  const base = row * ROW;
  events[event * EVENT + EVENT_NEXT] = 0;
  const last = rows[base + ROW_LAST_EVENT]!;
  if (last === 0) rows[base + ROW_FIRST_EVENT] = event;
  else events[last * EVENT + EVENT_NEXT] = event;
  rows[base + ROW_LAST_EVENT] = event;
  rows[base + ROW_EVENTS]!++;
}

function findCopy(
  table: AttemptTable,
  row: number,
  input: SegmentInput,
  info: number,
  idLength: number,
  tsval: number,
  ack: number,
): number {
  const { rows, rowTimes, events, eventTimes } = table;
  const base = row * ROW;
  if (input.timeNs - rowTimes[(base + ROW_LAST_TIME) / 2]! > COPY_WITHIN_NS) return 0;
  const isAnswer = (info & 15) === KIND_SYN_ACK;
  let original = 0;
  for (let event = rows[base + ROW_FIRST_EVENT]!; event !== 0; event = events[event * EVENT + EVENT_NEXT]!) {
    const at = event * EVENT;
    const other = events[at + EVENT_INFO]!;
    const isSyn = (other & 15) === KIND_SYN;
    // Compared at once: with a comparison after the other, the first that gets further has all of this compiled anew.
    const differences =
      (events[at + EVENT_SEQ]! ^ input.seq) |
      (events[at + EVENT_ACK]! ^ ack) |
      (events[at + EVENT_ID_LENGTH]! ^ idLength) |
      (events[at + EVENT_TSVAL]! ^ tsval);
    if (((other ^ info) & 16) !== 0) {
      // A packet of the other side in between makes the second one an answer of its own, not another sighting.
      if (!isAnswer || isSyn) original = 0;
    } else if (
      differences === 0 &&
      sameButTtl(other, info) &&
      Math.abs(input.timeNs - eventTimes[event * (EVENT / 2)]!) <= COPY_WITHIN_NS
    ) {
      original = event;
    }
  }
  return original;
}

/** Kind, direction and flags agree, and the TTLs are near; what the capture says of in and out may differ. */
function sameButTtl(a: number, b: number): boolean {
  if (((a ^ b) & 0xff009f) !== 0) return false;
  return Math.abs(((a >>> 8) & 255) - ((b >>> 8) & 255)) <= COPY_TTL_DISTANCE;
}
