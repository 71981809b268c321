import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ParseError } from '../parse-error.ts';
import { createFrameReader } from './frame-reader.ts';
import type { BuiltPcapngPacket } from './testing/capture-builder.ts';
import { concatBytes, patternBytes, pcapFile, pcapngFile, pcapngSection } from './testing/capture-builder.ts';
import { readAll } from './testing/read-all.ts';

const START = 1_700_000_000_123_456_789n;
const packets = [0, 1, 2].map((index) => ({
  timeNs: START + BigInt(index),
  bytes: patternBytes(14 + index * 5, index),
  comments: [`packet ${index}`],
  flags: 1,
}));

/** One small file of each kind. */
const files: Readonly<Record<string, Uint8Array<ArrayBuffer>>> = {
  pcap: pcapFile(packets),
  'pcap, big-endian, nanoseconds': pcapFile(packets, { bigEndian: true, nanosecond: true }),
  'modified pcap': pcapFile(packets, { modified: true }),
  pcapng: pcapngFile(packets, { interfaces: [{ name: 'eth0', timestampResolution: 9, timestampOffset: 5n }] }),
  'pcapng, big-endian': pcapngFile(packets, { bigEndian: true }),
  'pcapng with every block': concatBytes([
    pcapngSection([
      { kind: 'interface', interface: { name: 'a' } },
      { kind: 'raw', type: 4, body: patternBytes(20) },
      { kind: 'packet', packet: { ...packets[1]!, block: 'obsolete' } },
      { kind: 'packet', packet: { ...packets[0]!, block: 'simple' } },
      { kind: 'statistics', ifDrop: 3n },
    ]),
    pcapngFile(packets, { bigEndian: true, interfaces: [{ timestampResolution: 0x80 | 20 }] }),
  ]),
};

for (const [name, file] of Object.entries(files)) {
  describe(name, () => {
    const whole = readAll(file);

    test('is read without damage', () => {
      expect(whole.frames.length).toBeGreaterThanOrEqual(3);
      expect(whole.ended).toBe(false);
    });

    test('cut at every byte: a clear error or the packets before the cut', () => {
      let boundaries = 0;
      for (let length = 0; length < file.length; length += 1) {
        try {
          const cut = readAll(file.subarray(0, length));
          expect(cut.frames).toEqual(whole.frames.slice(0, cut.frames.length));
          if (!cut.notes.some((note) => note.code === 'cut-short')) boundaries += 1;
        } catch (error) {
          expect(error).toBeInstanceOf(ParseError);
          expect(length).toBeLessThan(24);
        }
      }
      // The ends of the records (and blocks) but the last one, where nothing shows that something is missing.
      expect(boundaries).toBeGreaterThanOrEqual(3);
      expect(boundaries).toBeLessThan(12);
    });

    test('with any bit flipped: a clear error or a result, and the same in pieces', () => {
      for (let bit = 0; bit < file.length * 8; bit += 1) {
        const flipped = file.slice();
        flipped[bit >> 3] = flipped[bit >> 3]! ^ (1 << (bit & 7));
        const outcome = outcomeOf(flipped, [flipped.length]);
        if (bit % 5 === 0) expect(outcomeOf(flipped, [11])).toEqual(outcome);
      }
    });

    test('in pieces of any size, with batches of any size', () => {
      for (const size of [1, 2, 3, 16, 17, 31, 64, 100]) {
        expect(readAll(file, { chunks: [size], batchSize: 1 + (size % 4) })).toEqual(whole);
      }
    });
  });
}

function outcomeOf(file: Uint8Array, chunks: readonly number[]): unknown {
  try {
    return readAll(file, { chunks });
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    return error.code;
  }
}

const anyPacket = fc.record({
  timeNs: fc.bigInt({ min: START, max: START + 10n ** 15n }),
  bytes: fc.uint8Array({ maxLength: 80 }),
  wireBytes: fc.integer({ min: 0, max: 0xffff_ffff }),
  comments: fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 2 }),
  flags: fc.constantFrom(0, 1, 2),
});
const anyChunks = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 5 });

test('what was built is what is read, in pieces of random sizes', () => {
  fc.assert(
    fc.property(
      fc.array(anyPacket, { maxLength: 12 }),
      fc.boolean(),
      anyChunks,
      fc.integer({ min: 1, max: 9 }),
      (built, bigEndian, chunks, batchSize) => {
        const pcap = readAll(pcapFile(built, { bigEndian, nanosecond: true }), { chunks, batchSize });
        const basic = built.map(({ timeNs, bytes, wireBytes }) => ({ timeNs, bytes, wireBytes }));
        expect(pcap.frames.map(({ timeNs, bytes, wireBytes }) => ({ timeNs, bytes, wireBytes }))).toEqual(basic);
        const enhanced: BuiltPcapngPacket[] = built;
        const pcapng = readAll(pcapngFile(enhanced, { bigEndian, interfaces: [{ timestampResolution: 9 }] }), {
          chunks,
          batchSize,
        });
        expect(pcapng.frames).toEqual(
          built.map(({ flags, ...rest }) => ({ ...rest, direction: flags, interfaceId: 0 })),
        );
        expect([...pcap.notes, ...pcapng.notes]).toEqual([]);
      },
    ),
    { numRuns: 300 },
  );
});

test('random bytes never do more than fail clearly', () => {
  const starts = Object.values(files).map((file) => file.subarray(0, 32));
  fc.assert(
    fc.property(fc.constantFrom(new Uint8Array(0), ...starts), fc.uint8Array({ maxLength: 300 }), (start, rest) => {
      outcomeOf(concatBytes([start, rest]), [50]);
    }),
    { numRuns: 2000 },
  );
});

describe('what is no capture is called by its name', () => {
  const text = (value: string): Uint8Array => new TextEncoder().encode(value);
  const bytes = (...values: number[]): Uint8Array =>
    Uint8Array.from([...values, ...new Array(600 - values.length).fill(0)]);
  const etl = bytes();
  new DataView(etl.buffer).setUint32(0, 0x10000, true);
  new DataView(etl.buffer).setUint32(4, 0x1000, true);
  etl.set([2, 0, 2, 0xc0], 0x48);
  const erf = bytes(1, 2, 3, 4, 0, 0, 0x54, 0x65, 2, 4, 0, 80, 0, 0, 0, 60);
  const tar = bytes(0x61);
  tar.set(text('ustar'), 257);
  const examples: readonly (readonly [code: string, example: Uint8Array, says: string])[] = [
    ['empty', new Uint8Array(0), '0 bytes'],
    ['text', text('hello\n'), 'a text file'],
    ['text', text('é'.repeat(400)), 'a text file'],
    ['html', text('\n<!DOCTYPE html><html>'), 'login page'],
    ['printed-packets', text('12:00:00.123456 IP 10.0.0.1.1 > 10.0.0.2.2: Flags [S]'), 'tcpdump -w'],
    ['printed-packets', text('    1   0.000000 10.0.0.1 → 10.0.0.2 TCP'), 'tcpdump -w'],
    ['git-lfs-pointer', text('version https://git-lfs.github.com/spec/v1'), 'git lfs pull'],
    ['compressed-gzip', bytes(0x1f, 0x8b, 8), 'gzip -dc'],
    ['compressed-zstd', bytes(0x28, 0xb5, 0x2f, 0xfd), 'zstd -dc'],
    ['compressed-xz', bytes(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0), 'xz -dc'],
    ['compressed-bzip2', text('BZh91AY&SY\x00'), 'bzip2 -dc'],
    ['compressed-lz4', bytes(0x04, 0x22, 0x4d, 0x18), 'lz4 -dc'],
    ['archive', text('PK\x03\x04'), 'unzip'],
    ['archive', tar, 'tar -xf'],
    ['etl', etl, 'pktmon etl2pcap'],
    ['snoop', text('snoop\0\0\0\0\0\0\x02'), 'editcap'],
    ['netmon', text('GMBU\x00'), 'editcap'],
    ['netmon', text('RTSS\x00'), 'editcap'],
    ['iptrace', text('iptrace 2.0\x00'), 'AIX'],
    ['erf', erf, 'Endace'],
    ['pcap-variant', bytes(0xcd, 0x34, 0xb2, 0xa1), 'Mesquita'],
    ['zero-filled', bytes(), 'full disk'],
    ['line-ends-changed', bytes(0x0a, 0x0a, 0x0a, 0x1c, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a), 'binary mode'],
    ['not-a-capture', bytes(0x7f, 0x45, 0x4c, 0x46), '7f 45 4c 46'],
    ['header-cut', pcapFile([]).subarray(0, 20), '20 bytes'],
    ['header-cut', pcapngFile([]).subarray(0, 10), 'pcapng capture ends after 10 bytes'],
    ['unsupported-version', pcapFile([]).fill(9, 4, 8), '2313.2313'],
    ['damaged-header', pcapngFile([]).fill(0, 8, 12), 'byte-order magic'],
    ['damaged-header', pcapngFile([], { majorVersion: 2 }), 'version 2.0'],
  ];
  for (const [code, example, says] of examples) {
    test(`${code}: ${says}`, () => {
      const error = caught(() => readAll(example));
      expect(error).toBeInstanceOf(ParseError);
      expect((error as ParseError).message).toContain(says);
      expect((error as ParseError).code).toBe(code);
    });
  }
});

test('says that it needs more bytes', () => {
  for (const [file, needed] of [
    [pcapFile([]), 24],
    [pcapngFile([]), 16],
  ] as const) {
    const view = new DataView(file.buffer);
    for (let end = 0; end < needed; end += 1) expect(createFrameReader(view, 0, end)).toBeUndefined();
    expect(createFrameReader(view, 0, needed)).toBeDefined();
  }
});

function caught(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return error;
  }
}
