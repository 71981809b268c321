/**
 * Many counters of distinct 32-bit values, each in some hundred bytes: exact up to {@link EXACT} values, by HyperLogLog (Flajolet
 * et al. 2007) with 512 registers beyond, which is within 5 % or so. Counters are numbers from 0.
 */
export class DistinctCounters {
  /** {@link EXACT} values a counter. */
  private readonly exact: Int32Array;
  /** How many of them are in use; once a counter estimates, the complement of the number of its registers. */
  private readonly known: Int32Array;
  private readonly registers: Uint8Array[] = [];
  private estimates = 0;

  /** @param capacity how many counters there are. */
  constructor(capacity: number) {
    this.exact = new Int32Array(capacity * EXACT);
    this.known = new Int32Array(capacity);
  }

  /** Adds one value to a counter. */
  add(counter: number, value: number): void {
    const known = this.known[counter]!;
    if (known < 0) {
      this.note(~known, value);
      return;
    }
    const { exact } = this;
    const start = counter * EXACT;
    for (let at = start; at < start + known; at++) if (exact[at] === value) return;
    if (known < EXACT) {
      exact[start + known] = value;
      this.known[counter] = known + 1;
      return;
    }
    const estimate = this.estimates++;
    this.known[counter] = ~estimate;
    for (let at = start; at < start + EXACT; at++) this.note(estimate, exact[at]!);
    this.note(estimate, value);
  }

  /** How many distinct values were added to a counter. */
  count(counter: number): number {
    const known = this.known[counter]!;
    if (known >= 0) return known;
    const estimate = ~known;
    const registers = this.registersOf(estimate);
    const start = (estimate % BLOCK) * REGISTERS;
    const ranks = new Int32Array(33);
    for (let at = start; at < start + REGISTERS; at++) ranks[registers[at]!]!++;
    const zeros = ranks[0]!;
    const sum = ranks.reduce((total, count, rank) => total + count * 2 ** -rank, 0);
    const raw = (ALPHA * REGISTERS * REGISTERS) / sum;
    // Linear counting is the better estimate while registers are empty.
    return Math.round(zeros > 0 && raw < 2.5 * REGISTERS ? REGISTERS * Math.log(REGISTERS / zeros) : raw);
  }

  private note(estimate: number, value: number): void {
    let hash = Math.imul(value ^ (value >>> 16), 0x7feb352d);
    hash = Math.imul(hash ^ (hash >>> 15), 0x846ca68b);
    hash ^= hash >>> 16;
    const registers = this.registersOf(estimate);
    const register = (estimate % BLOCK) * REGISTERS + (hash >>> 23);
    const rank = Math.clz32((hash << 9) | 0x100) + 1;
    if (rank > registers[register]!) registers[register] = rank;
  }

  private registersOf(estimate: number): Uint8Array {
    const block = Math.floor(estimate / BLOCK);
    const registers = this.registers[block] ?? new Uint8Array(BLOCK * REGISTERS);
    if (block === this.registers.length) this.registers.push(registers);
    return registers;
  }
}

const EXACT = 24;
const REGISTERS = 512;
/** Registers are allocated for so many counters at once. */
const BLOCK = 512;
const ALPHA = 0.7213 / (1 + 1.079 / REGISTERS);
