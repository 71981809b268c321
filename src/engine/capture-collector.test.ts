import { describe, expect, it } from 'vitest';
import { type BuiltPacket, icmp } from '../formats/wire/testing/packets.ts';
import { conversation, interleave, OVER_IPV6 } from '../handshake/testing/conversation.ts';
import type { CaptureReport, Diagnosis } from '../model/diagnosis.ts';
import { collect } from './testing/collect.ts';

const SILENT = '0 > S 7\n1 > S 7';
const REFUSED = '0 > S 7\n0.02 < R. 0 ack 8';
const WORKED = '0 > S 7\n0.02 < S. 9000 ack 8\n0.021 > . 8 ack 9001\n0.03 < . 9001 ack 8';
const LATE = '0 > S 7\n1 > S 7\n1.02 < S. 9000 ack 8\n1.021 > . 8 ack 9001\n1.03 < . 9001 ack 8';
const HALF = '0 > S 7\n0.02 < S. 9000 ack 8';
const ONE_SIDED = '0 > S 7\n0.02 > . 8 ack 9001';

const END_NS = 300_000_000_000n;

let nextPort = 20_000;

/** The packets of one attempt from a port of its own. */
function attempt(text: string, { client = '10.0.0.1', server = '10.0.0.2:443', shift = 0 } = {}): BuiltPacket[] {
  return conversation(text, { client: `${client}:${nextPort++}`, server, shift });
}

function times(count: number, make: (i: number) => BuiltPacket[]): BuiltPacket[] {
  return interleave(...Array.from({ length: count }, (_, i) => make(i)));
}

type Options = Parameters<typeof collect>[1];

function read(packets: readonly BuiltPacket[], options: Options = {}): CaptureReport {
  return collect(packets, { endNs: END_NS, name: 'web.pcap', ...options }).report;
}

function lines({ groups }: CaptureReport): string[] {
  return groups.map(({ sentence }) => sentence);
}

function outcomesOf(diagnoses: readonly Diagnosis[]): string[] {
  return diagnoses.map(({ handshake }) => handshake.outcome).sort();
}

describe('what a report holds', () => {
  const packets = interleave(...[SILENT, REFUSED, WORKED, LATE, HALF, ONE_SIDED].map((text) => attempt(text)));

  it('is every attempt in its counts', () => {
    expect(read(packets).summary).toEqual({
      handshakes: 6,
      failed: 3,
      late: 1,
      outcomes: { 'no-reply': 1, refused: 1, established: 2, 'half-open': 1, 'one-sided': 1 },
    });
  });

  it('is a diagnosis of whatever was not established', () => {
    const report = read(packets);
    expect(outcomesOf(report.diagnoses)).toEqual(['half-open', 'no-reply', 'one-sided', 'refused']);
    expect(report.groups.map(({ outcome }) => outcome).sort()).toEqual([
      'established',
      'half-open',
      'no-reply',
      'one-sided',
      'refused',
    ]);
  });

  it('is a diagnosis of everything with `all`', () => {
    expect(outcomesOf(read(packets, { all: true }).diagnoses)).toEqual([
      'established',
      'established',
      'half-open',
      'no-reply',
      'one-sided',
      'refused',
    ]);
  });

  it('is only failures with `failedOnly`, whatever else is asked for', () => {
    for (const all of [false, true]) {
      const report = read(packets, { failedOnly: true, all });
      expect(outcomesOf(report.diagnoses)).toEqual(['half-open', 'no-reply', 'refused']);
      expect(report.groups.map(({ outcome }) => outcome).sort()).toEqual(['half-open', 'no-reply', 'refused']);
      expect(report.summary.handshakes).toBe(6);
    }
  });

  it('is bounded by the limit, which says how many it left out', () => {
    const report = read(packets, { limit: 3 });
    expect(report.diagnoses).toHaveLength(3);
    expect(report.omittedDiagnoses).toBe(1);
    expect(report.groups).toHaveLength(5);
    expect(read(packets, { limit: 0 })).toMatchObject({ diagnoses: [], omittedDiagnoses: 4, summary: { failed: 3 } });
  });

  it('goes to who asked for diagnoses as they come', () => {
    const come: Diagnosis[] = [];
    const report = read(packets, { onDiagnosis: (diagnosis) => come.push(diagnosis) });
    expect(report.diagnoses).toEqual([]);
    expect(outcomesOf(come)).toEqual(['half-open', 'no-reply', 'one-sided', 'refused']);
  });

  it('lists failures first', () => {
    const outcomes = read(packets).groups.map(({ outcome }) => outcome);
    expect(new Set(outcomes.slice(0, 3))).toEqual(new Set(['half-open', 'no-reply', 'refused']));
  });

  it('is nothing for a capture without handshakes', () => {
    const report = read(conversation('0 > P. 1:11(10) ack 5'));
    expect(report).toMatchObject({ diagnoses: [], groups: [], summary: { handshakes: 0, failed: 0, late: 0 } });
    expect(report.headline).toBe('web.pcap holds no TCP handshake.');
    expect(read([]).headline).toBe('web.pcap holds no TCP handshake.');
  });

  it('says how long before the end the last packet of an undecided attempt came, once the end is known', () => {
    const { diagnoses, groups } = read(attempt('0 > S 7'), { endNs: 2_000_000_000n });
    const statements = ({ handshake }: Diagnosis): string[] => handshake.findings.map(({ statement }) => statement);
    expect(statements(groups[0]!.examples[0]!)).toEqual([
      'the capture ends 2 s after the last packet, too soon to judge',
    ]);
    expect(statements(diagnoses[0]!)).toEqual(['the capture ends soon after the last packet, too soon to judge']);
  });
});

describe('a group', () => {
  it('is what happened alike at one server, with its clearest attempts', () => {
    const packets = times(5, (i) => attempt(i === 3 ? SILENT : '0 > S 7', { client: `10.0.1.${i % 2}`, shift: i }));
    const report = read(packets);
    expect(report.groups).toHaveLength(1);
    expect(report.groups[0]).toMatchObject({
      kind: 'alike',
      sentence: '5 attempts from 2 clients to 10.0.0.2:443 got no reply at all.',
      server: { address: '10.0.0.2', port: 443 },
      count: 5,
      clients: 2,
      firstNs: 0n,
      lastNs: 4_000_000_000n,
    });
    const [clearest, ...more] = report.groups[0]!.examples;
    expect(more).toHaveLength(2);
    expect(clearest!.handshake.synRetransmissions).toBe(1);
  });

  it('is told apart by server, port, outcome and what the outcome is about', () => {
    const packets = interleave(
      attempt(SILENT),
      attempt(SILENT, { server: '10.0.0.3:443' }),
      attempt(SILENT, { server: '10.0.0.2:80' }),
      attempt(REFUSED),
      attempt(`${HALF}\n0.03 < R 9001`),
      attempt(HALF),
      attempt(`${HALF}\n0.021 > . 8 ack 9001\n1.02 < S. 9000 ack 8`),
    );
    const sentences = lines(read(packets));
    expect(sentences).toHaveLength(7);
    expect(new Set(sentences).size).toBe(7);
  });

  it('of RSTs is told apart by where they were made', () => {
    const made = (ttl: number, shift: number): BuiltPacket[] =>
      attempt(`0 > S 7\n0.02 < R. 0 ack 8 ttl ${ttl}`, { shift });
    const packets = interleave(attempt(WORKED), made(62, 1), made(57, 2), made(57, 3), made(57, 4));
    expect(lines(read(packets))).toEqual([
      '3 attempts from 10.0.0.1 to 10.0.0.2:443 were refused with a RST.',
      'Something on the way refused 10.0.0.1 in the name of 10.0.0.2:443: the RST did not come from the server.',
    ]);
  });

  it('of ICMP errors is told apart by their sender and code', () => {
    const errors = [
      ['10.9.9.9', 1],
      ['10.9.9.9', 1],
      ['10.9.9.9', 13],
      ['10.9.9.8', 1],
    ] as const;
    const packets = errors.flatMap(([from, code]) => {
      const syn = attempt('0 > S 7');
      return [...syn, icmp(from, 3, code, syn[0]!)];
    });
    expect(read(packets).groups.map(({ count }) => count)).toEqual([2, 1, 1]);
  });

  it.each([
    [REFUSED, 'were refused with a RST.'],
    [`${HALF}\n0.03 < R 9001`, 'were answered with a SYN-ACK and then reset by the server.'],
    [`${HALF}\n0.021 > . 8 ack 9001\n0.04 < R 9001`, "were reset right after the client's final ACK."],
    [HALF, 'were answered with a SYN-ACK that the client never acknowledged.'],
    [
      `${HALF}\n0.021 > . 8 ack 9001\n1.02 < S. 9000 ack 8`,
      'were acknowledged by the client, but the server went on repeating its SYN-ACK.',
    ],
    [`${HALF}\n0.021 > R 8`, 'were reset by the client after the SYN-ACK.'],
    ['0 > S 7\n0.02 < S. 9000 ack 555\n0.021 > R 555', 'got an answer that belongs to another connection.'],
    ['0 > S 7\n0.5 > R 8', 'were given up by the client before any answer.'],
    [ONE_SIDED, 'show only one direction.'],
    [LATE, 'worked, but only after repeating.'],
  ])('of %j says so', (text, predicate) => {
    expect(lines(read(times(2, () => attempt(text))))).toEqual([
      `2 attempts from 10.0.0.1 to 10.0.0.2:443 ${predicate}`,
    ]);
  });

  it('of one attempt says what its diagnosis says', () => {
    const report = read(attempt(SILENT));
    expect(lines(report)).toEqual([report.diagnoses[0]!.sentence]);
    expect(report.headline).toBe('10.0.0.2:443 never answered 2 SYNs from 10.0.0.1 in 1 s.');
  });
});

describe('many groups', () => {
  it('beyond a hundred servers become one', () => {
    const packets = times(300, (i) =>
      attempt(SILENT, {
        client: `10.1.${i >> 8}.${i & 255}`,
        server: `10.2.${i >> 8}.${i & 255}:443`,
        shift: i / 1000,
      }),
    );
    const { groups, summary } = read(packets);
    expect(groups).toHaveLength(101);
    expect(groups.reduce((sum, { count }) => sum + count, 0)).toBe(summary.failed);
    const others = groups.at(-1)!;
    expect(others).toMatchObject({ count: 200, kind: 'alike' });
    expect(others.server).not.toHaveProperty('port');
    expect(others.sentence).toMatch(/^200 attempts from .* to 200 other servers got no reply at all\.$/);
  });

  it('that a flood of SYNs makes are one', () => {
    const packets = times(600, (i) => attempt('0 > S 7', { client: `172.16.${i >> 8}.${i & 255}`, shift: i / 1000 }));
    const { groups, headline } = read(packets);
    expect(groups).toHaveLength(1);
    expect(groups[0]!.kind).toBe('syn-flood');
    expect(headline).toMatch(
      /^SYN flood on 10\.0\.0\.2:443: 600 attempts from about \d+ addresses in 599 ms \(1,002\/s\)/,
    );
    expect(Math.abs(groups[0]!.clients / 600 - 1)).toBeLessThan(0.1);
  });

  it('are no flood when the clients are few or try again', () => {
    const few = times(600, (i) => attempt('0 > S 7', { client: `172.16.0.${i % 50}`, shift: i / 1000 }));
    const again = times(600, (i) => attempt(SILENT, { client: `172.16.${i >> 8}.${i & 255}`, shift: i / 1000 }));
    for (const packets of [few, again]) expect(read(packets).groups.map(({ kind }) => kind)).toEqual(['alike']);
  });

  it('that a scan of ports makes are one', () => {
    const packets = times(40, (i) => attempt(REFUSED, { server: `10.0.0.2:${1000 + i}`, shift: i / 100 }));
    const { groups } = read(packets);
    expect(groups).toHaveLength(1);
    expect(groups[0]).toMatchObject({
      kind: 'port-scan',
      sentence: '10.0.0.1 tried 40 ports of 10.0.0.2 without success (40 attempts): it looks like a port scan.',
      outcome: 'refused',
      count: 40,
      clients: 1,
    });
    expect(groups[0]!.examples).toHaveLength(3);
  });

  it('of a client without a network are no port scan: it repeats its SYNs to a few ports', () => {
    const packets = times(20, (i) =>
      attempt('0 > S 7\n1 > S 7\n3 > S 7', { server: `10.2.0.${i}:443`, shift: i / 10 }),
    );
    expect(read(packets).groups.map(({ kind }) => kind)).not.toContain('port-scan');
  });

  it.each([
    ['undecided', '0 > S 7', 1],
    ['captured in one direction', ONE_SIDED, 300],
  ])('that are %s are no port scan', (_, text, endsAt) => {
    const packets = times(20, (i) => attempt(text, { server: `10.2.0.${i}:443`, shift: i / 1000 }));
    const { groups } = read(packets, { endNs: BigInt(endsAt) * 1_000_000_000n });
    expect(groups.map(({ kind }) => kind)).not.toContain('port-scan');
  });
});

describe('the headline', () => {
  it.each([
    ['one that worked', [WORKED], 'The one handshake was completed.'],
    ['three that worked', [WORKED, WORKED, WORKED], 'All 3 handshakes were completed.'],
    [
      'one that worked late',
      [WORKED, LATE],
      'All 2 handshakes were completed, 1 of them only after a packet had to be repeated.',
    ],
    [
      'one that cannot be judged',
      [WORKED, ONE_SIDED],
      'No failed handshake: 1 of 2 were completed, 1 cannot be judged.',
    ],
    [
      'one kind of failure',
      [REFUSED, REFUSED, WORKED],
      '2 attempts from 10.0.0.1 to 10.0.0.2:443 were refused with a RST.',
    ],
    [
      'two kinds of failure',
      [REFUSED, REFUSED, SILENT, WORKED],
      '3 of 4 handshakes failed. Most often: 2 attempts from 10.0.0.1 to 10.0.0.2:443 were refused with a RST. 1 more group of failures follows.',
    ],
    [
      'nothing but failures',
      [REFUSED, REFUSED, SILENT, HALF],
      'All 4 handshakes failed. Most often: 2 attempts from 10.0.0.1 to 10.0.0.2:443 were refused with a RST. 2 more groups of failures follow.',
    ],
  ])('of %s', (_, texts, expected) => {
    expect(read(interleave(...texts.map((text) => attempt(text)))).headline).toBe(expected);
  });

  it('names IPv6 servers in brackets', () => {
    expect(read(conversation(SILENT, OVER_IPV6)).headline).toBe(
      '[2001:db8:2::2]:443 never answered 2 SYNs from 2001:db8::1 in 1 s.',
    );
  });
});
