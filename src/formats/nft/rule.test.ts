import { describe, expect, test } from 'vitest';
import { bits } from '../netfilter/bits.ts';
import { fate, SYN, SYN_V6 } from '../netfilter/testing/packet.ts';
import { parseNftDump } from './dump.ts';
import { nftTables } from './tables.ts';
import { DROP, nftJson, type TestTable } from './testing/ruleset.ts';

const ip = (field: string): unknown => ({ payload: { protocol: 'ip', field } });
const tcp = (field: string): unknown => ({ payload: { protocol: 'tcp', field } });
const meta = (key: string): unknown => ({ meta: { key } });
const ct = (key: string, dir?: string): unknown => ({ ct: { key, ...(dir === undefined ? {} : { dir }) } });

function match(left: unknown, right: unknown, op = '=='): unknown {
  return { match: { op, left, right } };
}

function inputOf(statements: readonly unknown[], more: Partial<TestTable> = {}): string {
  const text = nftJson({ ...more, chains: { in: { hook: 'input', rules: [[...statements, DROP]] }, ...more.chains } });
  return fate(nftTables(parseNftDump(text)!));
}

/** Whether a rule with this match stops the SYN: `drop`, `drop?` or `pass`. */
function stops(left: unknown, right: unknown, op = '==', more: Partial<TestTable> = {}): string {
  return inputOf([match(left, right, op)], more);
}

describe('matches', () => {
  test.each([
    [ip('saddr'), '198.51.100.20', '==', 'drop'],
    [ip('saddr'), '198.51.100.21', '==', 'pass'],
    [ip('saddr'), { prefix: { addr: '198.51.100.0', len: 24 } }, '==', 'drop'],
    [ip('saddr'), { prefix: { addr: '198.51.100.0', len: 24 } }, '!=', 'pass'],
    [ip('saddr'), { range: ['198.51.100.10', '198.51.100.20'] }, '==', 'drop'],
    [ip('saddr'), { set: ['192.0.2.9', { prefix: { addr: '198.51.0.0', len: 16 } }] }, '==', 'drop'],
    [ip('saddr'), { set: ['192.0.2.9'] }, '!=', 'drop'],
    [{ '&': [ip('saddr'), '0.0.0.255'] }, '0.0.0.20', '==', 'drop'],
    [{ payload: { protocol: 'ip6', field: 'saddr' } }, '2001:db8::1', '!=', 'pass'],
    [ip('protocol'), 'tcp', '==', 'drop'],
    [ip('protocol'), 'udp', '!=', 'drop'],
    [ip('ttl'), 60, '<=', 'drop'],
    [ip('ttl'), 60, '<', 'pass'],
    [ip('length'), 100, '>', 'drop?'],
    [{ '&': [ip('frag-off'), 0x1fff] }, 0, '!=', 'pass'],
    [ip('frag-off'), 0, '==', 'drop?'],
    [{ exthdr: { name: 'rt', field: 'type' } }, 0, '==', 'pass'],
    [{ exthdr: { name: 'frag' } }, true, '==', 'pass'],
    [tcp('dport'), 443, '==', 'drop'],
    [tcp('dport'), { range: [400, 500] }, '!=', 'pass'],
    [tcp('dport'), 442, '>', 'drop'],
    [tcp('dport'), { elem: { val: 443, counter: { packets: 1, bytes: 1 } } }, '==', 'drop'],
    [{ payload: { protocol: 'udp', field: 'dport' } }, 443, '!=', 'pass'],
    [{ payload: { base: 'th', offset: 16, len: 16 } }, 443, '==', 'drop'],
    [{ payload: { base: 'nh', offset: 0, len: 8 } }, 69, '==', 'drop?'],
    [{ concat: [ip('saddr'), tcp('dport')] }, { set: [{ concat: ['198.51.100.20', 443] }] }, '==', 'drop'],
    [
      { concat: [ip('saddr'), tcp('dport')] },
      { set: [{ concat: ['198.51.100.20', { range: [1, 9] }] }] },
      '==',
      'pass',
    ],
    [tcp('flags'), 'syn', 'in', 'drop'],
    [tcp('flags'), ['syn', 'ack'], 'in', 'drop'],
    [tcp('flags'), { '|': ['syn', 'ack'] }, '==', 'pass'],
    [tcp('flags'), 'syn', '!', 'pass'],
    [tcp('flags'), 18, '!=', 'drop'],
    [{ '&': [tcp('flags'), ['fin', 'syn', 'rst', 'ack']] }, 'syn', '==', 'drop'],
    [meta('l4proto'), { set: ['tcp', 'udp'] }, '==', 'drop'],
    [meta('nfproto'), 'ipv6', '==', 'pass'],
    [meta('iifname'), 'eth*', '==', 'drop'],
    [meta('iifname'), { set: ['lo', 'eth0'] }, '==', 'drop'],
    [meta('oifname'), 'eth0', '==', 'pass'],
    [meta('mark'), 0, '==', 'drop'],
    [{ '&': [meta('mark'), 255] }, 1, '!=', 'drop'],
    [meta('skuid'), 0, '!=', 'pass'],
    [meta('pkttype'), 'host', '==', 'drop'],
    [meta('hour'), { range: ['08:00', '17:00'] }, '==', 'drop?'],
    [ct('state'), 'new', 'in', 'drop'],
    [ct('state'), ['established', 'related'], 'in', 'pass'],
    [ct('state'), { set: ['new', 'untracked'] }, '==', 'drop'],
    [ct('direction'), 'original', '==', 'drop'],
    [ct('status'), 'dnat', 'in', 'pass'],
    [ct('mark'), 0, '==', 'drop'],
    [ct('ip saddr', 'original'), '198.51.100.20', '==', 'drop'],
    [ct('bytes'), 100, '>', 'drop?'],
    [{ fib: { result: 'type', flags: ['daddr'] } }, 'local', '==', 'drop'],
    [{ fib: { result: 'oif', flags: ['saddr', 'iif'] } }, false, '==', 'pass'],
    [{ fib: { result: 'oif', flags: 'saddr' } }, true, '==', 'drop'],
    [{ 'tcp option': { name: 'maxseg', field: 'size' } }, { range: [1, 500] }, '==', 'pass'],
    [{ 'tcp option': { name: 'timestamp' } }, true, '==', 'drop'],
    [{ 'tcp option': { name: 'window', field: 'count' } }, 7, '!=', 'pass'],
    [{ 'tcp option': { name: 'sack-perm' } }, true, '==', 'drop?'],
    [{ numgen: { mode: 'random', mod: 1, offset: 0 } }, 0, '==', 'drop'],
    [{ numgen: { mode: 'random', mod: 2, offset: 0 } }, 0, '==', 'drop?'],
  ])('%j %j %s: %s', (left, right, op, expected) => {
    expect(stops(left, right, op)).toBe(expected);
  });

  test('both sides may be read from the packet', () => {
    expect(stops(tcp('sport'), tcp('dport'))).toBe('pass');
    expect(stops(meta('mark'), ct('mark'))).toBe('drop');
  });
});

describe('named sets', () => {
  const sets = (set: Record<string, unknown>) => ({ sets: [{ name: 's', type: 'ipv4_addr', ...set }] });

  test('elements decide; one that is empty has none', () => {
    expect(stops(ip('saddr'), '@s', '==', sets({ elem: ['198.51.100.20'] }))).toBe('drop');
    expect(stops(ip('saddr'), '@s', '!=', sets({}))).toBe('drop');
    expect(stops(ip('saddr'), '@s', '==', sets({ elem: ['*'] }))).toBe('drop');
    expect(stops(ip('saddr'), '@missing')).toBe('drop?');
  });

  test('elements that come and go leave doubt', () => {
    expect(stops(ip('saddr'), '@s', '==', sets({ flags: ['timeout'], elem: ['198.51.100.20'] }))).toBe('drop?');
    const updated = { update: { rules: [[{ set: { op: 'add', elem: ip('saddr'), set: '@s' } }]] } };
    expect(stops(ip('saddr'), '@s', '==', { ...sets({}), chains: updated })).toBe('drop?');
  });

  test('two readings that agree leave none', () => {
    const text = (elem: unknown[]) =>
      nftJson({
        ...sets({ flags: ['timeout'], elem }),
        chains: { in: { hook: 'input', rules: [[match(ip('saddr'), '@s'), DROP]] } },
      });
    const [held, empty] = [parseNftDump(text(['198.51.100.20']))!, parseNftDump(text([]))!];
    expect(fate(nftTables(held, held))).toBe('drop');
    expect(fate(nftTables(empty, empty))).toBe('pass');
    expect(fate(nftTables(empty, held))).toBe('drop?');
    const terse = parseNftDump(
      nftJson({ sets: [{ name: 's' }], chains: { in: { hook: 'input', rules: [[match(ip('saddr'), '@s'), DROP]] } } }),
      { terse: true },
    )!;
    expect(fate(nftTables(terse))).toBe('drop?');
  });
});

describe('statements', () => {
  test('a verdict map sends each key its way', () => {
    const data = {
      set: [
        [443, { jump: { target: 'web' } }],
        [{ range: [1, 99] }, { accept: null }],
      ],
    };
    const web = { web: { rules: [[DROP]] } };
    const rules = [[{ vmap: { key: tcp('dport'), data } }]];
    const of = (packet: typeof SYN) =>
      fate(
        nftTables(parseNftDump(nftJson({ chains: { in: { hook: 'input', policy: 'drop', rules }, ...web } }))!),
        packet,
      );
    expect(of(SYN)).toBe('drop');
    expect(of({ ...SYN, destinationPort: bits(80) })).toBe('pass');
    expect(of({ ...SYN, destinationPort: bits(4000) })).toBe('drop');
  });

  test('one of all numbers is drawn', () => {
    const data = (...verdicts: unknown[]) => ({ set: verdicts.map((verdict, index) => [index, verdict]) });
    const draw = (map: unknown) =>
      fate(
        nftTables(
          parseNftDump(
            nftJson({
              chains: {
                in: {
                  hook: 'input',
                  policy: 'drop',
                  rules: [[{ vmap: { key: { numgen: { mode: 'random', mod: 2 } }, data: map } }]],
                },
              },
            }),
          )!,
        ),
      );
    expect(draw(data({ accept: null }, { accept: null }))).toBe('pass');
    expect(draw(data({ accept: null }))).toBe('drop?');
  });

  test('marks are written and read, bit by bit', () => {
    const set = (value: unknown) => ({ mangle: { key: meta('mark'), value } });
    expect(inputOf([set({ '|': [meta('mark'), 4] }), match({ '&': [meta('mark'), 4] }, 4)])).toBe('drop');
    expect(inputOf([set({ '^': [meta('mark'), 4] }), match(meta('mark'), 4)])).toBe('drop');
    const saved = [{ mangle: { key: ct('mark'), value: 7 } }, set(ct('mark')), match(meta('mark'), 7)];
    expect(inputOf(saved)).toBe('drop');
  });

  test('a reject for the other family is none', () => {
    const tables = (type: string) =>
      nftTables(
        parseNftDump(
          nftJson({ chains: { in: { hook: 'input', rules: [[{ reject: { type, expr: 'port-unreachable' } }]] } } }),
        )!,
      );
    expect([fate(tables('icmp')), fate(tables('icmp'), SYN_V6)]).toEqual(['reject', 'pass']);
    expect([fate(tables('icmpv6')), fate(tables('icmpv6'), SYN_V6)]).toEqual(['pass', 'reject']);
    expect([fate(tables('icmpx')), fate(tables('icmpx'), SYN_V6)]).toEqual(['reject', 'reject']);
  });

  test('an element with a limit of its own limits', () => {
    const limit = { limit: { rate: 3, per: 'minute', inv: true } };
    expect(inputOf([{ set: { op: 'add', elem: ip('saddr'), set: '@s', stmt: [limit] } }])).toBe('drop?');
    expect(inputOf([{ set: { op: 'add', elem: ip('saddr'), set: '@s' } }])).toBe('drop');
    expect(inputOf([{ meter: { key: ip('saddr'), stmt: limit, name: 'm' } }])).toBe('drop?');
    expect(inputOf([{ set: { op: 'add', elem: { payload: { protocol: 'ip6', field: 'saddr' } }, set: '@s' } }])).toBe(
      'pass',
    );
  });

  test('a translation that changes nothing is none for ct status', () => {
    const to = (port: number) =>
      nftTables(
        parseNftDump(
          nftJson({
            chains: {
              pre: { hook: 'prerouting', type: 'nat', prio: -100, rules: [[{ redirect: { port } }]] },
              in: { hook: 'input', rules: [[match(ct('status'), 'dnat', 'in'), DROP]] },
            },
          }),
        )!,
      );
    expect([fate(to(443)), fate(to(8443))]).toEqual(['redirect pass', 'redirect drop']);
  });

  test('chains of the other family, and hooks that the packet does not meet, do nothing', () => {
    const drop = (family: string, hook: string) =>
      fate(nftTables(parseNftDump(nftJson({ family, chains: { c: { hook, rules: [[DROP]] } } }))!));
    expect(drop('ip6', 'input')).toBe('pass');
    expect(drop('inet', 'output')).toBe('pass');
    expect(drop('inet', 'forward')).toBe('pass');
    expect(drop('arp', 'input')).toBe('pass');
  });

  test('an accept ends its own chain only', () => {
    const chains = {
      first: { hook: 'input', prio: -5, rules: [[{ accept: null }]] },
      second: { hook: 'input', prio: 5, rules: [[DROP]] },
    };
    expect(fate(nftTables(parseNftDump(nftJson({ chains }))!))).toBe('drop');
  });

  test('goto does not come back to where it left, but to where that was called', () => {
    const chains = {
      in: { hook: 'input', rules: [[{ jump: { target: 'a' } }], [{ accept: null }]], policy: 'drop' },
      a: { rules: [[{ goto: { target: 'b' } }], [DROP]] },
      b: { rules: [[{ counter: null }]] },
    };
    expect(fate(nftTables(parseNftDump(nftJson({ chains }))!))).toBe('pass');
  });
});
