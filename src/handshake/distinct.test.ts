import { describe, expect, it } from 'vitest';
import { DistinctCounter } from './distinct.ts';

function count(values: Iterable<number>): number {
  const counter = new DistinctCounter();
  for (const value of values) counter.add(value);
  return counter.count();
}

function* sequence(length: number, value: (i: number) => number): Generator<number> {
  for (let i = 0; i < length; i++) yield value(i) | 0;
}

describe('DistinctCounter', () => {
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
});
