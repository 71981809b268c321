// Gives out numbers for keys of a few words, in order of first appearance: open addressing with linear probing. A record is one piece of
// memory with its key first, because with many of them each place that is looked at costs a wait for memory.
import { SLOT_BYTES } from '../src/handshake/tally-layout';

const FIRST_SLOTS: i32 = 1024;

@inline
function mix(hash: i32): i32 {
  const mixed: i32 = (hash ^ <i32>(<u32>hash >>> 16)) * <i32>0x85ebca6b;
  return mixed ^ <i32>(<u32>mixed >>> 13);
}

/** A table of records, described in words at a place of its own. */
@unmanaged
export class ProbeTable {
  /** Address of pairs: the mixed hash, and the number and one; 0 is empty. */
  private slots: i32;
  /** Pairs less one; their number is a power of two. */
  private mask: i32;
  private records: i32;
  /** Bytes from one record to the next. */
  private stride: i32;
  private capacity: i32;
  private keyWords: i32;
  /** How many numbers are given. */
  used: i32;

  /** Says where everything lies: records of `words` words each, of which the first ones are the key, and one more its mixed hash. */
  place(slots: i32, records: i32, words: i32, capacity: i32, keyWords: i32): void {
    this.slots = slots;
    this.mask = FIRST_SLOTS - 1;
    this.records = records;
    this.stride = words << 2;
    this.capacity = capacity;
    this.keyWords = keyWords;
    this.used = 0;
  }

  /** Address of a record. */
  @inline
  at(number: i32): i32 {
    return this.records + number * this.stride;
  }

  /** Address of the record that a hash most likely belongs to, if it has one. */
  guess(hash: i32): i32 {
    const number = load<i32>(this.slots + (mix(hash) & this.mask) * SLOT_BYTES, 4);
    return this.at(max(number - 1, 0));
  }

  /** The number of the key at an address, given now when it is new; when the table is full, every new key gets the last one. */
  find(key: i32, hash: i32): i32 {
    const mixed = mix(hash);
    const mask = this.mask;
    const slots = this.slots;
    let slot = mixed & mask;
    for (;;) {
      const found = load<i32>(slots + slot * SLOT_BYTES, 4);
      if (found === 0) break;
      if (load<i32>(slots + slot * SLOT_BYTES) === mixed && this.matches(found - 1, key)) return found - 1;
      slot = (slot + 1) & mask;
    }
    const number = this.used;
    if (number === this.capacity) return number - 1;
    this.used = number + 1;
    const record = this.at(number);
    const keyBytes = this.keyWords << 2;
    memory.copy(record, key, keyBytes);
    store<i32>(record + keyBytes, mixed);
    if (this.used * 2 > mask) this.grow();
    else this.put(number, mixed);
    return number;
  }

  private matches(number: i32, key: i32): bool {
    const record = this.at(number);
    const end = this.keyWords << 2;
    for (let at = 0; at < end; at += 4) if (load<i32>(record + at) !== load<i32>(key + at)) return false;
    return true;
  }

  private put(number: i32, mixed: i32): void {
    let slot = mixed & this.mask;
    while (load<i32>(this.slots + slot * SLOT_BYTES, 4) !== 0) slot = (slot + 1) & this.mask;
    store<i32>(this.slots + slot * SLOT_BYTES, mixed);
    store<i32>(this.slots + slot * SLOT_BYTES, number + 1, 4);
  }

  /** Doubles the slots. */
  private grow(): void {
    memory.fill(this.slots, 0, (this.mask + 1) * SLOT_BYTES);
    this.mask = this.mask * 2 + 1;
    const keyBytes = this.keyWords << 2;
    for (let number = 0; number < this.used; number++) this.put(number, load<i32>(this.at(number) + keyBytes));
  }
}
