import { expect, test } from 'vitest';
import { seqAdd, seqDiff, seqLess } from './seq.ts';

test('sequence numbers compare modulo 2^32', () => {
  expect(seqDiff(1001, 1000)).toBe(1);
  expect(seqDiff(0, 0xffff_ffff)).toBe(1);
  expect(seqDiff(0xffff_ffff, 0)).toBe(-1);
  expect(seqDiff(0x8000_0000, 0)).toBe(-(2 ** 31));
  expect(seqLess(0xffff_fff0, 5)).toBe(true);
  expect(seqLess(5, 0xffff_fff0)).toBe(false);
  expect(seqLess(5, 5)).toBe(false);
});

test('sequence numbers wrap', () => {
  expect(seqAdd(0xffff_ffff, 1)).toBe(0);
  expect(seqAdd(0x7fff_ffff, 1)).toBe(0x8000_0000);
});
