import fc from 'fast-check';
import { expect, test } from 'vitest';
import { countersOf, growthOf } from './counter-growth.ts';

const files = (values: Record<string, number[]>, name = 'file'): Map<string, Map<string, number[]>> =>
  new Map([[name, new Map(Object.entries(values))]]);

test('a counter of 32 bits wraps; one that fell otherwise began again', () => {
  expect(growthOf(4, 9)).toBe(5);
  expect(growthOf(0xffff_fffe, 3)).toBe(5);
  expect(growthOf(1000, 3)).toBe(3);
  expect(growthOf(2 ** 40, 3)).toBe(3);
  fc.assert(fc.property(fc.nat(), fc.nat(), (before, after) => growthOf(before, after) >= 0));
});

test('growth is told for each name that grew, all CPUs together', () => {
  const before = files({ a: [1], b: [0xffff_ffff, 7], c: [5] });
  const after = files({ a: [4], b: [1, 8], c: [5] });
  expect(countersOf(after, before, 1000)).toEqual({
    now: { a: 4, b: 9, c: 5 },
    growth: { a: 3, b: 3 },
    intervalMs: 1000,
  });
});

test('without a reading before, nothing is known of growth', () => {
  expect(countersOf(files({ a: [4] }), undefined, 1000)).toEqual({ now: { a: 4 }, growth: {}, intervalMs: 0 });
  expect(countersOf(files({ a: [4] }, 'appeared'), files({ b: [1] }), 1000).growth).toEqual({});
});

test('a name that a file had not before counted from 0 (IcmpMsg)', () => {
  expect(countersOf(files({ IcmpMsgInType3: [2] }), files({}), 1000).growth).toEqual({ IcmpMsgInType3: 2 });
});

test('sizes and settings do not grow', () => {
  const before = files({ TcpCurrEstab: [1], 'nf_conntrack.entries': [1] });
  expect(countersOf(files({ TcpCurrEstab: [9], 'nf_conntrack.entries': [9] }), before, 1000).growth).toEqual({});
});

test('when CPUs came or went, the sums are compared', () => {
  expect(countersOf(files({ a: [3, 4, 1] }), files({ a: [3, 4] }), 1000).growth).toEqual({ a: 1 });
});
