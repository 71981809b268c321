// The life of attempts in the table: begun, counted, ended.
import {
  ROW_CLIENT,
  ROW_CLIENT_ISN,
  ROW_COUNTS,
  ROW_EVENTS,
  ROW_HASH,
  ROW_LAST_GAP,
  ROW_LAST_TIME,
  ROW_PORTS,
  ROW_SERVER,
  ROW_STATE,
  STATE_ANSWERED,
  STATE_CLOSED,
  STATE_CUT_OFF,
  STATE_IPV6,
  STATE_RST_CLIENT,
  STATE_RST_SERVER,
  STATE_SYN_MISSING,
  STATE_USED,
} from '../src/handshake/attempt-layout';
import { AT_ATTEMPTS, AT_EVICTED, AT_OPEN, AT_PEAK_OPEN, AT_ROW_END } from '../src/handshake/scan-layout';
import { indexRow, isOpen, nextFit, seek, unindexRow, warmIndex } from './flow-index';
import { allocateRow, keepLoads, keeps, releaseRow, rowAt, warmRelease } from './memory';
import { destination, encapsulation, hash, ipv6, ports, source, timeNs } from './segment';
import { settle, tallies, tally } from './tally';

/** Told when an attempt begins, and when it is over. */
declare function begun(row: i32, timeNs: f64): void;
declare function closed(row: i32): void;
/** Asked to end the older ones of the open attempts, as there is no room. */
declare function makeRoom(): void;

const SECOND: f64 = 1e9;
/** How often, in time of the capture, idle attempts are looked for, and how long that may be put off. */
const SWEEP_NS: f64 = 16 * SECOND;
const LONGEST_SWEEP_NS: f64 = 600 * SECOND;
/** An attempt that showed no life for so long is over; the longest gap between two SYNs of a Linux client is 33 s. */
const IDLE_NS: f64 = 64 * SECOND;
/** The same for an attempt that was reset: only copies and contradictions can follow. */
const IDLE_AFTER_RESET_NS: f64 = 10 * SECOND;
/** A first SYN is given this long before its silence counts: the largest initial timeout in use is 3 s (RFC 1122). */
const FIRST_SYN_WAIT_NS: f64 = 3.2 * SECOND;
/** A SYN-ACK is given this long: the initial timeout of RFC 6298 and some slack. */
const FIRST_SYN_ACK_WAIT_NS: f64 = 1.2 * SECOND;
/** No answer takes longer than this on a path that works. */
const LONG_ROUND_TRIP_NS: f64 = 0.6 * SECOND;
/** Rows of a sweep that are looked at before the first of them is ended: bits of a word. */
const SWEPT_AT_ONCE: i32 = 64;

let tellsBegin: bool = false;
let tellsEnd: bool = false;
let mostOpen: i32 = 0;
let nextSweepNs: f64 = -Infinity;
let lastSweepNs: f64 = -Infinity;
let attemptsAtSweep: f64 = 0;
/** Grows to {@link SWEEP_NS}. */
let sweepEveryNs: f64 = 1e6 + 0.5;

/** Set by {@link find}: whether the segment goes from the client to the server of the attempt that it found. */
export let fromClient: bool = true;

/** Says who is told of beginnings and ends, and how many attempts may be open. */
export function placeAttempts(tellBegin: bool, tellEnd: bool, open: i32): void {
  tellsBegin = tellBegin;
  tellsEnd = tellEnd;
  mostOpen = open;
}

/** The open attempt of the current segment; -1 when there is none. */
export function find(): i32 {
  const reversed = rotl<i32>(ports, 16);
  seek(hash);
  for (let row = nextFit(hash); row >= 0; row = nextFit(hash)) {
    const base = rowAt(row);
    if (((load<i32>(base, ROW_STATE << 2) & STATE_IPV6) !== 0) !== ipv6) continue;
    const rowPorts = load<i32>(base, ROW_PORTS << 2);
    const client = v128.load(base, ROW_CLIENT << 2);
    const server = v128.load(base, ROW_SERVER << 2);
    if (rowPorts === ports && isSame(client, source) && isSame(server, destination)) {
      fromClient = true;
      return row;
    }
    if (rowPorts === reversed && isSame(client, destination) && isSame(server, source)) {
      fromClient = false;
      return row;
    }
  }
  return -1;
}

@inline
function isSame(a: v128, b: v128): bool {
  return !v128.any_true(v128.xor(a, b));
}

/** Sets who is taken for the sender of the current segment. */
export function setFromClient(value: bool): void {
  fromClient = value;
}

/** Whether an attempt is that of a port with itself. */
export function isSelf(base: i32): bool {
  const rowPorts = load<i32>(base, ROW_PORTS << 2);
  return (
    rowPorts >>> 16 === (rowPorts & 0xffff) &&
    isSame(v128.load(base, ROW_CLIENT << 2), v128.load(base, ROW_SERVER << 2))
  );
}

/** Begins an attempt with the current segment; -1 when there is no room for it. */
export function begin(state: i32, clientIsn: i32): i32 {
  if (!keeps && load<i32>(AT_OPEN) >= mostOpen) makeRoom();
  let row = allocateRow();
  if (row < 0 && !keeps) {
    makeRoom();
    settle();
    row = allocateRow();
  }
  if (row < 0) {
    store<f64>(AT_EVICTED, load<f64>(AT_EVICTED) + 1);
    return -1;
  }
  const base = rowAt(row);
  const byServer = (state & STATE_SYN_MISSING) !== 0;
  store<i32>(base, STATE_USED | state | (ipv6 ? STATE_IPV6 : 0), ROW_STATE << 2);
  store<i32>(base, byServer ? rotl<i32>(ports, 16) : ports, ROW_PORTS << 2);
  v128.store(base, byServer ? destination : source, ROW_CLIENT << 2);
  v128.store(base, byServer ? source : destination, ROW_SERVER << 2);
  store<i32>(base, clientIsn, ROW_CLIENT_ISN << 2);
  store<i32>(base, encapsulation << 8, ROW_EVENTS << 2);
  store<i32>(base, hash, ROW_HASH << 2);
  indexRow(row, hash);
  store<f64>(AT_ATTEMPTS, load<f64>(AT_ATTEMPTS) + 1);
  const open = load<i32>(AT_OPEN);
  if (open > load<i32>(AT_PEAK_OPEN)) store<i32>(AT_PEAK_OPEN, open);
  if (tellsBegin) begun(row, timeNs);
  return row;
}

/** Ends an attempt. */
export function close(row: i32): void {
  unindexRow(row);
  if (tellsEnd) closed(row);
  setState(rowAt(row), STATE_CLOSED);
  if (tallies) tally(row);
  else releaseRow(row);
}

/** Adds flags to the state of a row at `base`. */
@inline
export function setState(base: i32, gained: i32): void {
  store<i32>(base, load<i32>(base, ROW_STATE << 2) | gained, ROW_STATE << 2);
}

/** Counts one more SYN (shift 0), SYN-ACK (8), ICMP error (16) or RST (24); each stops at 255. */
@inline
export function count(base: i32, shift: i32): void {
  const counts = load<i32>(base, ROW_COUNTS << 2);
  if (((counts >>> shift) & 255) < 255) store<i32>(base, counts + (1 << shift), ROW_COUNTS << 2);
}

/** Notes that an attempt showed life. */
@inline
export function touch(base: i32): void {
  store<f64>(base, timeNs, ROW_LAST_TIME << 2);
}

/** Ends idle attempts when it is time to look for them. */
@inline
export function sweepWhenDue(): void {
  if (timeNs >= nextSweepNs) sweep();
}

function sweep(): void {
  const nowNs = timeNs;
  nextSweepNs = nowNs + sweepEveryNs;
  if (sweepEveryNs < SWEEP_NS) sweepEveryNs *= 2;
  // A sweep walks every row, so it waits for work in proportion, but not for ever.
  const attempts = load<f64>(AT_ATTEMPTS);
  const end = load<i32>(AT_ROW_END);
  if ((attempts - attemptsAtSweep) * 64 < end && nowNs - lastSweepNs < LONGEST_SWEEP_NS) return;
  attemptsAtSweep = attempts;
  lastSweepNs = nowNs;
  for (let first = 0; first < end; first += SWEPT_AT_ONCE) closeRows(first, min(end, first + SWEPT_AT_ONCE), nowNs, false);
}

/** Ends all open attempts, as the capture is over at `endNs`: those that could not be expected to show more yet are cut off. */
export function closeAll(endNs: f64): void {
  const end = load<i32>(AT_ROW_END);
  for (let first = 0; first < end; first += SWEPT_AT_ONCE) closeRows(first, min(end, first + SWEPT_AT_ONCE), endNs, true);
}

/** Ends the attempts among some rows that are idle, or all: they are found first, so that they wait for memory together. */
function closeRows(from: i32, to: i32, nowNs: f64, isEnd: bool): void {
  let found: u64 = 0;
  let warm = 0;
  for (let row = from; row < to; row++) {
    if (!isOpen(row)) continue;
    if (isEnd) {
      const base = rowAt(row);
      if (nowNs - load<f64>(base, ROW_LAST_TIME << 2) < patienceNs(base)) setState(base, STATE_CUT_OFF);
    } else if (!isOver(row, nowNs)) {
      continue;
    }
    found |= <u64>1 << (row - from);
    warm += warmIndex(row) + warmRelease(rowAt(row));
  }
  for (; found !== 0; found &= found - 1) close(from + <i32>ctz<u64>(found));
  keepLoads(warm);
}

/**
 * How long the attempt at `base` may be quiet before its silence says something: the initial timeout of the side that waits, and once
 * that side has repeated itself, which shows that the timeout was over, only the time of a long round trip.
 */
export function patienceNs(base: i32): f64 {
  const counts = load<i32>(base, ROW_COUNTS << 2);
  const answered = (load<i32>(base, ROW_STATE << 2) & STATE_ANSWERED) !== 0;
  if ((answered ? (counts >>> 8) & 255 : counts & 255) > 1) return LONG_ROUND_TRIP_NS;
  return answered ? FIRST_SYN_ACK_WAIT_NS : FIRST_SYN_WAIT_NS;
}

/** Whether an attempt was quiet for so long that nothing more of it is to come. */
@inline
function isOver(row: i32, nowNs: f64): bool {
  const base = rowAt(row);
  const idle = nowNs - load<f64>(base, ROW_LAST_TIME << 2);
  const reset = (load<i32>(base, ROW_STATE << 2) & (STATE_RST_SERVER | STATE_RST_CLIENT)) !== 0;
  if (idle <= (reset ? IDLE_AFTER_RESET_NS : IDLE_NS)) return false;
  return idle > 2.5 * <f64>load<f32>(base, ROW_LAST_GAP << 2);
}
