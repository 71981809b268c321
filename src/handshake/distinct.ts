import { REGISTER_BITS, REGISTERS, WORD_REGISTERS } from './tally-layout.ts';

/**
 * How many distinct values the registers of a HyperLogLog have seen (Flajolet et al. 2007): within 5 % or so. They lie as the scan
 * (`wasm/groups.ts`) has them.
 */
export function estimateDistinct(words: Int32Array): number {
  const count = REGISTERS;
  const ranks = new Int32Array(1 << REGISTER_BITS);
  for (let register = 0; register < count; register++) {
    const shift = (register % WORD_REGISTERS) * REGISTER_BITS;
    const rank = (words[Math.trunc(register / WORD_REGISTERS)]! >>> shift) & (ranks.length - 1);
    ranks[rank]!++;
  }
  const zeros = ranks[0]!;
  const sum = ranks.reduce((total, times, rank) => total + times * 2 ** -rank, 0);
  const alpha = 0.7213 / (1 + 1.079 / count);
  const raw = (alpha * count * count) / sum;
  // Linear counting is the better estimate while registers are empty.
  return Math.round(zeros > 0 && raw < 2.5 * count ? count * Math.log(count / zeros) : raw);
}
