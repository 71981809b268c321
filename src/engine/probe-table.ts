/**
 * Numbers distinct keys of a few words from 0 upwards: open addressing with linear probing. When it is full, every new key gets
 * the last number.
 */
export interface ProbeTable {
  /** Keys by number, `words` words each. */
  readonly keys: Int32Array;
  /** How many numbers are given. */
  readonly used: number;
  /** The number of a key, given now when it is new; equal to the former {@link used} then. */
  find(key: Int32Array, hash: number): number;
}

/** Makes an empty table for at most `capacity` keys of `words` words. */
export function createProbeTable(capacity: number, words: number): ProbeTable {
  const keys = new Int32Array(capacity * words);
  let slots = new Int32Array(1024);
  let mask = slots.length - 1;
  let hashes = new Int32Array(1024);
  let used = 0;

  function matches(index: number, key: Int32Array): boolean {
    const at = index * words;
    for (let word = 0; word < words; word++) if (keys[at + word] !== key[word]) return false;
    return true;
  }

  function grow(): void {
    const old = slots;
    const oldHashes = hashes;
    slots = new Int32Array(old.length * 2);
    hashes = new Int32Array(old.length * 2);
    mask = slots.length - 1;
    for (let from = 0; from < old.length; from++) {
      if (old[from] === 0) continue;
      let at = oldHashes[from]! & mask;
      while (slots[at] !== 0) at = (at + 1) & mask;
      slots[at] = old[from]!;
      hashes[at] = oldHashes[from]!;
    }
  }

  return {
    keys,
    get used() {
      return used;
    },
    find(key, hash) {
      let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
      mixed ^= mixed >>> 13;
      let at = mixed & mask;
      for (let slot = slots[at]!; slot !== 0; slot = slots[at]!) {
        if (hashes[at] === mixed && matches(slot - 1, key)) return slot - 1;
        at = (at + 1) & mask;
      }
      if (used === capacity) return capacity - 1;
      keys.set(key, used * words);
      slots[at] = ++used;
      hashes[at] = mixed;
      if (used * 2 > slots.length) grow();
      return used - 1;
    },
  };
}
