import { describe, expect, it } from 'vitest';
import { formatCount, formatDuration, formatFrames, formatList, formatQuantity } from './text.ts';

describe('text', () => {
  it('writes counts', () => {
    expect([0, 999, 1000, 1_234_567].map(formatCount)).toEqual(['0', '999', '1,000', '1,234,567']);
    expect([0, 1, 2000].map((count) => formatQuantity(count, 'SYN'))).toEqual(['0 SYNs', '1 SYN', '2,000 SYNs']);
    expect(formatQuantity(2, 'address', 'addresses')).toBe('2 addresses');
  });

  it.each([
    [0, '0 ns'],
    [-0.3, '0 ns'],
    [999, '999 ns'],
    [999.6, '1 µs'],
    [-1500, '-1.5 µs'],
    [81_400, '81.4 µs'],
    [99_960, '100 µs'],
    [12_400_000, '12.4 ms'],
    [100_000_000, '100 ms'],
    [999_999_999, '1 s'],
    [7_080_000_000, '7.08 s'],
    [119.6e9, '2 min 0 s'],
    [185e9, '3 min 5 s'],
    [7199.7e9, '2 h 0 min'],
    [7620e9, '2 h 7 min'],
    [-7620e9, '-2 h 7 min'],
    [36e14, '1,000 h 0 min'],
  ])('writes %d ns as a duration', (ns, text) => {
    expect(formatDuration(ns)).toBe(text);
  });

  it('joins words', () => {
    expect([[], ['a'], ['a', 'b'], ['a', 'b', 'c']].map((words) => formatList(words))).toEqual([
      '',
      'a',
      'a and b',
      'a, b and c',
    ]);
    expect(formatList(['a', 'b'], 'or')).toBe('a or b');
  });

  it('names at most four frames', () => {
    expect([[], [3], [3, 9], [3, 9, 17, 40], [3, 9, 17, 40, 41]].map(formatFrames)).toEqual([
      '',
      '#3',
      '#3 and #9',
      '#3, #9, #17 and #40',
      '#3, #9, #17 … #41',
    ]);
  });
});
