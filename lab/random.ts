/** A source of numbers that a seed decides entirely. */
export interface Random {
  /** A whole number from `min` to `max`, both included. */
  integer(min: number, max: number): number;
  /** One of the items. */
  pick<T>(items: readonly T[]): T;
  /** So many different items, in the order of the draw. */
  sample<T>(items: readonly T[], count: number): T[];
  /** True in so many of a hundred cases. */
  chance(percent: number): boolean;
}

/** Makes the source for a seed (mulberry32: 32 bits of state, good enough to draw addresses). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const integer = (min: number, max: number): number => min + Math.floor(next() * (max - min + 1));
  const sample = <T>(items: readonly T[], count: number): T[] => {
    const rest = [...items];
    const drawn: T[] = [];
    while (drawn.length < count && rest.length > 0) drawn.push(...rest.splice(integer(0, rest.length - 1), 1));
    return drawn;
  };
  return {
    integer,
    sample,
    pick: (items) => items[integer(0, items.length - 1)] as (typeof items)[number],
    chance: (percent) => next() * 100 < percent,
  };
}
