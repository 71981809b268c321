import { createFrameReader } from '../../formats/pcap/frame-reader.ts';
import { createFrameBatch } from '../../formats/pcap/frames.ts';
import { pcapFile } from '../../formats/pcap/testing/capture-builder.ts';
import type { BuiltPacket } from '../../formats/wire/testing/packets.ts';
import { HandshakeScanner } from '../../handshake/scan.ts';
import { HandshakeTracker, type TrackerCounts } from '../../handshake/tracker.ts';
import type { CaptureReport } from '../../model/diagnosis.ts';
import { type AttemptFilter, compileFilter } from '../attempt-filter.ts';
import { CaptureCollector, type CollectorOptions } from '../capture-collector.ts';

/** How packets become a report. */
interface CollectOptions extends Partial<CollectorOptions> {
  readonly filter?: AttemptFilter;
  /** Most attempts that are open at once. */
  readonly capacity?: number;
  /** When the capture ends; with its last packet unless given. */
  readonly endNs?: bigint;
}

/** A report, and what the tracker counted. */
interface Collected {
  readonly report: CaptureReport;
  readonly counts: TrackerCounts;
}

/** Reads packets as `synscope read` reads a capture file, and reports on them. */
export function collect(packets: readonly BuiltPacket[], options: CollectOptions = {}): Collected {
  const { filter: wanted = {}, capacity = 10_000, name = 'test.pcap', limit = 1000 } = options;
  const linkType = packets[0]?.linkType ?? 1;
  const file = pcapFile(packets, { linkType, nanosecond: true });
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const reader = createFrameReader(view, 0, file.byteLength);
  if (reader === undefined) throw new Error('the built capture is not readable');
  const collector = new CaptureCollector({ ...options, name, limit });
  const tracker: HandshakeTracker = new HandshakeTracker({
    capacity,
    onClose(row) {
      const baseNs = reader.baseNs ?? 0n;
      if (filter === undefined || filter(row, baseNs)) collector.close(tracker.table, row, baseNs);
    },
  });
  const filter = compileFilter(wanted, tracker.table, packets[0]?.timeNs ?? 0n);
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
  const times = packets.map(({ timeNs }) => timeNs);
  const firstNs = times.reduce((a, b) => (a < b ? a : b), times[0] ?? 0n);
  const lastNs = options.endNs ?? times.reduce((a, b) => (a > b ? a : b), times[0] ?? 0n);
  tracker.finish(Number(lastNs - (reader.baseNs ?? 0n)));
  const summary = {
    name,
    format: 'pcap' as const,
    interfaces: [{ linkType, snapLength: 262_144 }],
    packets: packets.length,
    bytes: file.byteLength,
    ...(packets.length === 0 ? {} : { firstNs, lastNs }),
    notes: [],
  };
  return { report: collector.report([summary], []), counts: tracker.counts };
}
