import { describe, expect, test } from 'vitest';
import type { BuiltBlock } from './testing/capture-builder.ts';
import { concatBytes, patternBytes, pcapngFile, pcapngSection } from './testing/capture-builder.ts';
import { readAll } from './testing/read-all.ts';

const START = 1_700_000_000_123_456_789n;
const first = { timeNs: START, bytes: patternBytes(61, 1), wireBytes: 1500 };
const second = { timeNs: START + 2_000_000_001n, bytes: patternBytes(64, 2) };

function packet(one: Extract<BuiltBlock, { kind: 'packet' }>['packet']): BuiltBlock {
  return { kind: 'packet', packet: one };
}

function codes(notes: readonly { readonly code: string }[]): string[] {
  return notes.map((note) => note.code);
}

describe('interfaces', () => {
  test('have name, description, link type and snap length', () => {
    const { interfaces } = readAll(
      pcapngFile([], {
        interfaces: [{ name: 'eth0', description: 'Ethernet – links', linkType: 1, snapLength: 96 }, { linkType: 276 }],
      }),
    );
    expect(interfaces).toEqual([
      { name: 'eth0', description: 'Ethernet – links', linkType: 1, snapLength: 96 },
      { linkType: 276, snapLength: 0 },
    ]);
  });

  test('count through all sections, each with its own byte order', () => {
    const little = pcapngFile([first], { interfaces: [{ name: 'a' }, { name: 'b' }] });
    const big = pcapngFile([{ ...second, interfaceId: 1 }], {
      bigEndian: true,
      interfaces: [{ name: 'c' }, { name: 'd' }],
    });
    const { frames, interfaces, notes } = readAll(concatBytes([little, big, little]));
    expect(interfaces.map((one) => one.name)).toEqual(['a', 'b', 'c', 'd', 'a', 'b']);
    expect(frames.map((frame) => frame.interfaceId)).toEqual([0, 3, 4]);
    expect(frames.map((frame) => frame.wireBytes)).toEqual([1500, 64, 1500]);
    expect(frames.map((frame) => frame.timeNs)).toEqual(
      [START, second.timeNs, START].map((time) => time - (time % 1000n)),
    );
    expect(notes).toEqual([]);
  });

  test('a packet of an interface that is not described is left out and counted', () => {
    const { frames, notes } = readAll(
      pcapngSection([
        packet(first),
        packet({ ...first, block: 'simple' }),
        { kind: 'interface', interface: {} },
        packet(first),
      ]),
    );
    expect(frames).toHaveLength(1);
    expect(notes.map((note) => note.statement)).toEqual([
      '2 packets name an interface that the file does not describe; they were left out.',
    ]);
  });
});

describe('packets', () => {
  test('enhanced: direction, comments, wire length', () => {
    const { frames } = readAll(
      pcapngFile([
        { ...first, comments: ['one', 'zwei – ✓'], flags: 1 },
        { ...second, flags: 0x12 },
        { ...second, flags: 3 },
      ]),
    );
    expect(frames.map((frame) => frame.comments)).toEqual([['one', 'zwei – ✓'], [], []]);
    expect(frames.map((frame) => frame.direction)).toEqual([1, 2, 0]);
    expect(frames[0]?.bytes).toEqual(first.bytes);
    expect(frames[0]?.wireBytes).toBe(1500);
  });

  test('obsolete', () => {
    const { frames, notes } = readAll(pcapngFile([{ ...first, block: 'obsolete', comments: ['old'], flags: 2 }]));
    expect(frames).toEqual([
      {
        timeNs: START - (START % 1000n),
        bytes: first.bytes,
        wireBytes: 1500,
        interfaceId: 0,
        direction: 2,
        comments: ['old'],
      },
    ]);
    expect(notes).toEqual([]);
  });

  test('simple: no time of their own, cut at the snap length', () => {
    const simple = { ...first, block: 'simple' as const };
    const file = pcapngFile([simple, second, simple, first, simple], {
      interfaces: [{ snapLength: 61, timestampResolution: 9 }],
    });
    for (const chunks of [[file.length], [1], [100, 7]]) {
      for (const batchSize of [1, 2, 100]) {
        const { frames, notes } = readAll(file, { chunks, batchSize });
        expect(frames.map((frame) => frame.bytes.length)).toEqual([61, 64, 61, 61, 61]);
        expect(frames.slice(1).map((frame) => frame.timeNs)).toEqual([second.timeNs, second.timeNs, START, START]);
        expect(frames[0]?.wireBytes).toBe(1500);
        expect(codes(notes)).toEqual(['packets-without-time']);
      }
    }
  });
});

test('interface statistics: the last counters count, over all interfaces', () => {
  const { notes } = readAll(
    pcapngSection([
      { kind: 'interface', interface: { name: 'eth0' } },
      { kind: 'interface', interface: { name: 'eth1' } },
      { kind: 'statistics', ifDrop: 5n },
      { kind: 'statistics', ifDrop: 7n, osDrop: 0xffff_ffff_ffff_ffffn },
      { kind: 'statistics', interfaceId: 1, osDrop: 2n },
      { kind: 'statistics', interfaceId: 9, osDrop: 1000n },
    ]),
  );
  expect(notes.map((note) => note.statement)).toEqual([
    'The capture itself lost 9 packets (2 in the kernel, 7 at the interface or in its capture buffer), on eth0, eth1.',
  ]);
});

test('other blocks are passed over, however long and in whatever pieces', () => {
  const other = [4, 10, 0x0bad, 0x4000_0bad, 0x8000_0001].map(
    (type, index): BuiltBlock => ({
      kind: 'raw',
      type,
      body: patternBytes(index * 1000, index),
    }),
  );
  const file = pcapngSection([{ kind: 'interface', interface: {} }, ...other, packet(first), ...other]);
  for (const chunks of [[file.length], [1], [13]]) {
    const { frames, notes } = readAll(file, { chunks });
    expect(frames).toHaveLength(1);
    expect(notes).toEqual([]);
  }
});

describe('damage', () => {
  const file = pcapngFile([first, second]);
  const blockBytes = 32 + 64;
  const secondBlock = file.length - blockBytes;

  function damaged(change: (view: DataView) => void): { packets: number; codes: string[]; statement: string } {
    const copy = file.slice();
    change(new DataView(copy.buffer));
    const { frames, notes, ended } = readAll(copy);
    expect(ended).toBe(codes(notes).includes('damaged'));
    return { packets: frames.length, codes: codes(notes), statement: notes[0]?.statement ?? '' };
  }

  test('lengths that differ', () => {
    const result = damaged((view) => view.setUint32(file.length - 4, 100, true));
    expect(result).toEqual({
      packets: 1,
      codes: ['damaged'],
      statement: `The capture is damaged at byte ${secondBlock}, after packet 1: the two lengths of a block of type 6 differ (96 and 100). Nothing after it was read.`,
    });
  });

  test('a block length that cannot be', () => {
    for (const length of [0, 8, 30, 97]) {
      expect(damaged((view) => view.setUint32(secondBlock + 4, length, true)).statement).toContain(
        `a block of type 6 claims a length of ${length} bytes`,
      );
    }
  });

  test('a captured length that is longer than its block', () => {
    expect(damaged((view) => view.setUint32(secondBlock + 20, 65, true)).statement).toContain(
      'claims 65 captured bytes',
    );
    expect(damaged((view) => view.setUint32(secondBlock + 20, 0xffff_ffff, true)).packets).toBe(1);
  });

  test('a packet block of an absurd length', () => {
    expect(damaged((view) => view.setUint32(secondBlock + 4, 0x7fff_fff0, true)).statement).toContain(
      'more than 16 MiB',
    );
  });

  test('an unknown block of an absurd length is a cut file', () => {
    const result = damaged((view) => {
      view.setUint32(secondBlock, 0x0bad, true);
      view.setUint32(secondBlock + 4, 0xffff_fff0, true);
    });
    expect(result.codes).toEqual(['cut-short']);
    expect(result.statement).toContain(`${blockBytes} of 4294967280 bytes of what follows packet 1`);
  });

  test('a damaged section header after the first section', () => {
    const broken = file.slice();
    broken[8] = 0;
    const { frames, notes } = readAll(concatBytes([file, broken]));
    expect(frames).toHaveLength(2);
    expect(notes[0]?.statement).toContain('the byte-order magic of a pcapng section header is damaged');
  });
});
