import { describe, expect, it } from 'vitest';
import { ClientNetworks, clientNetwork } from './client-networks.ts';
import { DueQueue } from './due-queue.ts';
import { isWanted } from './namespace-scan.ts';
import { PortRates } from './port-rates.ts';
import { ScanWatch } from './scan-watch.ts';
import { ServiceCounts } from './service-counts.ts';

describe('clients', () => {
  it.each([
    ['192.0.2.77', '192.0.2.0/24'],
    ['2001:db8:1:2::3', '2001:db8:1::/48'],
    ['fe80::1%eth0', 'fe80::/48'],
  ])('%s is of %s', (address, network) => expect(clientNetwork(address)).toBe(network));

  it('are counted with bounded memory', () => {
    const networks = new ClientNetworks();
    for (let i = 0; i < 10_000; i++) networks.add(`10.${i >> 8}.${i & 255}.1`);
    networks.add('10.0.0.9');
    expect(networks.top(1)).toEqual([{ network: '10.0.0.0/24', attempts: 2 }]);
    expect(networks.top(100_000).length).toBeLessThanOrEqual(512);
    expect(networks.clients).toBe(10_001);
  });

  it('that try many ports within a minute scan, and are known for a while', () => {
    const scans = new ScanWatch();
    const verdicts = [1, 2, 3, 4].map((port) => scans.note('192.0.2.1', port, 1000 + port, 3));
    expect(verdicts).toEqual(['no', 'no', 'new', 'known']);
    expect(scans.note('192.0.2.1', 9, 60_000, 3)).toBe('known');
    expect(scans.note('192.0.2.1', 9, 2_000_000, 3)).toBe('no');
    // The same port again and again, and ports over hours, are no scan.
    for (let i = 0; i < 50; i++) expect(scans.note('192.0.2.2', 443, i, 3)).toBe('no');
    for (let i = 0; i < 50; i++) expect(scans.note('192.0.2.3', i, i * 40_000, 3)).toBe('no');
  });
});

it('rows come when they are due, in order, however many there are', () => {
  const queue = new DueQueue();
  for (let i = 0; i < 1000; i++) queue.add(i, 2 * i, i);
  const taken: number[] = [];
  queue.take(299, (row, mark) => taken.push(row + mark));
  for (let i = 1000; i < 1300; i++) queue.add(i, 2 * i, i);
  expect(queue.next).toBe(300);
  queue.take(Number.POSITIVE_INFINITY, (row, mark) => taken.push(row + mark));
  expect(taken).toEqual(Array.from({ length: 1300 }, (_, i) => 3 * i));
  expect(queue.next).toBe(Number.POSITIVE_INFINITY);
});

it('a port with too many handshakes is sampled, others are not, and it is over when it has calmed down', () => {
  const rates = new PortRates();
  let nowMs = 1000;
  let settled = 0;
  const second = (port: number, captured: number): boolean => {
    let changed = false;
    for (let quarter = 0; quarter < 4; quarter++) {
      // The filter leaves out what is not sampled; some of what it let through before comes late.
      const shift = rates.shiftOf(port);
      const late = quarter === 0 ? 0 : captured / 20;
      for (let i = 0; i < captured / 4 / 2 ** shift + (shift === settled ? 0 : late); i++) rates.note(port, false);
      settled = shift;
      rates.note(22, false);
      nowMs += 250;
      changed = rates.look(nowMs, 500) || changed;
    }
    return changed;
  };
  rates.look(nowMs, 500);
  expect(second(443, 400)).toBe(false);
  expect(second(443, 20_000)).toBe(true);
  expect(rates.sampled).toEqual({ sampled: [{ port: 443, shift: 6 }], restShift: 0 });
  expect([rates.shiftOf(443), rates.shiftOf(22)]).toEqual([6, 0]);
  expect(second(443, 20_000)).toBe(false);
  expect(rates.rateOf(443)).toBeGreaterThan(15_000);
  expect(rates.rateOf(443)).toBeLessThan(25_000);
  let seconds = 0;
  while (rates.shiftOf(443) > 0 && seconds < 100) {
    second(443, 0);
    seconds++;
  }
  expect(seconds).toBeGreaterThan(5);
  expect(rates.sampled).toEqual({ sampled: [], restShift: 0 });
});

it('answers to forged addresses do not make a port be sampled as attempts to it would', () => {
  const look = (isStray: boolean, count: number): boolean => {
    const rates = new PortRates();
    rates.look(1000, 500);
    for (let i = 0; i < count; i++) rates.note(8443, isStray);
    return rates.look(1250, 500);
  };
  expect(look(false, 511)).toBe(true);
  expect(look(true, 511)).toBe(false);
  expect(look(true, 50_000)).toBe(true);
});

it('handshakes are counted by service, and summed up over a minute', () => {
  const counts = new ServiceCounts();
  counts.add('local', 'inbound', 443, 'answered', 64);
  counts.add('local', 'inbound', 443, 'failed', 1);
  counts.add('netns:web', 'outbound', 443, 'refused', 1);
  expect(counts.lastMinute('inbound').get('local 443')).toEqual({ answered: 64, refused: 0, failed: 1 });
  expect(counts.turn(Date.now())).toEqual([]);
  const turned = counts.turn(Date.now() + 20_000);
  expect(turned).toMatchObject([
    { service: { direction: 'inbound', namespace: 'local', port: 443 }, answered: 64, failed: 1 },
    { service: { direction: 'outbound', namespace: 'netns:web', port: 443 }, refused: 1 },
  ]);
  expect(counts.totals).toEqual({ answered: 64, refused: 1, failed: 1 });
});

it.each([
  ['local', ['*'], [], true],
  ['netns:web', ['web'], [], true],
  ['netns:web', ['netns:w*'], [], true],
  ['netns:web', ['*'], ['web'], false],
  ['pid:4711', ['local', 'netns:*'], [], false],
])('%s is asked for by %j without %j: %s', (spec, include, exclude, wanted) => {
  expect(isWanted(spec, include, exclude)).toBe(wanted);
});
