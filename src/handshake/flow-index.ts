import { type AttemptTable, ROW, ROW_HASH } from './attempt-table.ts';
import { isOpen } from './attempt-timeouts.ts';

/**
 * Finds the open attempt of a connection: open addressing with linear probing over rows of an {@link AttemptTable}. A slot
 * holds row + 1 in its lower 24 bits and 8 bits of the hash above them; 0 is empty. There are always {@link MIN_SLOTS_PER_ROW}, so
 * that a packet of no open attempt mostly meets an empty slot at once: that is what makes the scan fast.
 */
export interface FlowIndex {
  slots: Int32Array;
  mask: number;
  used: number;
}

const ROW_MASK = 0xffffff;
/** With fewer, packets meet more rows that are not theirs; with more, slots lie further apart in memory. */
const MIN_SLOTS_PER_ROW = 2.5;

/** Most rows that an index can refer to. */
export const MAX_INDEXED_ROWS: number = ROW_MASK - 1;

/** Makes an empty index. */
export function createFlowIndex(): FlowIndex {
  const size = 1 << 15;
  return { slots: new Int32Array(size), mask: size - 1, used: 0 };
}

/**
 * Hash of the two ends, the same for both directions. `a` and `b` are the addresses (an IPv6 address folded by
 * {@link foldIpv6}), `ports` the first four bytes of the TCP header.
 */
export function hashFlow(a: number, b: number, ports: number): number {
  const from = ports >>> 16;
  const to = ports & 0xffff;
  let hash = Math.imul(a ^ b, 0x9e3779b1) + Math.imul((a + b) | 0, 0x85ebca6b);
  hash ^= Math.imul((from ^ to) + ((from + to) << 15), 0xc2b2ae35);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c1b3c6d);
  return hash ^ (hash >>> 13);
}

/** Folds the four words of an IPv6 address into one. */
export function foldIpv6(a: number, b: number, c: number, d: number): number {
  return d ^ Math.imul(c, 0x27d4eb2f) ^ Math.imul(b, 0x165667b1) ^ Math.imul(a, 0x9e3779b1);
}

/** Adds a row under its hash, which it also stores in the row. */
export function indexRow(index: FlowIndex, table: AttemptTable, row: number, hash: number): void {
  if ((index.used + 1) * MIN_SLOTS_PER_ROW > index.slots.length) grow(index, table, row);
  table.rows[row * ROW + ROW_HASH] = hash;
  place(index.slots, index.mask, row, hash);
  index.used++;
}

/** Takes a row out; the entries behind it move up, so that no tombstones are needed. */
export function unindexRow(index: FlowIndex, table: AttemptTable, row: number): void {
  const { slots, mask } = index;
  let hole = table.rows[row * ROW + ROW_HASH]! & mask;
  while ((slots[hole]! & ROW_MASK) !== row + 1) {
    if (slots[hole] === 0) return;
    hole = (hole + 1) & mask;
  }
  index.used--;
  let next = hole;
  for (;;) {
    next = (next + 1) & mask;
    const slot = slots[next]!;
    if (slot === 0) break;
    const home = table.rows[((slot & ROW_MASK) - 1) * ROW + ROW_HASH]! & mask;
    if (((next - home) & mask) >= ((next - hole) & mask)) {
      slots[hole] = slot;
      hole = next;
    }
  }
  slots[hole] = 0;
}

/** Row of a slot, or -1 when the hash bits of the slot say that it cannot be the one looked for. */
export function rowOfSlot(slot: number, hash: number): number {
  return (slot ^ hash) >>> 24 === 0 ? (slot & ROW_MASK) - 1 : -1;
}

function place(slots: Int32Array, mask: number, row: number, hash: number): void {
  let at = hash & mask;
  while (slots[at] !== 0) at = (at + 1) & mask;
  slots[at] = (hash & ~ROW_MASK) | (row + 1);
}

/** Doubles the slots. Rows are met in their order, which memory serves best; those that are open are the ones in the index. */
function grow(index: FlowIndex, table: AttemptTable, added: number): void {
  const size = index.slots.length * 2;
  index.slots = new Int32Array(size);
  index.mask = size - 1;
  for (let row = 0; row < table.rowEnd; row++) {
    if (row !== added && isOpen(table.rows, row))
      place(index.slots, index.mask, row, table.rows[row * ROW + ROW_HASH]!);
  }
}
