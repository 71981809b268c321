import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseNetworkJournal } from './network-lines.ts';

const JOURNAL = readFileSync(new URL('../../../fixtures/journal/short-unix.txt', import.meta.url), 'utf8');

test('messages about links and leases, and no others', () => {
  expect(parseNetworkJournal(JOURNAL).map(({ what, text }) => [what, text.split(' ')[0]])).toEqual([
    ['link-down', 'systemd-networkd:'],
    ['address-deleted', 'systemd-networkd:'],
    ['link-up', 'systemd-networkd:'],
    ['address-added', 'systemd-networkd:'],
    ['link-down', 'kernel:'],
    ['link-up', 'kernel:'],
    ['other', 'NetworkManager:'],
    ['address-deleted', 'NetworkManager:'],
    ['link-down', 'kernel:'],
  ]);
  expect(parseNetworkJournal(JOURNAL)[0]).toEqual({
    timeMs: 1795238485101.014,
    what: 'link-down',
    text: 'systemd-networkd: eth0: Lost carrier',
  });
});

test('anything at all', () => {
  fc.assert(fc.property(fc.string(), (line) => void parseNetworkJournal(`1700000000.1 h kernel: ${line}`)));
  expect(parseNetworkJournal('No journal files were found.\n')).toEqual([]);
});
