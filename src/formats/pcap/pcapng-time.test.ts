import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createTimestampScale, nsSinceBase, setBase, wholeSecondNs } from './pcapng-time.ts';
import { pcapngFile } from './testing/capture-builder.ts';
import { readAll } from './testing/read-all.ts';

const START = 1_700_000_000_123_456_789n;

test('a file of each resolution gives the time back, rounded down to it', () => {
  for (const resolution of [0, 3, 6, 7, 9, 0x80 | 10, 0x80 | 20, 0x80 | 30]) {
    for (const timestampOffset of [0n, 3_600n, -3_600n]) {
      const times = [START, START + 1n, START + 999_999_999n, START - 5_000_000_000n];
      const { frames } = readAll(
        pcapngFile(
          times.map((timeNs) => ({ timeNs, bytes: new Uint8Array(4) })),
          { interfaces: [{ timestampResolution: resolution, timestampOffset }] },
        ),
      );
      const perSecond = resolution & 0x80 ? 1n << BigInt(resolution & 0x7f) : 10n ** BigInt(resolution);
      const expected = times.map((timeNs) => (((timeNs * perSecond) / 1_000_000_000n) * 1_000_000_000n) / perSecond);
      expect(frames.map((frame) => frame.timeNs)).toEqual(expected);
    }
  }
});

test('picoseconds fit when an offset makes the ticks small', () => {
  const { frames } = readAll(
    pcapngFile([{ timeNs: START, bytes: new Uint8Array(4) }], {
      interfaces: [{ timestampResolution: 12, timestampOffset: 1_699_999_999n }],
    }),
  );
  expect(frames[0]?.timeNs).toBe(START);
});

test('exact for any resolution within 104 days of the base', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 255 }),
      fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
      fc.bigInt({ min: -(10n ** 10n), max: 10n ** 10n }),
      fc.bigInt({ min: -(1n << 52n), max: 1n << 52n }),
      (resolution, ticks, offsetSeconds, deltaNs) => {
        const scale = createTimestampScale(resolution, offsetSeconds);
        const base = wholeSecondNs(scale, Number(ticks >> 32n), Number(ticks & 0xffff_ffffn));
        setBase(scale, base);
        const moved = ticks + (deltaNs * scale.ticksPerSecond) / 1_000_000_000n;
        fc.pre(moved >= 0n && moved < 1n << 64n);
        const got = nsSinceBase(scale, Number(moved >> 32n), Number(moved & 0xffff_ffffn));
        const scaled = (moved - (base / 1_000_000_000n - offsetSeconds) * scale.ticksPerSecond) * 1_000_000_000n;
        const floor =
          scaled >= 0n
            ? scaled / scale.ticksPerSecond
            : -((-scaled + scale.ticksPerSecond - 1n) / scale.ticksPerSecond);
        expect(got).toBe(Number(floor));
      },
    ),
    { numRuns: 2000 },
  );
});
