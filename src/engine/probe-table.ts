/**
 * Numbers distinct keys of a few words from 0 upwards, and keeps a record for each: open addressing with linear probing. When it is
 * full, every new key gets the last number. A record is one piece of memory with its key first, because with many of them each place
 * that is looked at costs a wait for memory.
 */
export class ProbeTable {
  /** Records by number, {@link stride} words each: the key, then what its user keeps there, 0 at first. */
  readonly records: Int32Array;
  /** The same memory, for 64-bit floats. */
  readonly floats: Float64Array;
  readonly stride: number;
  private readonly capacity: number;
  private readonly keyWords: number;
  /** Pairs: the hash, and the number and one; 0 is empty. */
  private slots = new Int32Array(2048);
  /** Index of the last pair. */
  private mask: number = 1023;
  private count = 0;

  /** Makes a table for at most `capacity` records of `stride` words, an even number, of which the first `keyWords` are the key. */
  constructor(capacity: number, keyWords: number, stride: number) {
    this.capacity = capacity;
    this.keyWords = keyWords;
    this.stride = stride;
    this.floats = new Float64Array((capacity * stride) / 2);
    this.records = new Int32Array(this.floats.buffer);
  }

  /** How many numbers are given. */
  get used(): number {
    return this.count;
  }

  /** The number of a key, given now when it is new; equal to the former {@link used} then. */
  find(key: Int32Array, hash: number): number {
    const { slots, mask } = this;
    let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    mixed ^= mixed >>> 13;
    let at = (mixed & mask) * 2;
    for (let found = slots[at + 1]!; found !== 0; found = slots[at + 1]!) {
      if (slots[at] === mixed && this.matches(found - 1, key)) return found - 1;
      at = (at + 2) & (mask * 2 + 1);
    }
    if (this.count === this.capacity) return this.capacity - 1;
    const number = this.count++;
    for (let word = 0; word < this.keyWords; word++) this.records[number * this.stride + word] = key[word]!;
    slots[at] = mixed;
    slots[at + 1] = number + 1;
    if (this.count * 2 > mask) this.grow();
    return number;
  }

  private matches(number: number, key: Int32Array): boolean {
    const at = number * this.stride;
    for (let word = 0; word < this.keyWords; word++) if (this.records[at + word] !== key[word]) return false;
    return true;
  }

  private grow(): void {
    const old = this.slots;
    const slots = new Int32Array(old.length * 2);
    this.mask = this.mask * 2 + 1;
    for (let from = 0; from < old.length; from += 2) {
      if (old[from + 1] === 0) continue;
      let at = (old[from]! & this.mask) * 2;
      while (slots[at + 1] !== 0) at = (at + 2) & (this.mask * 2 + 1);
      slots[at] = old[from]!;
      slots[at + 1] = old[from + 1]!;
    }
    this.slots = slots;
  }
}
