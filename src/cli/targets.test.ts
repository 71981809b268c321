import { describe, expect, it } from 'vitest';
import { UsageError } from './command.ts';
import { parseConnectTarget } from './connect-options.ts';
import { parseDuration } from './host-options.ts';
import { parseListenTarget } from './listen.ts';

describe('the target of listen', () => {
  it.each([
    ['443', { port: 443 }],
    ['*:443', { port: 443 }],
    ['192.0.2.1:443', { port: 443, address: '192.0.2.1' }],
    ['[2001:db8::1]:443', { port: 443, address: '2001:db8::1' }],
  ])('%s', (text, target) => {
    expect(parseListenTarget(text)).toEqual(target);
  });

  it.each([
    '',
    '0',
    '65536',
    'https',
    '2001:db8::1:443',
    '[nonsense]:443',
    '192.0.2.999:443',
    '443; reboot',
    '-1',
  ])('is not %j', (text) => {
    expect(() => parseListenTarget(text)).toThrow(UsageError);
  });
});

describe('the target of connect', () => {
  it.each([
    ['api.example.com:443', { name: 'api.example.com', port: 443 }],
    ['192.0.2.1:22', { name: '192.0.2.1', port: 22 }],
    ['[2001:db8::1]:443', { name: '2001:db8::1', port: 443 }],
    ['[fe80::1%eth0]:443', { name: 'fe80::1%eth0', port: 443 }],
    ['https://api.example.com/v1?x=1', { name: 'api.example.com', port: 443, scheme: 'https' }],
    ['http://[2001:db8::1]:8080/', { name: '2001:db8::1', port: 8080, scheme: 'http' }],
    ['wss://chat.example.com', { name: 'chat.example.com', port: 443, scheme: 'https' }],
  ])('%s', (text, target) => {
    expect(parseConnectTarget(text)).toEqual(target);
  });

  it.each([
    '',
    'example.com',
    'example.com:0',
    'example.com:99999',
    '-oProxyCommand=x:22',
    'a b:22',
    'gopher://example.com',
    'http://',
  ])('is not %j', (text) => {
    expect(() => parseConnectTarget(text)).toThrow(UsageError);
  });
});

describe('a duration', () => {
  it.each([
    ['30s', 30_000],
    ['30', 30_000],
    ['500ms', 500],
    ['1.5m', 90_000],
    ['2min', 120_000],
    ['1h', 3_600_000],
  ])('%s', (text, ms) => {
    expect(parseDuration('--for', text)).toBe(ms);
  });

  it.each(['', 's', '-1s', '5 days', '1e3'])('is not %j', (text) => {
    expect(() => parseDuration('--for', text)).toThrow(/--for takes a time/);
  });
});
