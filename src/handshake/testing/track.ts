import { createFrameReader } from '../../formats/pcap/frame-reader.ts';
import { createFrameBatch } from '../../formats/pcap/frames.ts';
import { pcapFile } from '../../formats/pcap/testing/capture-builder.ts';
import type { BuiltPacket } from '../../formats/wire/testing/packets.ts';
import type { Handshake } from '../../model/handshake.ts';
import type { TrackedCapture } from '../compare/tracked-capture.ts';
import { materialize } from '../materialize.ts';
import { HandshakeScanner } from '../scan.ts';
import { HandshakeTracker, type TrackerCounts } from '../tracker.ts';

/** Packets by time, as they would lie in a capture file. */
type TestPacket = Pick<BuiltPacket, 'timeNs' | 'bytes'> & Partial<Pick<BuiltPacket, 'linkType' | 'wireBytes'>>;

/** What tracking a few packets gave. */
export interface TestCapture extends TrackedCapture {
  readonly counts: TrackerCounts;
  readonly scanner: HandshakeScanner;
  /** Every attempt, in order of first appearance. */
  readonly handshakes: readonly Handshake[];
}

/**
 * Runs packets through a capture file, the scanner and a tracker that keeps every attempt. The link type is that of the
 * first packet unless given.
 */
export function trackPackets(
  packets: readonly TestPacket[],
  options: { linkType?: number; name?: string; capacity?: number; endNs?: bigint } = {},
): TestCapture {
  const linkType = options.linkType ?? packets[0]?.linkType ?? 1;
  const file = pcapFile(packets, { linkType, nanosecond: true });
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const reader = createFrameReader(view, 0, file.byteLength);
  if (reader === undefined) throw new Error('the built capture is not readable');
  const tracker = new HandshakeTracker({ keep: true, capacity: options.capacity ?? 10_000 });
  const scanner = new HandshakeScanner(tracker);
  const batch = createFrameBatch(64);
  let frame = 1;
  for (let at = 0; at < file.byteLength; ) {
    const next = reader.walk(view, at, file.byteLength, batch);
    scanner.scan(reader, view, batch, frame);
    frame += batch.count;
    if (next === at) break;
    at = next;
  }
  const baseNs = reader.baseNs ?? 0n;
  const times = packets.map(({ timeNs }) => timeNs);
  const firstNs = times.reduce((a, b) => (a < b ? a : b), times[0] ?? 0n);
  const lastNs = options.endNs ?? times.reduce((a, b) => (a > b ? a : b), times[0] ?? 0n);
  tracker.finish(Number(lastNs - baseNs));
  const { table, counts } = tracker;
  const handshakes = Array.from({ length: table.rowEnd }, (_, row) => materialize(table, row, baseNs));
  return { name: options.name ?? 'test.pcap', table, baseNs, firstNs, lastNs, counts, scanner, handshakes };
}
