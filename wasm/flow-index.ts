// Finds the open attempt of a connection: open addressing with linear probing. A slot holds row + 1 in its lower 24 bits and 8 bits
// of the hash above them; 0 is empty. There are always at least 2.5 slots for a row, so that a packet of no open attempt mostly meets
// an empty slot at once: that is what makes the scan fast.
import { ROW_HASH, ROW_STATE, STATE_CLOSED, STATE_USED } from '../src/handshake/attempt-layout';
import { AT_OPEN, AT_ROW_END, AT_SLOTS } from '../src/handshake/scan-layout';
import { rowAt } from './memory';

const ROW_MASK: i32 = 0xffffff;
const FIRST_SLOTS: i32 = 1 << 15;

/** Slots less one; their number is a power of two. */
let mask: i32 = FIRST_SLOTS - 1;

/** What the slot holds in which the search for a hash begins. */
@inline
export function firstSlot(hash: i32): i32 {
  return load<i32>(AT_SLOTS + ((hash & mask) << 2));
}

/** Loads the first row whose slot fits a hash, so that it lies in the processor's cache. */
@inline
export function warmFit(hash: i32): i32 {
  let at = hash & mask;
  let slot = load<i32>(AT_SLOTS + (at << 2));
  while (<u32>(slot ^ hash) >>> 24 !== 0 && slot !== 0) {
    at = (at + 1) & mask;
    slot = load<i32>(AT_SLOTS + (at << 2));
  }
  if (slot === 0) return 0;
  const base = rowAt(rowOf(slot));
  return load<i32>(base) + load<i32>(base, 64) + load<i32>(base, 128);
}

/** The row that a slot refers to. */
@inline
function rowOf(slot: i32): i32 {
  return (slot & ROW_MASK) - 1;
}

/** The next place to look at, and where to begin: see {@link nextFit}. */
let cursor: i32 = 0;

/** Begins a search; {@link nextFit} then gives what may be under a hash. */
@inline
export function seek(hash: i32): void {
  cursor = hash & mask;
}

/** The next row whose slot fits a hash; -1 when there is no more. */
@inline
export function nextFit(hash: i32): i32 {
  let at = cursor;
  let slot = load<i32>(AT_SLOTS + (at << 2));
  while (slot !== 0) {
    at = (at + 1) & mask;
    if (<u32>(slot ^ hash) >>> 24 === 0) {
      cursor = at;
      return rowOf(slot);
    }
    slot = load<i32>(AT_SLOTS + (at << 2));
  }
  return -1;
}

/** Adds a row under its hash. */
export function indexRow(row: i32, hash: i32): void {
  const open = load<i32>(AT_OPEN) + 1;
  if (open * 5 > (mask + 1) * 2) grow(row);
  place(row, hash);
  store<i32>(AT_OPEN, open);
}

/** Takes a row out; the entries behind it move up, so that no tombstones are needed. */
export function unindexRow(row: i32): void {
  let hole = hashOf(row) & mask;
  for (;;) {
    const slot = load<i32>(AT_SLOTS + (hole << 2));
    if (slot === 0) return;
    if (rowOf(slot) === row) break;
    hole = (hole + 1) & mask;
  }
  store<i32>(AT_OPEN, load<i32>(AT_OPEN) - 1);
  let next = hole;
  for (;;) {
    next = (next + 1) & mask;
    const slot = load<i32>(AT_SLOTS + (next << 2));
    if (slot === 0) break;
    const home = hashOf(rowOf(slot)) & mask;
    if (((next - home) & mask) >= ((next - hole) & mask)) {
      store<i32>(AT_SLOTS + (hole << 2), slot);
      hole = next;
    }
  }
  store<i32>(AT_SLOTS + (hole << 2), 0);
}

/** Loads what {@link unindexRow} needs besides the row, so that it lies in the processor's cache. */
@inline
export function warmIndex(row: i32): i32 {
  return firstSlot(hashOf(row));
}

/** Whether a row holds an attempt that was not judged yet. */
@inline
export function isOpen(row: i32): bool {
  return (load<i32>(rowAt(row), ROW_STATE << 2) & (STATE_USED | STATE_CLOSED)) === STATE_USED;
}

/** The hash of the flow of a row. */
@inline
function hashOf(row: i32): i32 {
  return load<i32>(rowAt(row), ROW_HASH << 2);
}

function place(row: i32, hash: i32): void {
  let at = hash & mask;
  while (load<i32>(AT_SLOTS + (at << 2)) !== 0) at = (at + 1) & mask;
  store<i32>(AT_SLOTS + (at << 2), (hash & ~ROW_MASK) | (row + 1));
}

/** Doubles the slots. Rows are met in their order, which memory serves best; those that are open are the ones in the index. */
function grow(added: i32): void {
  memory.fill(AT_SLOTS, 0, (mask + 1) << 2);
  mask = mask * 2 + 1;
  const end = load<i32>(AT_ROW_END);
  for (let row = 0; row < end; row++) {
    if (row !== added && isOpen(row)) place(row, hashOf(row));
  }
}
