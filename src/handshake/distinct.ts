/**
 * How many distinct values the registers of a HyperLogLog have seen, a byte each (Flajolet et al. 2007): within 5 % or so with 512 of
 * them.
 */
export function estimateDistinct(registers: Uint8Array): number {
  const count = registers.length;
  const ranks = new Int32Array(34);
  for (const register of registers) ranks[register]!++;
  const zeros = ranks[0]!;
  const sum = ranks.reduce((total, times, rank) => total + times * 2 ** -rank, 0);
  const alpha = 0.7213 / (1 + 1.079 / count);
  const raw = (alpha * count * count) / sum;
  // Linear counting is the better estimate while registers are empty.
  return Math.round(zeros > 0 && raw < 2.5 * count ? count * Math.log(count / zeros) : raw);
}
