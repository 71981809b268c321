import { describe, expect, test } from 'vitest';
import { MAX_RECORD_BYTES } from './frames.ts';
import { concatBytes, patternBytes, pcapFile } from './testing/capture-builder.ts';
import { readAll } from './testing/read-all.ts';

const START = 1_700_000_000_123_456_789n;
const packets = [0, 1, 2, 3].map((index) => ({
  timeNs: START + BigInt(index) * 1_000_000_001n,
  bytes: patternBytes(14 + index * 9, index),
  wireBytes: 60 + index,
}));

describe('variants', () => {
  for (const bigEndian of [false, true]) {
    for (const [name, options] of Object.entries({
      microseconds: {},
      nanoseconds: { nanosecond: true },
      modified: { modified: true },
    })) {
      test(`${name}, ${bigEndian ? 'big' : 'little'}-endian`, () => {
        const { frames, interfaces, notes } = readAll(
          pcapFile(packets, { ...options, bigEndian, linkType: 113, snapLength: 96 }),
        );
        const unit = 'nanosecond' in options ? 1n : 1000n;
        expect(interfaces).toEqual([{ linkType: 113, snapLength: 96 }]);
        expect(frames).toEqual(
          packets.map(({ timeNs, bytes, wireBytes }) => ({
            timeNs: timeNs - (timeNs % unit),
            bytes,
            wireBytes,
            interfaceId: 0,
            direction: name === 'modified' ? 1 : 0,
            comments: [],
          })),
        );
        expect(notes).toEqual([]);
      });
    }
  }

  test('a modified record says the direction by its packet type', () => {
    const file = pcapFile(packets, { modified: true });
    file[24 + 22] = 4; // PACKET_OUTGOING
    file[24 + 24 + packets[0]!.bytes.length + 22] = 3; // PACKET_OTHERHOST
    expect(readAll(file).frames.map((frame) => frame.direction)).toEqual([2, 0, 1, 1]);
  });

  test("Ixia's lcap has 4 more bytes in its header", () => {
    for (const [magic, nanosecond] of [
      [0x1c0001ac, true],
      [0x1c0001ab, false],
    ] as const) {
      const file = pcapFile(packets, { magic, nanosecond });
      const ixia = concatBytes([file.subarray(0, 24), new Uint8Array(4), file.subarray(24)]);
      expect(readAll(ixia).frames).toEqual(readAll(pcapFile(packets, { nanosecond })).frames);
    }
  });

  test('AIX writes ifType values and nanoseconds under version 2.2', () => {
    const file = pcapFile(packets, { magic: 0xa1b2c3d4, nanosecond: true, linkType: 6 });
    new DataView(file.buffer).setUint16(6, 2, true);
    const { frames, interfaces } = readAll(withLengthsSwapped(file));
    expect(interfaces[0]?.linkType).toBe(1);
    expect(frames.map((frame) => frame.timeNs)).toEqual(packets.map((packet) => packet.timeNs));
    expect(frames.map((frame) => frame.wireBytes)).toEqual([60, 61, 62, 63]);
  });

  test('version 2.3 has the lengths in either order', () => {
    const file = pcapFile(packets);
    new DataView(file.buffer).setUint16(6, 3, true);
    const expected = readAll(pcapFile(packets)).frames;
    expect(readAll(file).frames).toEqual(expected);
    expect(readAll(withLengthsSwapped(file)).frames).toEqual(expected);
  });

  test('the upper half of the link type is the frame check sequence', () => {
    expect(readAll(pcapFile(packets, { linkType: 0x4400_0001 })).interfaces[0]?.linkType).toBe(1);
  });
});

test('packets without bytes are packets', () => {
  const empty = [packets[0]!, { timeNs: START, bytes: new Uint8Array(0), wireBytes: 60 }, packets[1]!];
  const { frames } = readAll(pcapFile(empty), { batchSize: 2 });
  expect(frames.map((frame) => frame.bytes.length)).toEqual([14, 0, 23]);
});

test('a packet before the first one has a negative time', () => {
  const backwards = [packets[3]!, packets[0]!];
  expect(readAll(pcapFile(backwards, { nanosecond: true })).frames.map((frame) => frame.timeNs)).toEqual(
    backwards.map((packet) => packet.timeNs),
  );
});

describe('damage', () => {
  test('an absurd length ends the reading and says where', () => {
    const file = pcapFile(packets);
    const second = 24 + 16 + packets[0]!.bytes.length;
    new DataView(file.buffer).setUint32(second + 8, 0xdeadbeef, true);
    const { frames, notes, ended } = readAll(file);
    expect(frames).toHaveLength(1);
    expect(ended).toBe(true);
    expect(notes).toHaveLength(1);
    expect(notes[0]?.code).toBe('damaged');
    expect(notes[0]?.statement).toBe(
      `The capture is damaged at byte ${second}, after packet 1: a packet of 3735928559 captured bytes is announced, and no tool writes more than 16 MiB. Nothing after it was read.`,
    );
  });

  test('the longest record that is believed can be read', () => {
    const long = { timeNs: START, bytes: new Uint8Array(MAX_RECORD_BYTES) };
    expect(readAll(pcapFile([long])).frames[0]?.bytes.length).toBe(MAX_RECORD_BYTES);
  });

  test('files joined with cat are read as one when their layout is the same', () => {
    const { frames, notes } = readAll(concatBytes([pcapFile(packets), pcapFile(packets), pcapFile([])]), {
      chunks: [5],
    });
    expect(frames).toHaveLength(8);
    expect(notes.map((note) => note.code)).toEqual(['joined']);
    expect(notes[0]?.statement).toMatch(/^2 more pcap files were appended/);
  });

  test('files joined with cat are said to be so when their layout differs', () => {
    const { frames, notes } = readAll(concatBytes([pcapFile(packets), pcapFile(packets, { nanosecond: true })]));
    expect(frames).toHaveLength(4);
    expect(notes[0]?.statement).toContain('join captures with mergecap');
  });
});

/** Exchanges captured and wire length of each record, as versions before 2.3 have them. */
function withLengthsSwapped(file: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const swapped = file.slice();
  const view = new DataView(swapped.buffer);
  for (let at = 24; at < file.length; ) {
    const captured = view.getUint32(at + 8, true);
    view.setUint32(at + 8, view.getUint32(at + 12, true), true);
    view.setUint32(at + 12, captured, true);
    at += 16 + captured;
  }
  return swapped;
}
