// Groups the segments of TCP handshakes into attempts (RFC 9293 section 3.5). It is given only packets that can matter: SYNs, packets
// whose flow may be in the index, and ICMP errors.
import {
  KIND_ACK,
  KIND_DATA,
  KIND_FIN,
  KIND_OTHER,
  KIND_RST,
  KIND_SYN,
  KIND_SYN_ACK,
  ROW_CLIENT_ISN,
  ROW_CLIENT_OPTIONS,
  ROW_COUNTS,
  ROW_LAST_GAP,
  ROW_LAST_TIME,
  ROW_SERVER_ISN,
  ROW_SERVER_OPTIONS,
  ROW_STATE,
  ROW_WINDOWS,
  STATE_ACKED,
  STATE_ANSWER_CHANGED,
  STATE_ANSWER_MISSING,
  STATE_ANSWERED,
  STATE_CHALLENGED,
  STATE_DATA_CLIENT,
  STATE_DATA_REPEATED,
  STATE_DATA_UNHEARD,
  STATE_DISPLACED,
  STATE_FAST_OPEN,
  STATE_ICMP,
  STATE_PROVED,
  STATE_REFUSED,
  STATE_REPEATED_AFTER_ACK,
  STATE_RST_AFTER_ACK,
  STATE_RST_CLIENT,
  STATE_RST_SERVER,
  STATE_SERVER_SEEN,
  STATE_SIMULTANEOUS,
  STATE_SYN_MISSING,
  STATE_WRONG_ACK,
} from '../src/handshake/attempt-layout';
import { AT_STRAY_ICMP } from '../src/handshake/scan-layout';
import {
  begin,
  close,
  count,
  find,
  fromClient,
  isSelf,
  setFromClient,
  setState,
  sweepWhenDue,
  touch,
} from './attempts';
import { addIcmpEvent, addNewEvent, addSegmentEvent, isCopy } from './events';
import { rowAt } from './memory';
import { ACK, ack, FIN, flags, options, payloadBytes, RST, SYN, seq, timeNs, windowBytes } from './segment';

/** A SYN in the opposite direction within this time is a simultaneous open, later it is a new attempt. */
const SIMULTANEOUS_NS: f64 = 10e9;

/** Takes the current segment. */
export function takeSegment(): void {
  sweepWhenDue();
  const found = find();
  if ((flags & SYN) !== 0) {
    if ((flags & RST) !== 0) return;
    if ((flags & ACK) !== 0) synAck(found);
    else syn(found);
  } else if (found >= 0) {
    if ((flags & RST) !== 0) reset(found);
    else if (fromClient) clientSegment(found);
    else serverSegment(found);
  }
}

/** Takes an ICMP error that quotes the current segment. */
export function takeIcmp(typeCode: i32, hasSeq: bool, advisory: bool): void {
  const row = find();
  if (row < 0) {
    store<f64>(AT_STRAY_ICMP, load<f64>(AT_STRAY_ICMP) + 1);
    return;
  }
  const base = rowAt(row);
  const ofClient = fromClient;
  if (hasSeq) {
    const ahead = seq - (ofClient ? load<i32>(base, ROW_CLIENT_ISN << 2) : load<i32>(base, ROW_SERVER_ISN << 2));
    if (ahead < 0 || ahead > 1) return;
  }
  if (!addIcmpEvent(row, typeCode, !ofClient)) return;
  count(base, 16);
  if (ofClient && !advisory) setState(base, STATE_ICMP);
  touch(base);
}

function syn(found: i32): void {
  if (found >= 0) {
    const base = rowAt(found);
    const state = load<i32>(base, ROW_STATE << 2);
    if (fromClient) {
      if (load<i32>(base, ROW_CLIENT_ISN << 2) === seq) {
        addSyn(found);
        return;
      }
    } else if (
      (state & (STATE_ANSWERED | STATE_RST_SERVER)) === 0 &&
      timeNs - load<f64>(base, ROW_LAST_TIME << 2) < SIMULTANEOUS_NS
    ) {
      setState(base, STATE_SIMULTANEOUS | STATE_SERVER_SEEN);
      store<i32>(base, seq, ROW_SERVER_ISN << 2);
      store<i32>(base, options, ROW_SERVER_OPTIONS << 2);
      addSegmentEvent(found, KIND_SYN, false);
      touch(base);
      return;
    }
    setState(base, STATE_DISPLACED);
    close(found);
  }
  const row = begin(0, seq);
  if (row >= 0) addSyn(row);
}

function addSyn(row: i32): void {
  const base = rowAt(row);
  const previous = load<f64>(base, ROW_LAST_TIME << 2);
  if (!addSegmentEvent(row, KIND_SYN, true)) return;
  if ((load<i32>(base, ROW_COUNTS << 2) & 255) === 0) {
    store<i32>(base, load<i32>(base, ROW_STATE << 2) & ~STATE_SYN_MISSING, ROW_STATE << 2);
    store<i32>(base, options, ROW_CLIENT_OPTIONS << 2);
    store<i32>(base, (load<i32>(base, ROW_WINDOWS << 2) & 0xffff) | (windowBytes << 16), ROW_WINDOWS << 2);
  } else {
    store<f32>(base, <f32>max<f64>(0, timeNs - previous), ROW_LAST_GAP << 2);
  }
  if (payloadBytes > 0) setState(base, STATE_FAST_OPEN);
  count(base, 0);
  touch(base);
}

function synAck(found: i32): void {
  let row = found;
  if (row < 0) {
    row = begin(STATE_SYN_MISSING, ack - 1);
    if (row < 0) return;
    setFromClient(false);
  }
  const base = rowAt(row);
  const state = load<i32>(base, ROW_STATE << 2);
  // A connection of a port with itself (a simultaneous open of one socket): its SYN-ACK answers its own SYN.
  if (fromClient && isSelf(base)) setFromClient(false);
  if (fromClient) {
    const answersSyn = (state & STATE_SIMULTANEOUS) !== 0;
    if (addSegmentEvent(row, answersSyn ? KIND_SYN_ACK : KIND_OTHER, true) && answersSyn) setState(base, STATE_ACKED);
    touch(base);
    return;
  }
  if (isCopy(row, KIND_SYN_ACK, false)) return;
  let gained = STATE_SERVER_SEEN;
  if (acknowledgesSyn(base)) {
    if ((state & STATE_ANSWERED) === 0) {
      store<i32>(base, seq, ROW_SERVER_ISN << 2);
      store<i32>(base, options, ROW_SERVER_OPTIONS << 2);
      store<i32>(base, (load<i32>(base, ROW_WINDOWS << 2) & ~0xffff) | windowBytes, ROW_WINDOWS << 2);
      // A RST before the answer that did not end the attempt says nothing of what follows the answer.
      if ((state & STATE_REFUSED) === 0) {
        store<i32>(base, load<i32>(base, ROW_STATE << 2) & ~(STATE_RST_CLIENT | STATE_RST_SERVER), ROW_STATE << 2);
      }
    } else if (load<i32>(base, ROW_SERVER_ISN << 2) !== seq) {
      gained |= STATE_ANSWER_CHANGED;
    }
    gained |= STATE_ANSWERED;
    if ((state & STATE_ACKED) !== 0 && (state & STATE_SIMULTANEOUS) === 0) gained |= STATE_REPEATED_AFTER_ACK;
    count(base, 8);
  } else {
    gained |= STATE_WRONG_ACK;
  }
  setState(base, gained);
  addNewEvent(row, KIND_SYN_ACK, false);
  touch(base);
}

function reset(row: i32): void {
  const base = rowAt(row);
  if (!addSegmentEvent(row, KIND_RST, fromClient)) return;
  const state = load<i32>(base, ROW_STATE << 2);
  let gained = fromClient ? STATE_RST_CLIENT : STATE_RST_SERVER | STATE_SERVER_SEEN;
  if (!fromClient) {
    if ((state & STATE_ACKED) !== 0) gained |= STATE_RST_AFTER_ACK;
    else if ((state & STATE_ANSWERED) === 0 && isAcceptableReset(base)) gained |= STATE_REFUSED;
  }
  setState(base, gained);
  count(base, 24);
  touch(base);
}

/** In SYN-SENT only a RST that acknowledges the SYN counts (RFC 9293 section 3.10.7.3). */
function isAcceptableReset(base: i32): bool {
  return (flags & ACK) !== 0 && acknowledgesSyn(base);
}

function clientSegment(row: i32): void {
  const base = rowAt(row);
  const state = load<i32>(base, ROW_STATE << 2);
  if ((flags & ACK) === 0) return;
  const answered = (state & STATE_ANSWERED) !== 0;
  const afterIsn = seq - load<i32>(base, ROW_CLIENT_ISN << 2);
  if (afterIsn < 1) return;
  if (answered && ack - load<i32>(base, ROW_SERVER_ISN << 2) < 1) return;
  const kind = (flags & FIN) !== 0 ? KIND_FIN : payloadBytes > 0 ? KIND_DATA : KIND_ACK;
  const moreData = (state & STATE_DATA_CLIENT) !== 0 && kind === KIND_DATA;
  if (moreData && afterIsn !== 1 && (state & STATE_REPEATED_AFTER_ACK) === 0) return;
  if (!addSegmentEvent(row, kind, true)) return;
  let gained = answered ? STATE_ACKED : STATE_ANSWER_MISSING;
  if (moreData && afterIsn === 1) {
    gained |= (state & STATE_DATA_REPEATED) === 0 ? STATE_DATA_REPEATED : STATE_DATA_UNHEARD;
  }
  if (kind !== KIND_ACK) gained |= STATE_DATA_CLIENT;
  setState(base, gained);
  touch(base);
}

function serverSegment(row: i32): void {
  const base = rowAt(row);
  const state = load<i32>(base, ROW_STATE << 2);
  if ((flags & ACK) === 0) return;
  const ahead = ack - load<i32>(base, ROW_CLIENT_ISN << 2);
  const answered = (state & STATE_ANSWERED) !== 0;
  // In SYN-RECEIVED a server answers an ACK that it does not take with a bare one of its own (tcp_check_req, Linux 6.18).
  const isBare = payloadBytes === 0 && (flags & FIN) === 0;
  if (answered && ahead === 1 && isBare) {
    if (addSegmentEvent(row, KIND_ACK, false)) touch(base);
    return;
  }
  if (answered ? ahead >= 1 : ahead === 1 || (ahead > 1 && (state & STATE_ANSWER_MISSING) !== 0)) {
    const fastOpen = (state & STATE_FAST_OPEN) !== 0 && (state & STATE_ACKED) === 0;
    setState(base, STATE_SERVER_SEEN | (fastOpen ? 0 : STATE_PROVED));
    if (!fastOpen) close(row);
    return;
  }
  if (answered) return;
  if (!addSegmentEvent(row, KIND_ACK, false)) return;
  setState(base, STATE_CHALLENGED | STATE_SERVER_SEEN);
  touch(base);
}

/** Whether the acknowledgement number covers the SYN, or with Fast Open the SYN and some of its data (RFC 7413). */
function acknowledgesSyn(base: i32): bool {
  const ahead = ack - load<i32>(base, ROW_CLIENT_ISN << 2);
  return ahead === 1 || (ahead > 1 && ahead <= 65536 && (load<i32>(base, ROW_STATE << 2) & STATE_FAST_OPEN) !== 0);
}
