import { expect, it } from 'vitest';
import { prefixBits, prefixContains } from './prefix.ts';

it('tells the length of a prefix', () => {
  expect(prefixBits('192.0.2.0/24')).toBe(24);
  expect(prefixBits('::/0')).toBe(0);
  expect(prefixBits('192.0.2.1')).toBe(32);
  expect(prefixBits('2001:db8::1')).toBe(128);
  expect(prefixBits('192.0.2.0/33')).toBeUndefined();
  expect(prefixBits('192.0.2.0/x')).toBeUndefined();
  expect(prefixBits('default')).toBeUndefined();
});

it('tells whether an address lies in a prefix', () => {
  expect(prefixContains('192.0.2.0/24', '192.0.2.255')).toBe(true);
  expect(prefixContains('192.0.2.0/24', '192.0.3.0')).toBe(false);
  expect(prefixContains('192.0.2.0/25', '192.0.2.128')).toBe(false);
  expect(prefixContains('0.0.0.0/0', '203.0.113.9')).toBe(true);
  expect(prefixContains('2001:db8:1::/47', '2001:db8:0:ffff::1')).toBe(true);
  expect(prefixContains('2001:db8:1::/48', '2001:db8:0:ffff::1')).toBe(false);
  expect(prefixContains('::/0', '192.0.2.1')).toBe(false);
  expect(prefixContains('nonsense/8', '10.0.0.1')).toBe(false);
});
