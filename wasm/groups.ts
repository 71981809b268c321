// Groups of attempts to one server that ended alike.
import { ROW_CLIENT, ROW_COUNTS, ROW_EVENTS, ROW_SEGMENTS, ROW_STATE, STATE_DUPLICATES } from '../src/handshake/attempt-layout';
import {
  AT_GROUPS,
  AT_UNION,
  ESTIMATE_BYTES,
  ESTIMATES_OFFSET,
  EXACT_CLIENTS,
  FULL_GROUPS,
  GROUP,
  GROUP_CLARITIES,
  GROUP_CLIENTS,
  GROUP_COUNT,
  GROUP_EXAMPLE,
  GROUP_EXAMPLES,
  GROUP_FIRST,
  GROUP_KEY,
  GROUP_KNOWN,
  GROUP_LAST,
  GROUP_OUTCOME,
  GROUP_SERVER,
  GROUP_SINGLE,
  GROUP_SLOTS_OFFSET,
  GROUP_VARIANT,
  GROUPS_OFFSET,
  MAX_EXAMPLES,
  MAX_GROUPS,
  REGISTER_BITS,
  WORD_REGISTERS,
} from '../src/handshake/tally-layout';
import { releaseRow, rowAt } from './memory';
import { ProbeTable } from './probe-table';
import { foldIpv6 } from './segment';

const groups = changetype<ProbeTable>(AT_GROUPS);
/** Address of the registers of the first estimate, and how many estimates there are. */
let estimatesAt: i32 = 0;
let estimates: i32 = 0;

/** Says where the tables lie. */
export function placeGroups(at: i32): void {
  groups.place(at + GROUP_SLOTS_OFFSET, at + GROUPS_OFFSET, GROUP, MAX_GROUPS, GROUP_KEY);
  estimatesAt = at + ESTIMATES_OFFSET;
}

@inline
function hashOf(key: i32): i32 {
  const server = load<i32>(key, GROUP_SERVER << 2);
  const variant = load<i32>(key, GROUP_VARIANT << 2);
  return (server * <i32>0x9e3779b1) ^ (variant * <i32>0xc2b2ae35) ^ load<i32>(key, GROUP_OUTCOME << 2);
}

/** Loads where a group is looked for, so that it lies in the processor's cache; `key` is where its server, outcome and variant are. */
export function warmSlot(key: i32): i32 {
  return groups.guess(hashOf(key));
}

/** Loads what {@link addToGroup} needs of a group, which is looked for where {@link warmSlot} did. */
export function warmGroup(key: i32): i32 {
  const at = groups.guess(hashOf(key));
  return load<i32>(at) + load<i32>(at, 64) + load<i32>(at, 128);
}

/** Loads the register that a client of a group is counted in, if its clients are only estimated. */
export function warmClient(key: i32, base: i32): i32 {
  const known = load<i32>(groups.guess(hashOf(key)), GROUP_KNOWN << 2);
  return known < 0 ? load<i32>(registerIn(estimateAt(~known), hashClient(clientOf(base)))) : 0;
}

/**
 * Adds an ended attempt, from its start to its end in nanoseconds since the start of the capture, to the group of its server, outcome
 * and variant, which are at `key`.
 * @returns whether its row is kept as an example.
 */
export function addToGroup(row: i32, key: i32, startNs: f64, endNs: f64): bool {
  const group = groups.find(key, hashOf(key));
  const at = groups.at(group);
  const base = rowAt(row);
  const count = load<i32>(at, GROUP_COUNT << 2);
  store<i32>(at, count + 1, GROUP_COUNT << 2);
  if (load<u8>(base, ROW_COUNTS << 2) <= 1) {
    store<i32>(at, load<i32>(at, GROUP_SINGLE << 2) + 1, GROUP_SINGLE << 2);
  }
  if (count === 0 || startNs < load<f64>(at, GROUP_FIRST << 2)) store<f64>(at, startNs, GROUP_FIRST << 2);
  if (count === 0 || endNs > load<f64>(at, GROUP_LAST << 2)) store<f64>(at, endNs, GROUP_LAST << 2);
  addClient(at, clientOf(base));
  return offerExample(at, group < FULL_GROUPS ? MAX_EXAMPLES : 1, row, clarityOf(base));
}

/** Keeps an attempt as an example if there is room, or if it is clearer than one that is kept; behind those that are as clear. */
function offerExample(group: i32, most: i32, row: i32, clarity: i32): bool {
  const kept = load<i32>(group, GROUP_EXAMPLES << 2);
  let nth = kept;
  if (kept === most) {
    if (clarity <= clarityAt(group, most - 1)) return false;
    nth--;
    releaseRow(exampleAt(group, nth));
  } else {
    store<i32>(group, kept + 1, GROUP_EXAMPLES << 2);
  }
  for (; nth > 0 && clarity > clarityAt(group, nth - 1); nth--) {
    setExample(group, nth, exampleAt(group, nth - 1), clarityAt(group, nth - 1));
  }
  setExample(group, nth, row, clarity);
  return true;
}

@inline
function exampleAt(group: i32, nth: i32): i32 {
  return load<i32>(group + (nth << 2), GROUP_EXAMPLE << 2);
}

@inline
function clarityAt(group: i32, nth: i32): i32 {
  return load<u8>(group + nth, GROUP_CLARITIES << 2);
}

@inline
function setExample(group: i32, nth: i32, row: i32, clarity: i32): void {
  store<i32>(group + (nth << 2), row, GROUP_EXAMPLE << 2);
  store<u8>(group + nth, clarity, GROUP_CLARITIES << 2);
}

/** The more segments an attempt shows, the clearer it is; copies of packets and tunnels only confuse. */
function clarityOf(base: i32): i32 {
  const copied = (load<i32>(base, ROW_STATE << 2) & STATE_DUPLICATES) !== 0;
  const wrapped = load<i32>(base, ROW_EVENTS << 2) >>> 8 !== 0;
  return min(load<i32>(base, ROW_SEGMENTS << 2), 8) * 2 + i32(!copied && !wrapped);
}

/**
 * Counts a client, folded to a word, if it is a new one: exactly up to {@link EXACT_CLIENTS}, by HyperLogLog (Flajolet et al. 2007)
 * beyond.
 */
function addClient(group: i32, client: i32): void {
  const known = load<i32>(group, GROUP_KNOWN << 2);
  if (known < 0) {
    estimate(estimateAt(~known), client);
    return;
  }
  const first = group + (GROUP_CLIENTS << 2);
  const end = first + (known << 2);
  for (let at = first; at < end; at += 4) if (load<i32>(at) === client) return;
  if (known < EXACT_CLIENTS) {
    store<i32>(end, client);
    store<i32>(group, known + 1, GROUP_KNOWN << 2);
    return;
  }
  store<i32>(group, ~estimates, GROUP_KNOWN << 2);
  const own = estimateAt(estimates++);
  for (let at = first; at < end; at += 4) estimate(own, load<i32>(at));
  estimate(own, client);
}

/** Adds the clients of a group to the estimate at {@link AT_UNION}. */
export function unite(group: i32): void {
  const at = groups.at(group);
  const known = load<i32>(at, GROUP_KNOWN << 2);
  for (let nth = 0; nth < known; nth++) estimate(AT_UNION, load<i32>(at + (nth << 2), GROUP_CLIENTS << 2));
  if (known >= 0) return;
  const other = estimateAt(~known);
  for (let word = 0; word < ESTIMATE_BYTES; word += 4) {
    const theirs = load<i32>(other + word);
    if (theirs !== 0) store<i32>(AT_UNION + word, higherRanks(load<i32>(AT_UNION + word), theirs));
  }
}

/** The higher one of each two registers of two words. */
function higherRanks(a: i32, b: i32): i32 {
  let higher = 0;
  for (let shift = 0; shift < WORD_REGISTERS * REGISTER_BITS; shift += REGISTER_BITS) {
    const register: i32 = ((1 << REGISTER_BITS) - 1) << shift;
    higher |= max<u32>(a & register, b & register);
  }
  return higher;
}

/** The client of the attempt at `base`, folded to a word. */
@inline
function clientOf(base: i32): i32 {
  const client = base + (ROW_CLIENT << 2);
  return foldIpv6(load<i32>(client), load<i32>(client, 4), load<i32>(client, 8), load<i32>(client, 12));
}

@inline
function hashClient(client: i32): i32 {
  let hash: i32 = (client ^ <i32>(<u32>client >>> 16)) * 0x7feb352d;
  hash = (hash ^ <i32>(<u32>hash >>> 15)) * <i32>0x846ca68b;
  return hash ^ <i32>(<u32>hash >>> 16);
}

@inline
function estimateAt(number: i32): i32 {
  return estimatesAt + number * ESTIMATE_BYTES;
}

/** Address of the word of the estimate at an address that has the register of a hash: its upper 9 bits say which one. */
@inline
function registerIn(at: i32, hash: i32): i32 {
  return at + <i32>(((<u32>hash >>> 23) / WORD_REGISTERS) << 2);
}

/** Adds a client to the estimate at an address. */
function estimate(at: i32, client: i32): void {
  const hash = hashClient(client);
  const word = registerIn(at, hash);
  const shift = ((<u32>hash >>> 23) % WORD_REGISTERS) * REGISTER_BITS;
  const rank = <i32>clz<i32>((hash << 9) | 0x100) + 1;
  const known = (load<i32>(word) >>> shift) & ((1 << REGISTER_BITS) - 1);
  if (rank > known) store<i32>(word, load<i32>(word) + ((rank - known) << shift));
}
