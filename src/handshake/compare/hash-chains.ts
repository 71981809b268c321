/** Rows by a 32-bit hash, in two typed arrays: a bucket leads to its newest row, each row to the one before. */
export interface HashChains {
  readonly heads: Int32Array;
  readonly next: Int32Array;
  readonly mask: number;
}

/** Most rows of one bucket that are looked at: captures with a constant ISN must not cost their square. */
export const MAX_CHAIN = 48;

/** Makes chains for rows 0 to `rows - 1`; none is in yet. */
export function createHashChains(rows: number): HashChains {
  let size = 16;
  while (size < rows) size *= 2;
  return { heads: new Int32Array(size).fill(-1), next: new Int32Array(rows), mask: size - 1 };
}

/** Puts a row in. */
export function addToChain({ heads, next, mask }: HashChains, hash: number, row: number): void {
  const bucket = mix(hash) & mask;
  next[row] = heads[bucket]!;
  heads[bucket] = row;
}

/** The newest row of the bucket of a hash, or -1; `next` leads on. Rows of other hashes may be among them. */
export function chainOf({ heads, mask }: HashChains, hash: number): number {
  return heads[mix(hash) & mask]!;
}

/** Spreads the bits of a word over all of it. */
export function mix(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x7feb352d);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x846ca68b);
  return mixed ^ (mixed >>> 16);
}

/** Hash of the four words of an address. */
export function hashAddress(words: Int32Array, offset: number): number {
  return mix(
    words[offset]! ^
      Math.imul(words[offset + 1]!, 3) ^
      Math.imul(words[offset + 2]!, 5) ^
      Math.imul(words[offset + 3]!, 7),
  );
}

/** Whether two addresses of four words are the same. */
export function sameWords(a: Int32Array, atA: number, b: Int32Array, atB: number): boolean {
  return a[atA] === b[atB] && a[atA + 1] === b[atB + 1] && a[atA + 2] === b[atB + 2] && a[atA + 3] === b[atB + 3];
}
