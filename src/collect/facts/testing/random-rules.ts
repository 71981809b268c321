/** Source of chance that a seed repeats (mulberry32). */
export class Chance {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** From 0 to 1. */
  number(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = this.state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** From 0 to `below`, without it. */
  below(below: number): number {
    return Math.floor(this.number() * below);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  /** True so often, from 0 to 1. */
  often(share: number): boolean {
    return this.number() < share;
  }

  /** Some of a list, at least one. */
  some<T>(list: readonly T[], most: number): T[] {
    return [...new Set(Array.from({ length: 1 + this.below(most) }, () => this.pick(list)))];
  }
}

/** Addresses and ports of the attempt that the rules are about, and others. */
export interface RuleWorld {
  readonly client: Readonly<Record<4 | 6, string>>;
  readonly server: Readonly<Record<4 | 6, string>>;
  readonly port: number;
  readonly otherPort: number;
}
