import { describe, expect, it } from 'vitest';
import { ICMP_ERRORS } from '../../formats/wire/icmp-registry.ts';
import { OUTCOMES } from '../handshake.ts';
import { PATH_LOCATIONS } from '../path.ts';
import { GLOSSARY, glossaryIndex } from './glossary.ts';

function found(text: string): string | undefined {
  const entry = glossaryIndex.find(text)?.entry;
  return entry === undefined ? undefined : `${entry.kind}:${entry.word}`;
}

describe('the glossary', () => {
  // Stages and findings are complete by their types: Record<Stage, ...> and Record<FindingId, ...>.
  it('explains every outcome, location and ICMP error', () => {
    const words = (kind: string) => GLOSSARY.filter((entry) => entry.kind === kind).map(({ word }) => word);
    expect(words('outcome')).toEqual(expect.arrayContaining([...OUTCOMES]));
    expect(words('location')).toEqual(expect.arrayContaining([...PATH_LOCATIONS]));
    expect(words('icmp')).toHaveLength(Object.keys(ICMP_ERRORS).length);
  });

  it('finds every word by its own name, its aliases and its qualified name', () => {
    for (const entry of GLOSSARY) {
      expect(glossaryIndex.find(`${entry.kind}:${entry.word}`)?.entry, `${entry.kind}:${entry.word}`).toBe(entry);
      for (const name of [entry.word, ...(entry.aliases ?? [])]) {
        const { entry: first, others } = glossaryIndex.find(name) ?? { entry: undefined, others: [] };
        expect([first, ...others], name).toContain(entry);
      }
    }
  });

  it.each(
    GLOSSARY.map((entry) => [`${entry.kind}:${entry.word}`, entry] as const),
  )('%s is in good form', (_, entry) => {
    expect(entry.meaning).toMatch(/^(?:[A-Z]|\w+[(.]).*\.$/);
    expect(entry.title).not.toMatch(/[.]$/);
    for (const other of entry.seeAlso ?? []) {
      const target = glossaryIndex.find(other);
      expect(target, `see also ${other}`).toBeDefined();
      expect(target?.entry, `${other} leads to itself`).not.toBe(entry);
    }
    for (const { statement, command } of entry.checks ?? []) {
      expect(statement).toMatch(/[.:?]$/);
      expect(command?.length ?? 0, command).toBeLessThanOrEqual(74);
      expect(command ?? '').toMatch(/^[\x20-\x7e]*$/);
    }
    for (const cause of entry.causes ?? []) expect(cause).not.toMatch(/\.$/);
    const text = JSON.stringify(entry);
    expect(text, 'no markup and no exotic characters').toMatch(/^[\x20-\x5f\x61-\x7e]*$/);
  });
});

describe('looking up', () => {
  it.each([
    ['ListenDrops', 'counter:ListenDrops'],
    ['TcpExtListenDrops', 'counter:ListenDrops'],
    ['tcpext listen-drops', 'counter:ListenDrops'],
    ['SYNs to LISTEN sockets dropped', 'counter:ListenDrops'],
    ['LINUX_MIB_LISTENDROPS', 'counter:ListenDrops'],
    ['TcpExtTCPSynRetrans', 'counter:TCPSynRetrans'],
    ['SynRetrans', 'counter:TCPSynRetrans'],
    ['OutRsts', 'counter:TcpOutRsts'],
    ['OutNoRoutes', 'counter:IpOutNoRoutes'],
    ['Ip6OutNoRoutes', 'counter:Ip6OutNoRoutes'],
    ['IpExtInNoRoutes', 'counter:IpExtInNoRoutes'],
    ['SKB_DROP_REASON_NO_SOCKET', 'drop-reason:NO_SOCKET'],
    ['no socket', 'drop-reason:NO_SOCKET'],
    ['skb-drop-reason-tcp-listen-overflow', 'drop-reason:TCP_LISTEN_OVERFLOW'],
    ['econnrefused', 'errno:ECONNREFUSED'],
    ['Connection refused', 'errno:ECONNREFUSED'],
    ['No route to host', 'errno:EHOSTUNREACH'],
    ['no_reply', 'outcome:no-reply'],
    ['Half Open', 'outcome:half-open'],
    ['term half-open', 'term:half-open'],
    ['late', 'location:late'],
    ['finding late', 'finding:late'],
    ['stage:ack', 'stage:ack'],
    ['syn', 'stage:syn'],
    ['SYN', 'term:SYN'],
    ['icmp 3/13', 'icmp:icmp 3/13'],
    ['icmp 3 13', 'icmp:icmp 3/13'],
    ['ICMP type 3 code 13', 'icmp:icmp 3/13'],
    ['3/13', 'icmp:icmp 3/13'],
    ['icmp-admin-prohibited', 'icmp:icmp 3/13'],
    ['Communication Administratively Prohibited', 'icmp:icmp 3/13'],
    ['icmp6 1/1', 'icmp:icmp6 1/1'],
    ['ICMPv6 type 1, code 1', 'icmp:icmp6 1/1'],
    ['icmpv6 1/4', 'icmp:icmp6 1/4'],
    ['port unreachable', 'icmp:icmp 3/3'],
    ['syn cookies', 'term:SYN-cookies'],
    ['time wait', 'term:TIME-WAIT'],
    ['net.core.somaxconn', 'term:somaxconn'],
  ])('%s is %s', (text, expected) => {
    expect(found(text)).toBe(expected);
  });

  it.each([
    '',
    ' ',
    '-',
    'flummox',
    'icmp 99/1',
    'stage:flummox',
    '3',
    'constructor',
    '__proto__',
  ])('%j is not known', (text) => {
    expect(found(text)).toBeUndefined();
  });

  it('says which words look like an unknown one', () => {
    expect(glossaryIndex.nearest('LstenDrop')[0]).toBe('ListenDrops');
    expect(glossaryIndex.nearest('ECONREFUSED')[0]).toBe('ECONNREFUSED');
    expect(glossaryIndex.nearest('NETFILTR_DROP')[0]).toBe('NETFILTER_DROP');
    expect(glossaryIndex.nearest('overflow').length).toBeGreaterThan(0);
    expect(glossaryIndex.nearest('qqqqqqqqqqqq')).toEqual([]);
    expect(glossaryIndex.nearest('x'.repeat(10_000))).toEqual([]);
  });
});
