// Notes the packets of an attempt, one event each, and tells a packet from another sighting of one that was noted already.
import {
  ACK_FORM,
  EVENT_ACK,
  EVENT_ADDRESS,
  EVENT_FRAME,
  EVENT_ID_LENGTH,
  EVENT_INFO,
  EVENT_SEQ,
  EVENT_TIME,
  EVENT_TSVAL,
  FORM_INITIAL,
  FORM_NEXT,
  FORM_TOLD,
  FORM_ZERO,
  KIND_ADDRESS,
  KIND_ICMP,
  KIND_NUMBERS,
  KIND_SYN,
  KIND_SYN_ACK,
  MAX_EVENTS,
  OWN_EVENTS,
  ROW_BORROWED,
  ROW_CLIENT_ISN,
  ROW_EVENTS,
  ROW_LAST_EVENT,
  ROW_LAST_TIME,
  ROW_SEGMENTS,
  ROW_SERVER_ISN,
  ROW_STATE,
  SEQ_FORM,
  STATE_ANSWERED,
  STATE_DUPLICATES,
} from '../src/handshake/attempt-layout';
import { AT_SENDER } from '../src/handshake/scan-layout';
import { allocateEvent, chainBorrowed, earlierBorrowed, eventAt, nthEventAt, releaseEvent, rowAt } from './memory';
import { ack, flags, frame, hasTsval, ipId, payloadBytes, seen, seq, timeNs, tsval, ttl } from './segment';

/** Two sightings of one packet (veth pair, `-i any`, SPAN) lie closer together than any retransmission. */
const COPY_WITHIN_NS: f64 = 50e6;
/** A copy seen at another interface of a router has crossed a few hops at most. */
const COPY_TTL_DISTANCE: i32 = 4;
/** The bit of an event's info that says that the packet goes to the server. */
export const TO_SERVER: i32 = 16;
/** One copy, and the most, in an event's info. */
const COPY: i32 = 1 << 28;
const MOST_COPIES: u32 = 0xf0000000;

/** Notes the current segment. Returns false when it is only another copy of a packet that was noted already. */
export function addSegmentEvent(row: i32, kind: i32, toServer: bool): bool {
  if (isCopy(row, kind, toServer)) return false;
  addNewEvent(row, kind, toServer);
  return true;
}

/** Notes the current segment, of which {@link isCopy} knows that it is no copy. */
export function addNewEvent(row: i32, kind: i32, toServer: bool): void {
  append(row, packInfo(kind, toServer, hasTsval, flags), ack, hasTsval ? tsval : 0, packIdLength());
}

/** Whether the current segment is only another copy of a packet that was noted already. If so, it is counted as such. */
export function isCopy(row: i32, kind: i32, toServer: bool): bool {
  const info = packInfo(kind, toServer, hasTsval, flags);
  const original = findCopy(row, info, packIdLength(), hasTsval ? tsval : 0, ack);
  if (original === 0) return false;
  const known = load<i32>(original, EVENT_INFO << 2);
  if (<u32>known < MOST_COPIES) store<i32>(original, known + COPY, EVENT_INFO << 2);
  noteDuplicate(row);
  return true;
}

@inline
function packIdLength(): i32 {
  return (ipId << 16) | min(payloadBytes, 0xffff);
}

/** Notes an ICMP error about the current segment; its copies are told apart by time alone. */
export function addIcmpEvent(row: i32, typeCode: i32, toServer: bool): bool {
  const info = packInfo(KIND_ICMP, toServer, false, 0);
  const idLength = ipId << 16;
  if (findCopy(row, info, idLength, typeCode, 0) !== 0) {
    noteDuplicate(row);
    return false;
  }
  append(row, info, 0, typeCode, idLength);
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

/** Adds an event, and what belongs to it; when there is no room, its packet is only counted. */
function append(row: i32, info: i32, acknowledged: i32, stamp: i32, idLength: i32): void {
  const base = rowAt(row);
  const segments = load<i32>(base, ROW_SEGMENTS << 2);
  store<i32>(base, segments + 1, ROW_SEGMENTS << 2);
  if (segments >= MAX_EVENTS) return;
  const used: i32 = load<u8>(base, ROW_EVENTS << 2);
  const event = allocateEvent(row, used);
  if (event === 0) return;
  const ofClient = isOfClient(info);
  const seqForm = formOf(base, seq, ofClient);
  const ackForm = formOf(base, acknowledged, !ofClient);
  let numbers = 0;
  let sender = 0;
  if (seqForm === FORM_TOLD || ackForm === FORM_TOLD) {
    numbers = allocateEvent(row, used + 1);
    if (numbers === 0) {
      releaseEvent(event, used);
      return;
    }
  }
  if ((info & 15) === KIND_ICMP && !isKnownSender(base)) {
    const before = used + 1 + i32(numbers !== 0);
    sender = allocateEvent(row, before);
    if (sender === 0) {
      if (numbers !== 0) releaseEvent(numbers, used + 1);
      releaseEvent(event, used);
      return;
    }
  }
  const at = eventAt(event);
  store<i32>(at, info | (seqForm << SEQ_FORM) | (ackForm << ACK_FORM), EVENT_INFO << 2);
  store<i32>(at, frame, EVENT_FRAME << 2);
  store<f64>(at, timeNs, EVENT_TIME << 2);
  store<i32>(at, stamp, EVENT_TSVAL << 2);
  store<i32>(at, idLength, EVENT_ID_LENGTH << 2);
  link(base, event);
  if (numbers !== 0) {
    const told = eventAt(numbers);
    store<i32>(told, KIND_NUMBERS | (info & TO_SERVER), EVENT_INFO << 2);
    store<i32>(told, seq, EVENT_SEQ << 2);
    store<i32>(told, acknowledged, EVENT_ACK << 2);
    link(base, numbers);
  }
  if (sender !== 0) {
    const told = eventAt(sender);
    store<i32>(told, KIND_ADDRESS | (info & TO_SERVER), EVENT_INFO << 2);
    v128.store(told, v128.load(AT_SENDER), EVENT_ADDRESS << 2);
    link(base, sender);
  }
}

/**
 * Whether an ICMP error comes from where the first one of the row at `base` came from, which is not noted again: an error is repeated
 * with each SYN. It is only looked for among the row's own events.
 */
function isKnownSender(base: i32): bool {
  const used = min<i32>(load<u8>(base, ROW_EVENTS << 2), OWN_EVENTS);
  for (let nth = 0; nth < used; nth++) {
    const at = nthEventAt(base, nth, used);
    if ((load<i32>(at, EVENT_INFO << 2) & 15) !== KIND_ADDRESS) continue;
    return !v128.any_true(v128.xor(v128.load(at, EVENT_ADDRESS << 2), v128.load(AT_SENDER)));
  }
  return false;
}

/** Whether a sequence number is one of the client: that of an ICMP error is quoted from a packet that went the other way. */
@inline
function isOfClient(info: i32): bool {
  return ((info & TO_SERVER) !== 0) !== ((info & 15) === KIND_ICMP);
}

/** How a sequence number of the client or the server is noted. The initial one of the server is only known for good with its answer. */
function formOf(base: i32, number: i32, ofClient: bool): i32 {
  if (number === 0) return FORM_ZERO;
  if (!ofClient && (load<i32>(base, ROW_STATE << 2) & STATE_ANSWERED) === 0) return FORM_TOLD;
  const ahead = number - initial(base, ofClient);
  return ahead === 0 ? FORM_INITIAL : ahead === 1 ? FORM_NEXT : FORM_TOLD;
}

@inline
function initial(base: i32, ofClient: bool): i32 {
  return ofClient ? load<i32>(base, ROW_CLIENT_ISN << 2) : load<i32>(base, ROW_SERVER_ISN << 2);
}

/** Whether a number that is noted as `form` says, or in a `word` of the event that tells numbers, is `wanted`. */
function isNumber(base: i32, form: i32, ofClient: bool, told: i32, word: i32, wanted: i32): bool {
  if (form === FORM_ZERO) return wanted === 0;
  if (form === FORM_TOLD) return load<i32>(told + (word << 2)) === wanted;
  return initial(base, ofClient) + (form === FORM_NEXT ? 1 : 0) === wanted;
}

function link(base: i32, event: i32): void {
  const used: i32 = load<u8>(base, ROW_EVENTS << 2);
  if (used >= OWN_EVENTS) {
    chainBorrowed(event, used === OWN_EVENTS ? 0 : load<i32>(base, ROW_LAST_EVENT << 2));
    if (used === OWN_EVENTS) store<i32>(base, event, ROW_BORROWED << 2);
  }
  store<i32>(base, event, ROW_LAST_EVENT << 2);
  store<u8>(base, used + 1, ROW_EVENTS << 2);
}

/**
 * Address of the event of which a packet is another sighting; 0 when there is none. The latest events are looked at first: most attempts
 * that have many were quiet before.
 */
function findCopy(row: i32, info: i32, idLength: i32, stamp: i32, acknowledged: i32): i32 {
  const base = rowAt(row);
  if (timeNs - load<f64>(base, ROW_LAST_TIME << 2) > COPY_WITHIN_NS) return 0;
  const isAnswer = (info & 15) === KIND_SYN_ACK;
  const ofClient = isOfClient(info);
  const used: i32 = load<u8>(base, ROW_EVENTS << 2);
  let event = load<i32>(base, ROW_LAST_EVENT << 2);
  let told = 0;
  for (let nth = used - 1; nth >= 0; nth--) {
    const isOwn = nth < OWN_EVENTS;
    const at = isOwn ? nthEventAt(base, nth, used) : eventAt(event);
    if (!isOwn) event = earlierBorrowed(event);
    const other = load<i32>(at, EVENT_INFO << 2);
    const kind = other & 15;
    if (((other ^ info) & TO_SERVER) !== 0) {
      // A packet of the other side in between makes the second one an answer of its own, not another sighting.
      if (!isAnswer || kind === KIND_SYN) return 0;
    } else if (kind === KIND_NUMBERS) {
      told = at;
    } else if (kind !== KIND_ADDRESS) {
      const afterNs = timeNs - load<f64>(at, EVENT_TIME << 2);
      if (afterNs > COPY_WITHIN_NS) return 0;
      if (
        load<i32>(at, EVENT_ID_LENGTH << 2) === idLength &&
        load<i32>(at, EVENT_TSVAL << 2) === stamp &&
        sameButTtl(other, info) &&
        afterNs >= -COPY_WITHIN_NS &&
        isNumber(base, (other >>> SEQ_FORM) & 3, ofClient, told, EVENT_SEQ, seq) &&
        isNumber(base, (other >>> ACK_FORM) & 3, !ofClient, told, EVENT_ACK, acknowledged)
      ) {
        return at;
      }
    }
  }
  return 0;
}

/** Kind, direction and flags agree, and the TTLs are near; what the capture says of in and out may differ. */
function sameButTtl(a: i32, b: i32): bool {
  return ((a ^ b) & 0xff009f) === 0 && abs<i32>(((a >>> 8) & 255) - ((b >>> 8) & 255)) <= COPY_TTL_DISTANCE;
}
