import { describe, expect, test } from 'vitest';
import { ACCEPT, counter, ctState, DROP, dport, nftJson } from '../../formats/nft/testing/ruleset.ts';
import type { Attempt } from '../../model/facts/attempt.ts';
import type { Facts } from './gather.ts';
import { BASELINE_NS, filterOf, NFT, short } from './testing/filter-question.ts';

const LIMIT = { limit: { rate: 1, per: 'hour', burst: 1, inv: true } };
const OTHERS_COUNT: Facts = {
  counters: {
    value: { now: { 'nf_conntrack.invalid': 5 }, growth: { 'nf_conntrack.invalid': 5 }, intervalMs: 1000 },
    source: '',
  },
};

function input(...rules: readonly (readonly unknown[])[]): Record<string, string> {
  return { [NFT]: nftJson({ chains: { in: { hook: 'input', rules } } }) };
}

/** A watched attempt whose SYN came so long after the first reading. */
function since(afterNs: bigint): Partial<Attempt> {
  const startedAtNs = BASELINE_NS + afterNs;
  const handshake = {
    client: { address: '198.51.100.20', port: 50204 },
    server: { address: '192.0.2.1', port: 443 },
    outcome: 'no-reply',
    stage: 'syn',
    segments: [],
    omittedSegments: 0,
    synRetransmissions: 0,
    synAckRetransmissions: 0,
    startedAtNs,
    endedAtNs: startedAtNs,
    encapsulation: [],
    findings: [],
  } as const;
  return { handshake };
}

const WATCHED = { port: 443, observed: true, attempt: since(5n) } as const;

describe('counters of the watch', () => {
  test('growth stands with the rule that counted, and rules that stopped packets are listed whatever they match', async () => {
    const rules = (first: number, second: number) =>
      input(
        [dport(443), counter(first), DROP],
        [dport(25), counter(second), { reject: null }],
        [dport(80), counter(9), ACCEPT],
      );
    const filter = await filterOf(rules(7, 3), WATCHED, { before: rules(5, 1) });
    expect(filter.hits[0]).toMatchObject({ handle: 1, packetsDelta: 2, packets: 7, certainty: 'certain' });
    expect(filter.counted).toMatchObject([
      { handle: 1, certainty: 'certain', packetsDelta: 2 },
      {
        handle: 2,
        certainty: 'unknown',
        packetsDelta: 2,
        verdict: 'reject-icmp',
        packet: 'syn-in',
        text: 'tcp dport 25 counter reject',
      },
    ]);
  });

  test('a counter before a limit counts what then passes: it proves nothing', async () => {
    const rules = (packets: number) => input([dport(443), counter(packets), LIMIT, DROP]);
    const filter = await filterOf(rules(7), WATCHED, { before: rules(5) });
    expect(short(filter)).toEqual([
      'drop depends [rate-limit] tcp dport 443 counter limit rate over 1/hour burst 1 packets drop',
    ]);
    expect(filter.hits[0]).not.toHaveProperty('packetsDelta');
    expect(filter.counted).toEqual([]);
  });

  test('without a reading before there is no growth', async () => {
    const filter = await filterOf(input([dport(443), counter(7), DROP]), { port: 443 });
    expect(filter.hits[0]).not.toHaveProperty('packetsDelta');
    expect(filter.hits[0]).toMatchObject({ packets: 7 });
  });

  test('a counter that was reset, and a rule that was added, have no growth', async () => {
    const before = input([dport(443), counter(9), DROP]);
    const reset = await filterOf(input([dport(443), counter(2), DROP]), WATCHED, { before });
    expect(reset.hits[0]).not.toHaveProperty('packetsDelta');
    const added = await filterOf(input([], [dport(443), counter(2), DROP]), WATCHED, { before });
    expect(added.hits[0]).not.toHaveProperty('packetsDelta');
  });

  test('policies of iptables are counted', async () => {
    const save = (packets: number): Record<string, string> => ({
      'iptables-save -c': `*filter\n:INPUT DROP [${packets}:0]\nCOMMIT\n`,
    });
    const filter = await filterOf(save(4), WATCHED, { before: save(1) });
    expect(filter.hits[0]).toMatchObject({ policy: true, packetsDelta: 3, text: '-P INPUT DROP' });
    expect(filter.counted).toMatchObject([{ policy: true, packetsDelta: 3 }]);
  });

  test('a rule of iptables is found again although rules before it came and went', async () => {
    const save = (rules: string): Record<string, string> => ({
      'iptables-save -c': `*filter\n:INPUT ACCEPT [0:0]\n${rules}COMMIT\n`,
    });
    const now = save(
      '[9:0] -A INPUT -p tcp -m tcp --dport 25 -j DROP\n[6:0] -A INPUT -p tcp -m tcp --dport 443 -j DROP\n',
    );
    const before = save('[5:0] -A INPUT -p tcp -m tcp --dport 443 -j DROP\n');
    expect((await filterOf(now, WATCHED, { before })).hits[0]).toMatchObject({ handle: 2, packetsDelta: 1 });
  });
});

describe('a counter that stood still while the SYN was seen', () => {
  const still = input([dport(443), LIMIT, counter(3), DROP], [dport(443), ctState('new'), ACCEPT]);

  test('refutes a rule that was in doubt', async () => {
    const filter = await filterOf(still, WATCHED, { before: still });
    expect(short(filter)).toEqual([]);
    expect(filter.passes).toContain('syn-in');
  });

  test('puts in doubt what seemed sure', async () => {
    const rules = input([dport(443), counter(3), DROP]);
    const filter = await filterOf(rules, WATCHED, { before: rules });
    expect(filter.hits[0]).toMatchObject({ certainty: 'unknown', packetsDelta: 0 });
    expect(filter.blocked).not.toContain('syn-in');
  });

  test('says nothing of a SYN that came before the first reading, or never', async () => {
    const early = await filterOf(still, { ...WATCHED, attempt: since(-5n) }, { before: still });
    expect(short(early)).toHaveLength(1);
    expect(early.hits[0]).toMatchObject({ certainty: 'depends', packetsDelta: 0 });
    expect(short(await filterOf(still, { port: 443 }, { before: still }))).toHaveLength(1);
    const unseen = { ...WATCHED, attempt: { ...since(5n), syns: 0 } };
    expect(short(await filterOf(still, unseen, { before: still }))).toHaveLength(1);
  });

  test('says nothing of an answer that may never have been made', async () => {
    const output = (packets: number) => ({
      [NFT]: nftJson({ chains: { out: { hook: 'output', rules: [[counter(packets), LIMIT, DROP]] } } }),
    });
    const filter = await filterOf(output(1), WATCHED, { before: output(1) });
    expect(short(filter, 'syn-ack-out')).toHaveLength(1);
  });
});

test('a SYN that was answered was not stopped, whatever the rules say now', async () => {
  const rules = input([dport(443), DROP]);
  const seen = { segment: 'syn-ack', direction: 'out', device: 'eth0', count: 1, linkDestination: 'unknown' } as const;
  const filter = await filterOf(rules, { ...WATCHED, attempt: { sightings: [seen] } });
  expect(short(filter)).toEqual(['drop unknown [] tcp dport 443 drop']);
  expect(filter.blocked).not.toContain('syn-in');
});

test('no packet was invalid when connection tracking counted none', async () => {
  const rules = input([ctState('invalid'), DROP], [dport(443), ACCEPT], [DROP]);
  expect((await filterOf(rules, WATCHED)).passes).toContain('syn-in');
  const counted = await filterOf(rules, WATCHED, { known: OTHERS_COUNT });
  expect(short(counted)).toEqual(['drop depends [ct-invalid] ct state invalid drop']);
  expect(counted.passes).not.toContain('syn-in');
});
