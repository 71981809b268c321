const BITS = 1 << 22;

/** A set of 32-bit hashes in bounded memory; of those never added, one in a hundred may seem to be in at 40,000. */
export interface HashSketch {
  readonly bits: Uint32Array;
  /** Hashes that were not in when they were added. */
  size: number;
}

/** Makes an empty sketch. */
export function createHashSketch(): HashSketch {
  return { bits: new Uint32Array(BITS / 32), size: 0 };
}

/** Adds a hash. */
export function addToSketch(sketch: HashSketch, hash: number): void {
  const word = (hash >>> 5) & (BITS / 32 - 1);
  const bit = 1 << (hash & 31);
  if ((sketch.bits[word]! & bit) !== 0) return;
  sketch.bits[word]! |= bit;
  sketch.size++;
}

/** Whether a hash was added; rarely also true for one that was not. */
export function isInSketch({ bits }: HashSketch, hash: number): boolean {
  return (bits[(hash >>> 5) & (BITS / 32 - 1)]! & (1 << (hash & 31))) !== 0;
}
