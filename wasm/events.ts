// Notes the packets of an attempt, one event each, and tells a packet from another sighting of one that was noted already.
import {
  EVENT,
  EVENT_ACK,
  EVENT_FRAME,
  EVENT_ID_LENGTH,
  EVENT_INFO,
  EVENT_SEQ,
  EVENT_TSVAL,
  KIND_ADDRESS,
  KIND_ICMP,
  KIND_SYN,
  KIND_SYN_ACK,
  MAX_EVENTS,
  OWN_EVENTS,
  ROW_BORROWED,
  ROW_EVENTS,
  ROW_LAST_EVENT,
  ROW_LAST_TIME,
  ROW_SEGMENTS,
  ROW_STATE,
  STATE_DUPLICATES,
} from '../src/handshake/attempt-layout';
import { AT_SENDER } from '../src/handshake/scan-layout';
import { allocateEvent, chainBorrowed, eventAt, firstEventAt, nextEventAt, rowAt } from './memory';
import { ack, flags, frame, hasTsval, ipId, payloadBytes, seen, seq, timeNs, tsval, ttl } from './segment';

/** Two sightings of one packet (veth pair, `-i any`, SPAN) lie closer together than any retransmission. */
const COPY_WITHIN_NS: f64 = 50e6;
/** A copy seen at another interface of a router has crossed a few hops at most. */
const COPY_TTL_DISTANCE: i32 = 4;
/** The bit of an event's info that says that the packet goes to the server. */
export const TO_SERVER: i32 = 16;
/** One copy, and the most, in an event's info. */
const COPY: i32 = 1 << 24;
const MOST_COPIES: u32 = 0xff000000;

/** Notes the current segment. Returns false when it is only another copy of a packet that was noted already. */
export function addSegmentEvent(row: i32, kind: i32, toServer: bool): bool {
  const info = packInfo(kind, toServer, hasTsval, flags);
  const idLength = (ipId << 16) | min(payloadBytes, 0xffff);
  const stamp = hasTsval ? tsval : 0;
  const original = findCopy(row, info, idLength, stamp, ack);
  if (original !== 0) {
    const known = load<i32>(original, EVENT_INFO << 2);
    if (<u32>known < MOST_COPIES) store<i32>(original, known + COPY, EVENT_INFO << 2);
    noteDuplicate(row);
    return false;
  }
  append(row, info, ack, stamp, idLength);
  return true;
}

/** Notes an ICMP error about the current segment; its copies are told apart by time alone. */
export function addIcmpEvent(row: i32, typeCode: i32, toServer: bool): bool {
  const info = packInfo(KIND_ICMP, toServer, false, 0);
  const idLength = ipId << 16;
  if (findCopy(row, info, idLength, 0, typeCode) !== 0) {
    noteDuplicate(row);
    return false;
  }
  if (!append(row, info, typeCode, 0, idLength)) return true;
  const base = rowAt(row);
  const sender = allocateEvent(row, load<u8>(base, ROW_EVENTS << 2));
  if (sender === 0) return true;
  const at = eventAt(sender);
  store<f64>(at, timeNs);
  store<i32>(at, KIND_ADDRESS | (toServer ? TO_SERVER : 0), EVENT_INFO << 2);
  memory.copy(at + (EVENT_SEQ << 2), AT_SENDER, 16);
  link(base, sender);
  return true;
}

/** Kind, direction, TTL, TCP flags and the recorded direction of a packet in one word. */
@inline
function packInfo(kind: i32, toServer: bool, hasStamp: bool, tcpFlags: i32): i32 {
  return kind | (toServer ? TO_SERVER : 0) | (seen << 5) | (hasStamp ? 128 : 0) | (ttl << 8) | (tcpFlags << 16);
}

function noteDuplicate(row: i32): void {
  const base = rowAt(row);
  store<i32>(base, load<i32>(base, ROW_STATE << 2) | STATE_DUPLICATES, ROW_STATE << 2);
}

/** Adds an event; false when only its packet is counted. */
function append(row: i32, info: i32, acknowledged: i32, stamp: i32, idLength: i32): bool {
  const base = rowAt(row);
  const segments = load<i32>(base, ROW_SEGMENTS << 2);
  store<i32>(base, segments + 1, ROW_SEGMENTS << 2);
  if (segments >= MAX_EVENTS) return false;
  const event = allocateEvent(row, load<u8>(base, ROW_EVENTS << 2));
  if (event === 0) return false;
  const at = eventAt(event);
  store<f64>(at, timeNs);
  store<i32>(at, frame, EVENT_FRAME << 2);
  store<i32>(at, info, EVENT_INFO << 2);
  store<i32>(at, seq, EVENT_SEQ << 2);
  store<i32>(at, acknowledged, EVENT_ACK << 2);
  store<i32>(at, stamp, EVENT_TSVAL << 2);
  store<i32>(at, idLength, EVENT_ID_LENGTH << 2);
  link(base, event);
  return true;
}

function link(base: i32, event: i32): void {
  const used: i32 = load<u8>(base, ROW_EVENTS << 2);
  if (used >= OWN_EVENTS) {
    chainBorrowed(event, 0);
    if (used === OWN_EVENTS) store<i32>(base, event, ROW_BORROWED << 2);
    else chainBorrowed(load<i32>(base, ROW_LAST_EVENT << 2), event);
  }
  store<i32>(base, event, ROW_LAST_EVENT << 2);
  store<u8>(base, used + 1, ROW_EVENTS << 2);
}

/** Address of the event of which a packet is another sighting; 0 when there is none. */
function findCopy(row: i32, info: i32, idLength: i32, stamp: i32, acknowledged: i32): i32 {
  const base = rowAt(row);
  if (timeNs - load<f64>(base, ROW_LAST_TIME << 2) > COPY_WITHIN_NS) return 0;
  const isAnswer = (info & 15) === KIND_SYN_ACK;
  const used: i32 = load<u8>(base, ROW_EVENTS << 2);
  let original = 0;
  let at = firstEventAt(base);
  for (let nth = 0; nth < used; at = nextEventAt(base, ++nth, at)) {
    const other = load<i32>(at, EVENT_INFO << 2);
    if (((other ^ info) & TO_SERVER) !== 0) {
      // A packet of the other side in between makes the second one an answer of its own, not another sighting.
      if (!isAnswer || (other & 15) === KIND_SYN) original = 0;
    } else if (
      load<i32>(at, EVENT_SEQ << 2) === seq &&
      load<i32>(at, EVENT_ACK << 2) === acknowledged &&
      load<i32>(at, EVENT_ID_LENGTH << 2) === idLength &&
      load<i32>(at, EVENT_TSVAL << 2) === stamp &&
      sameButTtl(other, info) &&
      abs<f64>(timeNs - load<f64>(at)) <= COPY_WITHIN_NS
    ) {
      original = at;
    }
  }
  return original;
}

/** Kind, direction and flags agree, and the TTLs are near; what the capture says of in and out may differ. */
function sameButTtl(a: i32, b: i32): bool {
  return ((a ^ b) & 0xff009f) === 0 && abs<i32>(((a >>> 8) & 255) - ((b >>> 8) & 255)) <= COPY_TTL_DISTANCE;
}
