import { describe, expect, it } from 'vitest';
import { DistinctCounters } from './distinct.ts';

function count(values: Iterable<number>): number {
  const counters = new DistinctCounters(3);
  for (const value of values) counters.add(1, value);
  expect([counters.count(0), counters.count(2)]).toEqual([0, 0]);
  return counters.count(1);
}

function* sequence(length: number, value: (i: number) => number): Generator<number> {
  for (let i = 0; i < length; i++) yield value(i) | 0;
}

describe('DistinctCounters', () => {
  it('is exact for a few values, however often each comes', () => {
    expect(count([])).toBe(0);
    expect(count([0])).toBe(1);
    expect(count([0, -1, 0, -1, 7])).toBe(3);
    expect(count(sequence(24_000, (i) => i % 24))).toBe(24);
  });

  const sizes = [25, 30, 100, 255, 1000, 2000, 2560, 3000, 5000, 10_000, 100_000, 1_000_000];
  it.each(sizes)('estimates %i values within 10 %%', (size) => {
    const kinds = [
      count(sequence(size, (i) => 0x0a000000 + i)),
      count(sequence(size, (i) => (0x0a000000 + i) << 8)),
      count(sequence(size, (i) => Math.imul(i, 0x9e3779b1))),
      count(sequence(size * 2, (i) => (i % size) - 0x80000000)),
    ];
    for (const estimate of kinds) expect(Math.abs(estimate / size - 1)).toBeLessThan(0.1);
  });

  it('keeps counters apart', () => {
    const counters = new DistinctCounters(1100);
    for (let i = 0; i < 60_000; i++) for (const counter of [3, 700, 1099]) counters.add(counter, i % (counter + 1));
    expect(counters.count(3)).toBe(4);
    for (const counter of [700, 1099]) expect(Math.abs(counters.count(counter) / counter - 1)).toBeLessThan(0.1);
  });
});
