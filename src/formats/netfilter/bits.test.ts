import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addressNumber,
  anyBit,
  type Bits,
  combineBits,
  eitherBits,
  equalBits,
  formatAddressNumber,
  inRange,
  isBelow,
  prefixRange,
} from './bits.ts';
import { allOf, anyOf, depends, join, not, type Truth, UNKNOWN } from './truth.ts';

const WIDTH = 6;
const ALL = (1n << BigInt(WIDTH)) - 1n;

/** Every number that some bits may stand for. */
function candidates({ value, unknown }: Bits): bigint[] {
  return Array.from({ length: Number(ALL) + 1 }, (_, index) => BigInt(index)).filter(
    (one) => (one & ~unknown) === value,
  );
}

const number = fc.bigInt(0n, ALL);
const some: fc.Arbitrary<Bits> = fc
  .tuple(number, number)
  .map(([value, unknown]) => ({ value: value & ~unknown, unknown, doubt: UNKNOWN }));

/** A comparison is sure exactly when all candidates agree. */
function agrees(bits: Bits, truth: Truth, test: (one: bigint) => boolean): void {
  const answers = new Set(candidates(bits).map(test));
  if (typeof truth === 'boolean') expect([...answers]).toEqual([truth]);
}

describe('numbers of which bits are unknown', () => {
  test('what is said for sure holds for every number that it may be', () => {
    fc.assert(
      fc.property(some, number, number, (bits, a, b) => {
        agrees(bits, equalBits(bits, a), (one) => one === a);
        agrees(bits, equalBits(bits, a, b), (one) => (one & b) === (a & b));
        agrees(bits, anyBit(bits, a), (one) => (one & a) !== 0n);
        agrees(bits, isBelow(bits, a), (one) => one < a);
        const [low, high] = a < b ? [a, b] : [b, a];
        agrees(bits, inRange(bits, low, high), (one) => one >= low && one <= high);
      }),
    );
  });

  test('equality and single bits are sure whenever all candidates agree', () => {
    fc.assert(
      fc.property(some, number, (bits, a) => {
        const decided = (test: (one: bigint) => boolean): boolean => new Set(candidates(bits).map(test)).size === 1;
        expect(typeof equalBits(bits, a) === 'boolean').toBe(decided((one) => one === a));
        expect(typeof isBelow(bits, a) === 'boolean').toBe(decided((one) => one < a));
      }),
    );
  });

  test('what is calculated from them is among what is said', () => {
    fc.assert(
      fc.property(some, some, (a, b) => {
        const within = (result: Bits, one: bigint): boolean => (one & ~result.unknown) === result.value;
        for (const x of candidates(a).slice(0, 8)) {
          for (const y of candidates(b).slice(0, 8)) {
            expect(within(combineBits('&', a, b), x & y)).toBe(true);
            expect(within(combineBits('|', a, b), x | y)).toBe(true);
            expect(within(combineBits('^', a, b), x ^ y)).toBe(true);
          }
          expect(within(eitherBits(a, b, undefined), x)).toBe(true);
        }
      }),
    );
  });
});

test('addresses are numbers', () => {
  expect(addressNumber('192.0.2.1')).toEqual({ family: 4, value: 0xc0000201n });
  expect(addressNumber('fe80::1%eth0')).toBeUndefined();
  expect(addressNumber('example.org')).toBeUndefined();
  for (const text of ['192.0.2.1', '0.0.0.0', '2001:db8::1', '::', 'ff02::1:ff00:1']) {
    const { value, family } = addressNumber(text)!;
    expect(formatAddressNumber(value, family)).toBe(text);
  }
  expect(prefixRange(0x0a0a0a0an, 8, 4)).toEqual({ first: 0x0a000000n, last: 0x0affffffn });
  expect(prefixRange(1n, 999, 4)).toEqual({ first: 1n, last: 1n });
});

test('three-valued logic', () => {
  const limit = depends('rate-limit');
  expect(allOf([true, limit, false])).toBe(false);
  expect(allOf([true, limit])).toBe(limit);
  expect(anyOf([false, limit, true])).toBe(true);
  expect(anyOf([false, limit])).toBe(limit);
  expect(not(limit)).toBe(limit);
  expect(join(limit, depends('set', 'rate-limit'))).toEqual({ level: 'depends', conditions: ['rate-limit', 'set'] });
  expect(join(limit, UNKNOWN)).toEqual({ level: 'unknown', conditions: ['rate-limit'] });
  expect(join(undefined, undefined)).toBeUndefined();
});
