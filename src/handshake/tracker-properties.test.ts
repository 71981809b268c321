import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { collect } from '../engine/testing/collect.ts';
import { type BuiltPacket, icmp, packet } from '../formats/wire/testing/packets.ts';
import { type Handshake, OUTCOMES } from '../model/handshake.ts';
import { trackPackets } from './testing/track.ts';

const ENDS = [
  ['10.0.0.1:40000', '10.0.0.2:443'],
  ['10.0.0.1:40001', '10.0.0.2:443'],
  ['10.0.0.2:443', '10.0.0.1:443'],
  ['127.0.0.1:7', '127.0.0.1:7'],
  ['[2001:db8::1]:40000', '[2001:db8::2]:443'],
] as const;

/** Sequence numbers that lie about each other, and around the end of the number space. */
const number = fc.constantFrom(
  0,
  1,
  2,
  999,
  1000,
  1001,
  9000,
  9001,
  0x7fff_ffff,
  0x8000_0000,
  0xffff_fffe,
  0xffff_ffff,
);

const segment = fc.record({
  ends: fc.constantFrom(...ENDS),
  back: fc.boolean(),
  flags: fc.constantFrom(
    'S',
    'S',
    'S',
    'S.',
    'S.',
    '.',
    '.',
    'P.',
    'F.',
    'R',
    'R.',
    'SR',
    'SF',
    'F',
    '-',
    'SEW',
    'FSRPUEW.',
  ),
  seq: number,
  ack: number,
  payload: fc.constantFrom(0, 0, 0, 1, 100),
  gapMs: fc.constantFrom<number[]>(0, 0, 1, 20, 60, 1000, 3000, 20_000, 70_000),
  ttl: fc.constantFrom(1, 57, 63, 64, 128, 255),
  options: fc.constantFrom('', ' <mss 1460>', ' <mss 1460,FO 0011223344556677>', ' <TS val 1 ecr 0>'),
  /** The packet itself, or an ICMP error about it. */
  icmp: fc.option(fc.constantFrom([3, 1], [3, 4], [11, 0], [1, 0], [2, 0], [8, 0]), { freq: 6 }),
  quoteBytes: fc.constantFrom(20, 24, 28, 48, 60, 548),
  router: fc.constantFrom(8, 9, 9),
});

/** Segments of one connection with few numbers: most of them belong to one attempt. */
const alike = fc.array(
  fc
    .record({
      seq: fc.constantFrom(0, 1, 2, 999),
      ack: fc.constantFrom(0, 1, 2, 999),
      gapMs: fc.constantFrom(60, 1000),
    })
    .chain((near) => segment.map((any) => ({ ...any, ...near, ends: ENDS[0] }))),
  { maxLength: 20 },
);

type Segment = typeof segment extends fc.Arbitrary<infer T> ? T : never;

/** Who sends an ICMP error about a segment. */
function senderOf({ ends, router }: Segment): string {
  return ends[0].startsWith('[') ? `2001:db8:9::${router}` : `10.9.9.${router}`;
}

function build(segments: readonly Segment[]): BuiltPacket[] {
  let timeMs = 0;
  return segments.map(({ ends, back, flags, seq, ack, payload, gapMs, ttl, options, icmp: error, quoteBytes }, i) => {
    timeMs += gapMs;
    const [from, to] = back ? [ends[1], ends[0]] : ends;
    const line = `${from} > ${to} ${flags} ${seq}:${(seq + payload) % 2 ** 32}(${payload}) ack ${ack}${options}`;
    const built = packet(`${(timeMs / 1000).toFixed(3)} ${line}`, { ttl });
    if (error === null) return built;
    return icmp(senderOf(segments[i]!), error[0]!, error[1]!, built, { timeNs: built.timeNs, quoteBytes });
  });
}

describe('any mixture of segments', () => {
  it('gives attempts whose outcomes add up, with every number in bounds', () => {
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 120 }), (segments) => {
        const packets = build(segments);
        const { handshakes, counts } = trackPackets(packets);
        expect(handshakes).toHaveLength(counts.attempts);
        for (const { outcome, segments: kept, omittedSegments, startedAtNs, endedAtNs, ...rest } of handshakes) {
          expect(OUTCOMES).toContain(outcome);
          expect(kept.length).toBeGreaterThan(0);
          expect(kept.length).toBeLessThanOrEqual(32);
          expect(omittedSegments).toBeGreaterThanOrEqual(0);
          expect(endedAtNs).toBeGreaterThanOrEqual(startedAtNs);
          expect(rest.initialRttNs ?? 0).toBeGreaterThanOrEqual(0);
          expect(rest.establishedAfterNs ?? 0).toBeGreaterThanOrEqual(rest.initialRttNs ?? 0);
          const frames = kept.map(({ frame }) => frame);
          expect(frames).toEqual([...new Set(frames)].sort((a, b) => a - b));
          expect(frames.every((frame) => frame >= 1 && frame <= packets.length)).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('is told with the numbers that its packets had', () => {
    fc.assert(
      fc.property(fc.oneof(fc.array(segment, { maxLength: 120 }), alike), (segments) => {
        const { handshakes } = trackPackets(build(segments));
        for (const { frame, kind, seq, ack, payloadBytes, ttl, icmp: error } of handshakes.flatMap(
          (handshake) => handshake.segments,
        )) {
          const sent = segments[frame - 1]!;
          if (kind === 'icmp') {
            expect(error!.from).toBe(senderOf(sent));
            expect([error!.type, error!.code]).toEqual(sent.icmp);
            // The sequence number is beyond the shortest quote.
            expect([seq, ack]).toEqual([sent.quoteBytes < 28 ? 0 : sent.seq, 0]);
          } else {
            const ofData = { seq: sent.seq, ack: sent.ack, payloadBytes: sent.payload, ttl: sent.ttl };
            expect({ seq, ack, payloadBytes, ttl }).toEqual(ofData);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('is reported with sums that agree, also when only a few attempts may be open', () => {
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 60 }), fc.integer({ min: 2, max: 6 }), (segments, capacity) => {
        const { report, counts } = collect(build(segments), { capacity, all: true });
        const { handshakes, failed, outcomes } = report.summary;
        expect(handshakes).toBe(counts.attempts);
        expect(Object.values(outcomes).reduce((sum, count) => sum + count, 0)).toBe(handshakes);
        expect(report.diagnoses).toHaveLength(handshakes);
        expect(failed).toBeLessThanOrEqual(handshakes);
        for (const { sentence, evidence } of report.diagnoses) {
          const text = [sentence, ...evidence.map(({ statement }) => statement)].join(' ');
          expect(text).not.toMatch(/undefined|NaN|null/);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('gives the same attempts whether rows are kept or used again', () => {
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 120 }), (segments) => {
        const packets = build(segments);
        const { handshakes } = trackPackets(packets);
        const { report } = collect(packets, { all: true });
        const recycled = report.diagnoses.map(({ handshake }) => ({ ...handshake, findings: [] }));
        expect(recycled.sort(byFirstFrame)).toEqual([...handshakes].sort(byFirstFrame));
      }),
      { numRuns: 200 },
    );
  });

  it('gives each connection the attempts that it has alone', () => {
    const quick = fc
      .array(segment, { maxLength: 60 })
      .map((segments) => segments.map((one) => ({ ...one, gapMs: Math.min(one.gapMs, 60) })));
    fc.assert(
      fc.property(quick, (segments) => {
        const packets = build(segments);
        const endNs = 60_000_000_000n;
        const together = trackPackets(packets, { endNs }).handshakes;
        const alone = ENDS.flatMap((ends) => {
          const own = packets.filter((_, i) => segments[i]!.ends === ends);
          return own.length === 0 ? [] : trackPackets(own, { endNs }).handshakes;
        });
        expect(together.map(shape).sort()).toEqual(alone.map(shape).sort());
      }),
      { numRuns: 200 },
    );
  });
});

function byFirstFrame(a: Handshake, b: Handshake): number {
  return a.segments[0]!.frame - b.segments[0]!.frame;
}

/** An attempt without its frame numbers. */
function shape({ client, server, outcome, stage, segments }: Handshake): string {
  const kinds = segments.map(({ kind, timeNs, repeat, copies }) => `${kind} ${timeNs} ${repeat} ${copies}`);
  return [client.address, client.port, server.address, server.port, outcome, stage, ...kinds].join(' ');
}
