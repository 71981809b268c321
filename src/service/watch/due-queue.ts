const FIRST_CAPACITY = 256;

/** Rows with the time at which each is to be looked at, in the order of these times: a ring that grows. */
export class DueQueue {
  private rows: Int32Array = new Int32Array(FIRST_CAPACITY);
  private marks: Uint32Array = new Uint32Array(FIRST_CAPACITY);
  private times: Float64Array = new Float64Array(FIRST_CAPACITY);
  private head = 0;
  private count = 0;

  /** When the first one is due; Infinity when there is none. */
  get next(): number {
    return this.count === 0 ? Number.POSITIVE_INFINITY : this.times[this.head]!;
  }

  get size(): number {
    return this.count;
  }

  /** @param mark what tells whether the row is still the same attempt when it is due. */
  add(row: number, mark: number, time: number): void {
    if (this.count === this.rows.length) this.grow();
    const at = (this.head + this.count) & (this.rows.length - 1);
    this.rows[at] = row;
    this.marks[at] = mark;
    this.times[at] = time;
    this.count++;
  }

  /** Hands over the rows that are due by then. */
  take(until: number, onDue: (row: number, mark: number) => void): void {
    while (this.count > 0 && this.times[this.head]! <= until) {
      const row = this.rows[this.head]!;
      const mark = this.marks[this.head]!;
      this.head = (this.head + 1) & (this.rows.length - 1);
      this.count--;
      onDue(row, mark);
    }
    // What a flood needed is given back.
    if (this.count === 0 && this.rows.length > 64 * FIRST_CAPACITY) this.shrink();
  }

  private grow(): void {
    const size = this.rows.length * 2;
    const { head, count } = this;
    this.rows = rotated(this.rows, new Int32Array(size), head, count);
    this.marks = rotated(this.marks, new Uint32Array(size), head, count);
    this.times = rotated(this.times, new Float64Array(size), head, count);
    this.head = 0;
  }

  private shrink(): void {
    this.rows = new Int32Array(FIRST_CAPACITY);
    this.marks = new Uint32Array(FIRST_CAPACITY);
    this.times = new Float64Array(FIRST_CAPACITY);
    this.head = 0;
  }
}

function rotated<T extends Int32Array | Uint32Array | Float64Array>(from: T, to: T, head: number, count: number): T {
  const first = Math.min(count, from.length - head);
  to.set(from.subarray(head, head + first), 0);
  to.set(from.subarray(0, count - first), first);
  return to;
}
