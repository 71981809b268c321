// Counts attempts as they end: by outcome, by server, and in groups of those that ended alike.
import {
  EVENT_ADDRESS,
  EVENT_INFO,
  EVENT_TIME,
  EVENT_TSVAL,
  KIND_ADDRESS,
  KIND_ICMP,
  KIND_NUMBERS,
  KIND_RST,
  ROW_COUNTS,
  ROW_EVENTS,
  ROW_LAST_TIME,
  ROW_STATE,
  STATE_ACKED,
  STATE_ANSWERED,
  STATE_CHALLENGED,
  STATE_RST_CLIENT,
  STATE_WRONG_ACK,
} from '../src/handshake/attempt-layout';
import {
  AT_HOPS,
  AT_LATE,
  AT_OMITTED,
  AT_OUTCOMES,
  AT_RULES,
  AT_TRAITS,
  AT_WAITING,
  GROUP_OUTCOME,
  GROUP_SERVER,
  GROUP_VARIANT,
  MOST_WAITING,
  RULE_BYTES,
  TRAIT_BY_ERROR,
  TRAIT_BY_RESET,
  TRAIT_ESTABLISHED,
  TRAIT_FAILURE,
  WAITING_GROUPED,
  WAITING_ROW,
} from '../src/handshake/tally-layout';
import { TO_SERVER } from './events';
import { addToGroup, placeGroups, warmClient, warmGroup, warmSlot } from './groups';
import { firstEventAt, keepLoads, nthEventAt, releaseRow, rowAt } from './memory';
import { noteAttempt, placeServers, serverOf, warmServer } from './servers';

/** Says whether an attempt is counted at all. */
declare function passes(row: i32): bool;
/** Told of an attempt that is to be shown by itself, and of the number of its server. */
declare function show(row: i32, server: i32): void;

/** State flags that change what a group's sentence says. */
const TELLING_FLAGS: i32 = STATE_ACKED | STATE_ANSWERED | STATE_CHALLENGED | STATE_WRONG_ACK | STATE_RST_CLIENT;

/** Whether anything is counted. */
export let tallies: bool = false;
/** Whether {@link passes} is asked. */
let asks: bool = false;
let all: bool = false;
let failedOnly: bool = false;
/** How many more attempts may be shown. */
let room: i32 = 0;
/** How many attempts are put aside. */
let waiting: i32 = 0;

/**
 * Begins to count: says where the tables lie, what is wanted (established attempts as well, or failed ones only), how many are shown, and
 * whether the caller is asked what is counted.
 */
export function placeTally(at: i32, wantsAll: bool, wantsFailed: bool, limit: i32, asksFirst: bool): void {
  tallies = true;
  asks = asksFirst;
  all = wantsAll;
  failedOnly = wantsFailed;
  room = limit;
  placeServers(at);
  placeGroups(at);
}

/**
 * Takes an attempt that is over, and gives its row back unless it is kept as an example. That is done for several attempts at a time, step
 * by step, with what the next step needs loaded before: groups lie all over a memory that no cache holds.
 */
export function tally(row: i32): void {
  store<i32>(waitingAt(waiting++), row, WAITING_ROW << 2);
  if (waiting === MOST_WAITING) settle();
}

/** Counts what {@link tally} has put aside. */
export function settle(): void {
  const count = waiting;
  if (count === 0) return;
  waiting = 0;
  let warm = 0;
  for (let i = 0; i < count; i++) warm += warmServer(rowAt(load<i32>(waitingAt(i), WAITING_ROW << 2)));
  for (let i = 0; i < count; i++) {
    const entry = waitingAt(i);
    const grouped = countOne(load<i32>(entry, WAITING_ROW << 2), entry);
    store<i32>(entry, i32(grouped), WAITING_GROUPED << 2);
    if (grouped) warm += warmSlot(entry);
  }
  for (let i = 0; i < count; i++) {
    const entry = waitingAt(i);
    if (load<i32>(entry, WAITING_GROUPED << 2) !== 0) warm += warmGroup(entry);
  }
  for (let i = 0; i < count; i++) {
    const entry = waitingAt(i);
    if (load<i32>(entry, WAITING_GROUPED << 2) !== 0) warm += warmClient(entry, rowAt(load<i32>(entry, WAITING_ROW << 2)));
  }
  for (let i = 0; i < count; i++) {
    const entry = waitingAt(i);
    const row = load<i32>(entry, WAITING_ROW << 2);
    const grouped = load<i32>(entry, WAITING_GROUPED << 2) !== 0;
    if (!grouped || !addToGroup(row, entry, startOf(row), load<f64>(rowAt(row), ROW_LAST_TIME << 2))) releaseRow(row);
  }
  keepLoads(warm);
}

@inline
function waitingAt(nth: i32): i32 {
  return AT_WAITING + (nth << 5);
}

@inline
function startOf(row: i32): f64 {
  return load<f64>(firstEventAt(rowAt(row)), EVENT_TIME << 2);
}

/** Counts an attempt by itself. Returns whether it belongs to a group; the key of that is then at `key`. */
function countOne(row: i32, key: i32): bool {
  if (asks && !passes(row)) return false;
  const base = rowAt(row);
  const state = load<i32>(base, ROW_STATE << 2);
  const outcome = outcomeOf(state);
  addOne(AT_OUTCOMES + (outcome << 3));
  const traits: i32 = load<u8>(AT_TRAITS + outcome);
  const established = (traits & TRAIT_ESTABLISHED) !== 0;
  const failure = (traits & TRAIT_FAILURE) !== 0;
  const server = serverOf(base);
  noteAttempt(server, base, established);
  const counts = load<i32>(base, ROW_COUNTS << 2);
  const late = established && ((counts & 255) > 1 || ((counts >>> 8) & 255) > 1);
  if (late) addOne(AT_LATE);
  if (failure || (!failedOnly && (all || !established))) {
    if (room > 0) {
      room--;
      show(row, server);
    } else {
      addOne(AT_OMITTED);
    }
  }
  if (!failure && (failedOnly || (established && !late))) return false;
  store<i32>(key, server, GROUP_SERVER << 2);
  store<i32>(key, outcome, GROUP_OUTCOME << 2);
  store<i32>(key, late ? 0 : variantOf(base, state, traits), GROUP_VARIANT << 2);
  return true;
}

/** How an attempt ended, by its state flags: the rules are those of `outcome.ts`, of which the last one always fits. */
function outcomeOf(state: i32): i32 {
  let rule = AT_RULES;
  while ((state & load<i32>(rule)) !== load<i32>(rule) || (state & load<i32>(rule, 4)) !== 0) rule += RULE_BYTES;
  return load<i32>(rule, 8);
}

@inline
function addOne(at: i32): void {
  store<f64>(at, load<f64>(at) + 1);
}

/** Tells attempts apart that ended with the same outcome at the same server, where another sentence is due. */
function variantOf(base: i32, state: i32, traits: i32): i32 {
  if ((traits & TRAIT_BY_ERROR) !== 0) return errorVariant(base);
  const telling = state & TELLING_FLAGS;
  return (traits & TRAIT_BY_RESET) !== 0 ? telling ^ resetHops(base) : telling;
}

/** Routers that the first RST of the server crossed, and one: one that a middlebox made has crossed fewer. */
function resetHops(base: i32): i32 {
  const used: i32 = load<u8>(base, ROW_EVENTS << 2);
  for (let nth = 0; nth < used; nth++) {
    const at = nthEventAt(base, nth, used);
    const info = load<i32>(at, EVENT_INFO << 2);
    if ((info & (15 | TO_SERVER)) === KIND_RST) return load<u8>(AT_HOPS + ((info >>> 8) & 255));
  }
  return 0;
}

/** Tells ICMP errors apart by type, code and sender. */
function errorVariant(base: i32): i32 {
  const used: i32 = load<u8>(base, ROW_EVENTS << 2);
  for (let nth = 0; nth < used; nth++) {
    const at = nthEventAt(base, nth, used);
    if ((load<i32>(at, EVENT_INFO << 2) & 15) !== KIND_ICMP) continue;
    const hash = <i32>(load<u32>(at, EVENT_TSVAL << 2) >>> 16);
    while (++nth < used) {
      const behind = nthEventAt(base, nth, used);
      const kind = load<i32>(behind, EVENT_INFO << 2) & 15;
      if (kind === KIND_ADDRESS) return mixWords(hash, behind + (EVENT_ADDRESS << 2));
      if (kind !== KIND_NUMBERS) break;
    }
    return hash;
  }
  return 0;
}

function mixWords(hash: i32, at: i32): i32 {
  for (let word = 0; word < 16; word += 4) hash = (hash ^ load<i32>(at + word)) * <i32>0x9e3779b1;
  return hash;
}
