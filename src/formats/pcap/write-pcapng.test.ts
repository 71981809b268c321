import { expect, test } from 'vitest';
import { concatBytes, patternBytes } from './testing/capture-builder.ts';
import { readAll } from './testing/read-all.ts';
import type { WrittenPacket } from './write-pcapng.ts';
import { encodePcapngHeader, encodePcapngPacket } from './write-pcapng.ts';

test('what was written is what is read', () => {
  const interfaces = [
    { linkType: 1, snapLength: 96, name: 'eth0', description: 'before – the firewall' },
    { linkType: 276, snapLength: 0 },
  ];
  const packets: WrittenPacket[] = [
    {
      interfaceId: 0,
      timeNs: 1_700_000_000_123_456_789n,
      bytes: patternBytes(61),
      wireBytes: 1500,
      comments: ['SYN', '✗ lost'],
      direction: 2,
    },
    { interfaceId: 1, timeNs: 1_700_000_001_000_000_001n, bytes: patternBytes(64) },
    { interfaceId: 0, timeNs: 1_700_000_002_000_000_000n, bytes: new Uint8Array(0), comments: [''] },
  ];
  const file = concatBytes([encodePcapngHeader(interfaces), ...packets.map(encodePcapngPacket)]);
  const read = readAll(file);
  expect(read.notes).toEqual([]);
  expect(read.interfaces).toEqual(interfaces);
  expect(read.frames).toEqual(
    packets.map((packet) => ({ wireBytes: packet.bytes.length, comments: [], direction: 0, ...packet })),
  );
});

test('a comment is cut at a character when an option cannot hold it', () => {
  const bytes = encodePcapngPacket({
    interfaceId: 0,
    timeNs: 0n,
    bytes: new Uint8Array(1),
    comments: [`a${'✗'.repeat(30_000)}`, '\ud800'],
  });
  const [comments] = readAll(concatBytes([encodePcapngHeader([{ linkType: 1 }]), bytes])).frames.map(
    (frame) => frame.comments,
  );
  expect(comments).toEqual([`a${'✗'.repeat(21_844)}`, '\ufffd']);
});

test('the section says what wrote it', () => {
  expect(new TextDecoder('latin1').decode(encodePcapngHeader([]))).toContain('synscope');
});
