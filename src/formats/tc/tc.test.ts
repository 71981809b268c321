import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { surelyDropping, type TcPacket } from './evaluate-filters.ts';
import { parseFilters } from './filters.ts';
import { parseQdiscs } from './qdiscs.ts';

function fixture(name: string): string {
  return readFileSync(new URL(`../../../fixtures/tc/${name}`, import.meta.url), 'utf8');
}

const SYN: TcPacket = {
  family: 4,
  source: '198.51.100.7',
  destination: '192.0.2.2',
  sourcePort: 50000,
  destinationPort: 443,
  flags: 0x02,
};
const SYN6: TcPacket = { ...SYN, family: 6, source: '2001:db8:1::7', destination: '2001:db8:2::2' };

describe('parseQdiscs', () => {
  const qdiscs = parseQdiscs(fixture('qdiscs.txt'));

  test('kinds, places and counters', () => {
    expect(qdiscs.map(({ device, kind, handle, parent }) => [device, kind, handle, parent])).toEqual([
      ['lo', 'htb', '1:', undefined],
      ['eth0', 'tbf', '1:', undefined],
      ['eth0', 'clsact', 'ffff:', 'ffff:fff1'],
      ['eth1', 'noqueue', '0:', undefined],
      ['eth1', 'ingress', 'ffff:', 'ffff:fff1'],
      ['port0', 'bfifo', expect.stringMatching(/^\w+:$/), undefined],
      ['br0', 'noqueue', '0:', undefined],
    ]);
    const tbf = qdiscs.find(({ kind }) => kind === 'tbf');
    expect(tbf?.dropped).toBeGreaterThan(0);
    expect(tbf?.text).toBe('qdisc tbf 1: dev eth0 root refcnt 3 rate 1Mbit burst 1500b lat 12ms');
    expect(qdiscs.find(({ kind }) => kind === 'clsact')?.dropped).toBeGreaterThan(0);
  });
});

describe('parseFilters', () => {
  test('u32 with its words, bpf with its program', () => {
    const filters = parseFilters(fixture('filters-eth0-ingress.txt')).filter(({ handle }) => handle !== undefined);
    const entries = filters.filter(({ actions, words, kind }) => kind === 'bpf' || actions.length + words.length > 0);
    expect(entries.map(({ protocol, preference, kind }) => [protocol, preference, kind])).toEqual([
      ['ipv6', 5, 'u32'],
      ['ip', 6, 'u32'],
      ['ip', 7, 'u32'],
      ['all', 49152, 'bpf'],
    ]);
    expect(entries[0]).toMatchObject({
      words: [
        { value: 0x50, mask: 0xffff, offset: 40 },
        { value: 0x20010db8, mask: 0xffffffff, offset: 8 },
      ],
      actions: [{ kind: 'mirred', control: 'pipe' }],
      unknown: false,
    });
    expect(entries[1]).toMatchObject({ actions: [{ kind: 'mirred', control: 'stolen' }] });
    expect(entries[3]).toMatchObject({
      directAction: true,
      program: { id: expect.any(Number), name: 'tc_shot:[*fsobj]' },
      actions: [],
    });
  });

  test('flower with its keys; heads and entries on one line', () => {
    const filters = parseFilters(fixture('flower.txt'));
    expect(filters.map(({ kind, handle }) => [kind, handle])).toEqual([
      ['flower', undefined],
      ['flower', '0x1'],
      ['flower', undefined],
      ['flower', '0x1'],
      ['matchall', undefined],
      ['matchall', '0x1'],
    ]);
    expect([...filters[1]!.keys]).toEqual([
      ['eth_type', 'ipv4'],
      ['ip_proto', 'tcp'],
      ['dst_ip', '192.0.2.0/24'],
      ['src_ip', '198.51.100.0/24'],
      ['dst_port', '443'],
    ]);
    expect(filters[1]).toMatchObject({ dropped: 3, actions: [{ kind: 'gact', control: 'drop' }] });
    expect(filters[1]?.text).toMatch(/^filter protocol ip pref 10 flower .* dst_port 443 .*gact action drop$/);
  });

  test('police', () => {
    const [, filter] = parseFilters(fixture('police.txt'));
    expect(filter).toMatchObject({ dropped: 41, overlimits: 41, actions: [{ kind: 'police' }] });
  });

  test('anything at all', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        for (const filter of parseFilters(`filter protocol ip pref 1 u32 ${text}`)) surelyDropping([filter], SYN);
        parseQdiscs(`qdisc ${text}`);
      }),
    );
  });
});

describe('surelyDropping', () => {
  const flower = parseFilters(fixture('flower.txt')).slice(0, 4);
  const withoutMatchall = (packet: TcPacket): unknown => surelyDropping(flower, packet)?.preference;

  test('a flower drops what all its keys cover', () => {
    expect(withoutMatchall(SYN)).toBe(10);
    expect(withoutMatchall({ ...SYN, destinationPort: 80 })).toBeUndefined();
    expect(withoutMatchall({ ...SYN, source: '203.0.113.1' })).toBeUndefined();
    expect(withoutMatchall(SYN6)).toBeUndefined();
  });

  test('a key that is not seen is not sure', () => {
    expect(withoutMatchall({ ...SYN6, source: '2001:db8:5c5::1' })).toBeUndefined();
  });

  test('matchall drops everything that gets there', () => {
    expect(surelyDropping(parseFilters(fixture('flower.txt')), SYN6)?.preference).toBe(49150);
  });

  test('not what an earlier filter may have let through', () => {
    const pass = parseFilters(`filter protocol ip pref 1 flower chain 0 handle 0x1
  eth_type ipv4
  dst_mac 02:00:00:00:00:01
  not_in_hw
	action order 1: gact action pass
	 random type none pass val 0
`);
    expect(surelyDropping([...flower, ...pass], SYN)).toBeUndefined();
    const other = parseFilters(`filter protocol ip pref 1 flower chain 0 handle 0x1
  eth_type ipv4
  dst_port 80
  not_in_hw
	action order 1: gact action pass
	 random type none pass val 0
`);
    expect(surelyDropping([...flower, ...other], SYN)?.preference).toBe(10);
  });

  test('not a policer, a program, a random drop, or one that is only in hardware', () => {
    expect(surelyDropping(parseFilters(fixture('police.txt')), SYN)).toBeUndefined();
    expect(surelyDropping(parseFilters(fixture('filters-eth0-ingress.txt')), SYN)).toBeUndefined();
    const random = fixture('flower.txt').replace('random type none', 'random type netrand');
    expect(surelyDropping(parseFilters(random).slice(0, 2), SYN)).toBeUndefined();
    const hardware = fixture('flower.txt').replace('  not_in_hw', '  skip_sw\n  in_hw in_hw_count 1');
    expect(surelyDropping(parseFilters(hardware).slice(0, 2), SYN)).toBeUndefined();
  });

  test('u32 words against the header', () => {
    const u32 = (words: string): unknown =>
      surelyDropping(
        parseFilters(`filter protocol ip pref 1 u32 chain 0 fh 800::800 order 2048 key ht 800 bkt 0 terminal flowid not_in_hw
${words}
	action order 1: gact action drop
	 random type none pass val 0
`),
        SYN,
      ) !== undefined;
    expect(u32('  match c0000202/ffffffff at 16')).toBe(true);
    expect(u32('  match c0000203/ffffffff at 16')).toBe(false);
    expect(u32('  match 000001bb/0000ffff at 20\n  match 00060000/00ff0000 at 8')).toBe(true);
    expect(u32('  match 00000050/0000ffff at 20')).toBe(false);
    expect(u32('  match 00020000/00170000 at 32')).toBe(true);
    // The length of the packet is not known.
    expect(u32('  match 00000028/0000ffff at 0')).toBe(false);
    expect(u32('  match 000001bb/0000ffff at nexthdr+0')).toBe(false);
  });
});
