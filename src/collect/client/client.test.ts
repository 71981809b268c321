import { describe, expect, it } from 'vitest';
import { isExempt } from './proxies.ts';
import { parseAhosts } from './resolve.ts';

describe('getent ahosts', () => {
  it('gives each address once, in order', () => {
    const text =
      '2001:db8::1     STREAM api.example.com\n2001:db8::1     DGRAM\n192.0.2.1       STREAM\n192.0.2.1       RAW\n';
    expect(parseAhosts(text)).toEqual([
      { address: '2001:db8::1', family: 6 },
      { address: '192.0.2.1', family: 4 },
    ]);
  });

  it('takes nothing that is no address, and not without end', () => {
    expect(parseAhosts('\x1b[31mnonsense STREAM\n\nNaN.0.0.1 x')).toEqual([]);
    expect(
      parseAhosts(Array.from({ length: 500 }, (_, i) => `10.0.${i >> 8}.${i & 255} STREAM`).join('\n')),
    ).toHaveLength(32);
  });
});

describe('no_proxy', () => {
  it.each([
    ['*', 'a.example.com', 443, true],
    ['example.com', 'example.com', 443, true],
    ['example.com', 'api.example.com', 443, true],
    ['.example.com', 'api.example.com', 443, true],
    ['*.example.com', 'api.example.com', 443, true],
    ['example.com', 'badexample.com', 443, false],
    ['example.com:8080', 'example.com', 443, false],
    ['example.com:443', 'example.com', 443, true],
    ['localhost, 192.0.2.1', '192.0.2.1', 80, true],
    ['[2001:db8::1]:80', '2001:db8::1', 80, true],
    ['EXAMPLE.com', 'Api.Example.COM', 443, true],
    ['', 'example.com', 443, false],
  ])('%j exempts %s:%i: %s', (noProxy, name, port, exempt) => {
    expect(isExempt(noProxy, name, port)).toBe(exempt);
  });
});
