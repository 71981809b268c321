import { describe, expect, it } from 'vitest';
import type { Diagnosis } from '../model/diagnosis.ts';
import type { Segment } from '../model/handshake.ts';
import { buildLadder, type LadderArrow } from './ladder-model.ts';
import { diagnosis, handshake, segment } from './testing/build.ts';
import { compareAnswerLost, compareMiddlebox, compareServerSilent, mixed, noReply } from './testing/samples.ts';

const CLIENT = { address: '198.51.100.7', port: 1 };
const SERVER = { address: '192.0.2.1', port: 2 };

function arrows(of: Diagnosis, clocks = compareAnswerLost.clocks): LadderArrow[] {
  return buildLadder(of, clocks).rows.filter((row) => row.row === 'arrow');
}

function only(report: typeof noReply): Diagnosis {
  const [first] = report.diagnoses;
  if (first === undefined) throw new Error('the sample has no diagnosis');
  return first;
}

function compared(sides: readonly (readonly Segment[] | null)[], more: Partial<Diagnosis> = {}): Diagnosis {
  const found = sides.map((segments) =>
    segments === null ? null : handshake(CLIENT, SERVER, segments, { outcome: 'no-reply', stage: 'syn' }),
  );
  const first = found.find((side) => side !== null);
  if (first === undefined || first === null) throw new Error('one side must be found');
  const vantages = found.map((side, index) => ({ capture: `${'abcd'[index]}.pcap`, handshake: side }));
  return diagnosis(first, 'x', { vantages, ...more });
}

describe('buildLadder from one capture', () => {
  it('draws each SYN to the server and marks that it got no answer, with words only once', () => {
    expect(arrows(only(noReply)).map(({ from, to, end, remark }) => ({ from, to, end, remark }))).toEqual([
      { from: 0, to: 1, end: 'unanswered', remark: 'no answer' },
      { from: 0, to: 1, end: 'unanswered', remark: undefined },
      { from: 0, to: 1, end: 'unanswered', remark: undefined },
      { from: 0, to: 1, end: 'unanswered', remark: undefined },
    ]);
  });

  it('starts an ICMP error of a router mid-way and names the router', () => {
    const [, icmp] = arrows(mixed.groups[2]?.examples[0] ?? only(noReply));
    expect(icmp).toMatchObject({ from: 0.5, to: 0, end: 'arrived', tone: 'bad' });
    expect(icmp?.detail).toBe('203.0.113.1: Communication Administratively Prohibited');
  });

  it('starts an ICMP error of the server at the server', () => {
    const icmp = { version: 4, type: 3, code: 3, from: SERVER.address, name: 'Port Unreachable' } as const;
    const of = handshake(
      CLIENT,
      SERVER,
      [segment('syn', 'to-server', 1, 0), segment('icmp', 'to-client', 2, 0.1, { icmp })],
      { outcome: 'unreachable', stage: 'syn' },
    );
    expect(arrows(diagnosis(of, 'x'))[1]).toMatchObject({ from: 1, to: 0 });
  });

  it('starts a reset mid-way when the handshake says that a middlebox sent it', () => {
    expect(arrows(mixed.groups[1]?.examples[0] ?? only(noReply))[1]).toMatchObject({
      from: 0.5,
      detail: 'not sent by the server',
    });
  });

  it('does not say "no answer" of the last SYN when the capture ended first', () => {
    const of = handshake(CLIENT, SERVER, [segment('syn', 'to-server', 1, 0)], { outcome: 'in-progress', stage: 'syn' });
    expect(arrows(diagnosis(of, 'x'))[0]?.end).toBe('arrived');
  });

  it('does not call an ACK unanswered unless the server repeats its SYN-ACK', () => {
    const done = [
      segment('syn', 'to-server', 1, 0),
      segment('syn-ack', 'to-client', 2, 0.1),
      segment('ack', 'to-server', 3, 0.2),
    ];
    const good = handshake(CLIENT, SERVER, done, { outcome: 'established', stage: 'established' });
    expect(arrows(diagnosis(good, 'x')).map(({ end }) => end)).toEqual(['arrived', 'arrived', 'arrived']);
    const repeated = [...done, segment('syn-ack', 'to-client', 4, 1.1, { repeat: 1 })];
    const ignored = handshake(CLIENT, SERVER, repeated, { outcome: 'half-open', stage: 'ack' });
    expect(arrows(diagnosis(ignored, 'x'))[2]).toMatchObject({ end: 'unanswered', remark: 'not taken' });
  });

  it('leaves out the middle of many packets and counts what the handshake left out as well', () => {
    const ladder = buildLadder(mixed.groups[3]?.examples[0] ?? only(noReply));
    expect(ladder.rows).toHaveLength(14);
    expect(ladder.rows[7]).toEqual({ row: 'gap', packets: 22 - 13 + 3 });
  });

  it('gives times as many digits as tell them apart', () => {
    expect(buildLadder(only(noReply)).decimals).toBe(2);
    expect(buildLadder(mixed.groups[1]?.examples[0] ?? only(noReply)).decimals).toBe(4);
  });
});

describe('buildLadder across captures', () => {
  it('ends the SYN-ACK between the captures, in corrected time, in the order of the exchange', () => {
    const rows = arrows(only(compareAnswerLost));
    expect(rows.map(({ label, from, to, end }) => [label, from, to, end])).toEqual([
      ['SYN', 0, 3, 'arrived'],
      ['SYN-ACK', 3, 1.5, 'lost'],
      ['SYN again', 0, 3, 'arrived'],
      ['SYN-ACK again', 3, 1.5, 'lost'],
      ['SYN again', 0, 3, 'arrived'],
      ['SYN-ACK again', 3, 1.5, 'lost'],
    ]);
    expect(rows[0]?.frames).toEqual([
      { lane: 1, frame: 12 },
      { lane: 2, frame: 88 },
    ]);
    expect(rows[1]?.sinceStartNs).toBe(5_200_000);
  });

  it('needs no clock relation: the packets themselves tell the offset', () => {
    expect(arrows(only(compareAnswerLost), [])[0]?.frames).toHaveLength(2);
  });

  it('says that the server did not answer what arrived', () => {
    expect(arrows(only(compareServerSilent)).map(({ to, end }) => [to, end])).toEqual([
      [3, 'unanswered'],
      [3, 'unanswered'],
      [3, 'unanswered'],
    ]);
  });

  it('starts a middlebox reset between the captures and tells of translated addresses', () => {
    const ladder = buildLadder(only(compareMiddlebox));
    expect(ladder.rows[1]).toMatchObject({ label: 'RST', from: 2.5, to: 0, end: 'arrived' });
    expect(ladder.footnotes).toEqual(['In captures/site-a/firewall-outside.pcapng the client is 203.0.113.200:1027.']);
  });

  it('ends a lost SYN between the captures when it is not found in the second', () => {
    const of = compared([[segment('syn', 'to-server', 1, 0)], null]);
    expect(arrows(of)[0]).toMatchObject({ from: 0, to: 1.5, end: 'lost' });
    expect(buildLadder(of).footnotes).toEqual(['b.pcap does not show this attempt.']);
  });

  it('calls its fate unknown when the captures could not be matched', () => {
    const path = { location: 'unmatched', sentence: '', frames: [], confidence: 'guess' } as const;
    expect(arrows(compared([[segment('syn', 'to-server', 1, 0)], null], { path }))[0]?.end).toBe('unknown');
  });

  it('keeps repeated SYNs apart when one of them is lost, with and without timestamps', () => {
    for (const tsval of [undefined, 7]) {
      const option = (more: number): Partial<Segment> => (tsval === undefined ? {} : { tsval: tsval + more });
      const of = compared([
        [segment('syn', 'to-server', 1, 0, option(0)), segment('syn', 'to-server', 2, 1, { repeat: 1, ...option(1) })],
        [segment('syn', 'to-server', 9, 1.02, option(1))],
      ]);
      const clocks = [
        {
          capture: 'b.pcap',
          offsetNs: 0n,
          uncertaintyNs: 0n,
          samples: 1,
          confidence: 'certain',
          statement: '',
        },
      ] as const;
      expect(arrows(of, clocks).map(({ end }) => end)).toEqual(['lost', 'unanswered']);
    }
  });

  it('draws a SYN that the first capture missed from the client on', () => {
    const of = compared([null, [segment('syn', 'to-server', 9, 0)]]);
    expect(arrows(of)[0]).toMatchObject({ from: 0, to: 3, frames: [{ lane: 2, frame: 9 }] });
  });

  it('never lets time run backwards, even where the offset is off', () => {
    const of = compared([
      [segment('syn', 'to-server', 1, 0, { tsval: 1 }), segment('syn-ack', 'to-client', 2, 0.001, { tsval: 2 })],
      [segment('syn', 'to-server', 5, 0.01, { tsval: 1 }), segment('syn-ack', 'to-client', 6, -0.01, { tsval: 2 })],
    ]);
    const clocks = [
      { capture: 'b.pcap', offsetNs: 0n, uncertaintyNs: 0n, samples: 1, confidence: 'guess', statement: '' },
    ] as const;
    const times = arrows(of, clocks).map(({ sinceStartNs }) => sinceStartNs);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(Math.min(...times)).toBeGreaterThanOrEqual(0);
  });
});
