import { expect, test } from 'vitest';
import { canonicalAddress } from './canonical-address.ts';

test('spells each address in one way; an IPv4-mapped one is the IPv4 address', () => {
  expect(canonicalAddress('2001:0DB8:0005:0000:0000:0000:0000:0001')).toEqual({
    address: '2001:db8:5::1',
    mapped: false,
  });
  expect(canonicalAddress('::ffff:192.0.2.1')).toEqual({ address: '192.0.2.1', mapped: true });
  expect(canonicalAddress('192.0.2.1')).toEqual({ address: '192.0.2.1', mapped: false });
  expect(canonicalAddress('fe80::1%eth0')).toBeUndefined();
  expect(canonicalAddress('*')).toBeUndefined();
});
