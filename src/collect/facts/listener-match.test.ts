import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Listener } from '../../model/facts/sockets.ts';
import { matchListeners } from './listener-match.ts';

function listener(family: 4 | 6, address: string, extra: Partial<Listener> = {}): Listener {
  return { family, address, port: 443, v6only: false, acceptQueue: 0, backlog: 5, owners: [], ...extra };
}

const KINDS: Readonly<Record<string, Listener>> = {
  any4: listener(4, '0.0.0.0'),
  any6: listener(6, '::'),
  only6: listener(6, '::', { v6only: true }),
  lo4: listener(4, '127.0.0.1'),
  ex4: listener(4, '198.51.100.2'),
  map4: listener(6, '198.51.100.2'),
  ex6: listener(6, '2001:db8:5::2', { v6only: true }),
  dev4: listener(4, '0.0.0.0', { device: 'lo' }),
  dev6: listener(6, '::', { device: 'lo' }),
  off4: listener(4, '0.0.0.0', { device: 'veth0' }),
  exdev4: listener(4, '198.51.100.2', { device: 'lo' }),
};

interface Recorded {
  readonly listeners: readonly string[];
  readonly v4: readonly string[];
  readonly v6: readonly string[];
}

const RECORDED: readonly Recorded[] = JSON.parse(
  readFileSync(new URL('../../../fixtures/ss/listener-takers.json', import.meta.url), 'utf8'),
);

describe('the kernel gave the connection to one that matches', () => {
  const v4 = { family: 4, address: '198.51.100.2', port: 443, device: 'lo', l3mdevAccept: false } as const;
  const v6 = { ...v4, family: 6, address: '2001:db8:5::2' } as const;
  for (const recorded of RECORDED) {
    test(recorded.listeners.join(' and '), () => {
      const listeners = recorded.listeners.map((kind) => KINDS[kind] ?? listener(4, kind));
      for (const [wanted, takers] of [
        [v4, recorded.v4],
        [v6, recorded.v6],
      ] as const) {
        const { matching, mismatched } = matchListeners(listeners, wanted);
        expect(matching.length === 0).toBe(takers.length === 0);
        expect(takers.every((kind) => matching.includes(KINDS[kind] ?? listener(4, kind)))).toBe(true);
        expect(mismatched.some(({ listener: other }) => matching.includes(other))).toBe(false);
      }
    });
  }
});

const SYN = { family: 4, address: '192.0.2.1', port: 443, device: 'eth0', l3mdevAccept: false } as const;

function whys(listeners: readonly Listener[], wanted: Parameters<typeof matchListeners>[1]): string[] {
  return matchListeners(listeners, wanted).mismatched.map(({ why }) => why);
}

test('why a listener does not take it', () => {
  expect(whys([listener(4, '127.0.0.1')], SYN)).toEqual(['address']);
  expect(whys([listener(6, '::', { v6only: true })], SYN)).toEqual(['family']);
  expect(whys([listener(6, '::1')], SYN)).toEqual(['family']);
  expect(whys([listener(4, '0.0.0.0')], { ...SYN, family: 6, address: '2001:db8::1' })).toEqual(['family']);
  expect(whys([listener(4, '0.0.0.0', { device: 'eth1' })], SYN)).toEqual(['device']);
  expect(whys([listener(4, '0.0.0.0', { port: 80 })], SYN)).toEqual([]);
});

test('a listener in no VRF takes nothing from one, unless tcp_l3mdev_accept says so', () => {
  const listeners = [listener(4, '0.0.0.0')];
  expect(whys(listeners, { ...SYN, vrf: 'red' })).toEqual(['device']);
  expect(whys(listeners, { ...SYN, vrf: 'red', l3mdevAccept: true })).toEqual([]);
  expect(whys([listener(4, '0.0.0.0', { device: 'red' })], { ...SYN, vrf: 'red' })).toEqual([]);
});

test('a group shares the SYNs; a wildcard behind the very address gets none', () => {
  const group = [listener(4, '0.0.0.0', { inode: 1 }), listener(4, '0.0.0.0', { inode: 2 })];
  expect(matchListeners(group, SYN).matching).toHaveLength(2);
  const shadowed = [...group, listener(4, '192.0.2.1', { inode: 3 })];
  expect(matchListeners(shadowed, SYN)).toEqual({ matching: [shadowed[2]], mismatched: [] });
});

test('where nothing was asked for in particular, any listener on the port will do', () => {
  const listeners = [listener(6, '::1'), listener(4, '192.0.2.1')];
  expect(matchListeners(listeners, { ...SYN, address: '0.0.0.0' }).matching).toHaveLength(2);
});

test('an interface that is not known is held against nobody', () => {
  const { device: _, ...wanted } = SYN;
  expect(whys([listener(4, '0.0.0.0', { device: 'eth1' })], wanted)).toEqual([]);
});
