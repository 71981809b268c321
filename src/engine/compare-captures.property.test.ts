import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type BuiltPacket, icmp, packet } from '../formats/wire/testing/packets.ts';
import { trackPackets } from '../handshake/testing/track.ts';
import { PATH_LOCATIONS } from '../model/path.ts';
import { compareCaptures } from './compare-captures.ts';

const STEPS = ['syn', 'syn-ack', 'wrong', 'ack', 'data', 'reply', 'rst', 'client-rst', 'icmp'] as const;

/** A packet of one of a few attempts, at any time, seen by any of the points. */
const step = fc.record({
  kind: fc.constantFrom(...STEPS),
  attempt: fc.integer({ min: 0, max: 3 }),
  at: fc.integer({ min: 0, max: 20_000 }),
  seen: fc.integer({ min: 1, max: 7 }),
  stamped: fc.boolean(),
});

function build(
  kind: (typeof STEPS)[number],
  attempt: number,
  ms: number,
  stamped: boolean,
  point: number,
): BuiltPacket {
  const client = `${point === 2 ? '203.0.113.1' : '10.0.0.1'}:${40000 + attempt}`;
  const server = '192.0.2.5:443';
  const isn = attempt === 3 ? 1000 : 1000 + attempt * 100;
  const time = (100 + ms / 1000 + point * 0.003).toFixed(6);
  const options = stamped ? ` <mss 1460,TS val ${ms} ecr 0>` : '';
  const [there, back] = [`${time} ${client} > ${server}`, `${time} ${server} > ${client}`];
  switch (kind) {
    case 'syn':
      return packet(`${there} S ${isn} win 1000${options}`);
    case 'syn-ack':
      return packet(`${back} S. 7000 ack ${isn + 1} win 1000${options}`);
    case 'wrong':
      return packet(`${back} . 7000 ack ${isn + 5000} win 1000`);
    case 'ack':
      return packet(`${there} . ${isn + 1} ack 7001 win 1000`);
    case 'data':
      return packet(`${there} P. ${isn + 1}:${isn + 11}(10) ack 7001 win 1000`);
    case 'reply':
      return packet(`${back} . 7001 ack ${isn + 11} win 1000`);
    case 'rst':
      return packet(`${back} R. 0 ack ${isn + 1} win 0`);
    case 'client-rst':
      return packet(`${there} R ${isn + 1} win 0`);
    case 'icmp':
      return icmp('198.51.100.9', 3, 13, packet(`${there} S ${isn} win 1000`));
  }
}

it('judges any mixture of packets in two or three captures without contradicting itself', () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 30 }),
      fc.integer({ min: 2, max: 3 }),
      fc.boolean(),
      (steps, points, all) => {
        const captures = Array.from({ length: points }, (_, point) => {
          const packets = steps
            .filter(({ seen }) => (seen & (1 << point)) !== 0)
            .map(({ kind, attempt, at, stamped }) => build(kind, attempt, at, stamped, point))
            .sort((a, b) => Number(a.timeNs - b.timeNs));
          return { packets, capture: trackPackets(packets, { name: `${point}.pcap`, linkType: 1, capacity: 64 }) };
        });
        const report = compareCaptures(
          captures.map(({ capture }) => capture),
          { all },
        );
        const { summary, diagnoses, groups } = report;
        expect(Object.values(summary.outcomes).reduce((sum, count) => sum + count, 0)).toBe(summary.handshakes);
        expect(summary.failed).toBeLessThanOrEqual(summary.handshakes);
        if (all) expect(diagnoses).toHaveLength(summary.handshakes);
        for (const { path, vantages, sentence } of [...diagnoses, ...groups.flatMap(({ examples }) => examples)]) {
          expect(PATH_LOCATIONS).toContain(path!.location);
          expect(sentence).not.toMatch(/undefined|NaN|\(\)|#,/);
          expect(vantages).toHaveLength(points);
          for (const { capture, frame } of path!.frames) {
            const { packets } = captures[Number.parseInt(capture, 10)]!;
            expect(frame).toBeGreaterThan(0);
            expect(frame).toBeLessThanOrEqual(packets.length);
          }
        }
      },
    ),
    { numRuns: 400, seed: 1 },
  );
});
