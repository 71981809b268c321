/** Counts distinct 32-bit values in bounded memory: exactly up to {@link EXACT}, by linear counting beyond. */
export interface DistinctCounter {
  exact: Set<number> | undefined;
  bitmap: Uint32Array | undefined;
}

const EXACT = 512;
const BITS = 1 << 16;

/** Makes an empty counter. */
export function createDistinctCounter(): DistinctCounter {
  return { exact: new Set(), bitmap: undefined };
}

/** Adds one value. */
export function addDistinct(counter: DistinctCounter, value: number): void {
  if (counter.exact !== undefined) {
    counter.exact.add(value);
    if (counter.exact.size <= EXACT) return;
    counter.bitmap = new Uint32Array(BITS / 32);
    for (const known of counter.exact) setBit(counter.bitmap, known);
    counter.exact = undefined;
  } else if (counter.bitmap !== undefined) {
    setBit(counter.bitmap, value);
  }
}

/**
 * How many distinct values were added: exact up to 512, then the estimate of linear counting (Whang et al. 1990), within a few
 * per cent up to some 300,000.
 */
export function countDistinct({ exact, bitmap }: DistinctCounter): number {
  if (exact !== undefined) return exact.size;
  let zeros = BITS;
  for (const word of bitmap ?? []) zeros -= bitCount(word);
  return Math.round(BITS * Math.log(BITS / Math.max(zeros, 1)));
}

function setBit(bitmap: Uint32Array, value: number): void {
  const hash = Math.imul(value ^ (value >>> 16), 0x45d9f3b) >>> 16;
  bitmap[hash >>> 5]! |= 1 << (hash & 31);
}

function bitCount(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
