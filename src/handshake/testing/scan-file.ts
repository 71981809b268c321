import { createFrameReader } from '../../formats/pcap/frame-reader.ts';
import { createFrameBatch } from '../../formats/pcap/frames.ts';
import { pcapFile } from '../../formats/pcap/testing/capture-builder.ts';
import type { BuiltPacket } from '../../formats/wire/testing/packets.ts';
import { type AttemptListener, listenerOptions } from '../attempt-listener.ts';
import { HandshakeScanner } from '../scan.ts';
import { HandshakeTracker, type TrackerOptions } from '../tracker.ts';

/** Packets by time, as they would lie in a capture file. */
export type TestPacket = Pick<BuiltPacket, 'timeNs' | 'bytes'> & Partial<Pick<BuiltPacket, 'linkType' | 'wireBytes'>>;

/** What scanning a capture file of a few packets gave. */
export interface ScannedFile {
  readonly tracker: HandshakeTracker;
  readonly scanner: HandshakeScanner;
  readonly linkType: number;
  readonly bytes: number;
  readonly baseNs: bigint;
  readonly firstNs: bigint;
  readonly lastNs: bigint;
}

/** How {@link scanFile} scans. */
export interface ScanFileOptions extends Pick<TrackerOptions, 'keep' | 'capacity'> {
  /** That of the first packet unless given. */
  readonly linkType?: number | undefined;
  /** When the capture ends; with its last packet unless given. */
  readonly endNs?: bigint | undefined;
}

/** Runs packets through a capture file, the scanner and a tracker, to the end. */
export function scanFile(
  packets: readonly TestPacket[],
  { linkType = packets[0]?.linkType ?? 1, endNs, ...options }: ScanFileOptions,
  listener: AttemptListener = {},
): ScannedFile {
  const file = pcapFile(packets, { linkType, nanosecond: true });
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const reader = createFrameReader(view, 0, file.byteLength);
  if (reader === undefined) throw new Error('the built capture is not readable');
  const tracker: HandshakeTracker = new HandshakeTracker({
    capacity: 10_000,
    ...options,
    ...listenerOptions(listener, () => ({ tracker, baseNs: reader.baseNs ?? 0n, firstNs })),
  });
  const times = packets.map(({ timeNs }) => timeNs);
  const firstNs = times.reduce((a, b) => (a < b ? a : b), times[0] ?? 0n);
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
  const lastNs = endNs ?? times.reduce((a, b) => (a > b ? a : b), times[0] ?? 0n);
  tracker.finish(Number(lastNs - baseNs));
  return { tracker, scanner, linkType, bytes: file.byteLength, baseNs, firstNs, lastNs };
}
