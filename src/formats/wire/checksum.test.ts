import { expect, test } from 'vitest';
import { foldChecksum, sumWords } from './checksum.ts';
import { hex } from './testing/bytes.ts';

test('the example of RFC 1071 section 3 sums to ddf2', () => {
  expect(foldChecksum(sumWords(hex('0001 f203 f4f5 f6f7'), 0, 8))).toBe(~0xddf2 & 0xffff);
});

test('an odd last byte counts as the upper half of a word', () => {
  expect(sumWords(hex('0102 03'), 0, 3)).toBe(0x0102 + 0x0300);
  expect(sumWords(hex('ff 0102 03'), 1, 4)).toBe(0x0102 + 0x0300);
});

test('a header with its checksum sums to zero', () => {
  const header = hex('4500 003c 1c46 4000 4006 b1e6 ac10 0a63 ac10 0a0c');
  expect(foldChecksum(sumWords(header, 0, 20))).toBe(0);
});
