import type { BuiltPacket } from '../../formats/wire/testing/packets.ts';
import { scanFile } from '../../handshake/testing/scan-file.ts';
import type { TrackerCounts } from '../../handshake/tracker.ts';
import type { CaptureReport } from '../../model/diagnosis.ts';
import { CaptureCollector, type CollectorOptions } from '../capture-collector.ts';

/** How packets become a report. */
interface CollectOptions extends Partial<CollectorOptions> {
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
  const { capacity = 10_000, endNs, name = 'test.pcap', limit = 1000 } = options;
  const collector = new CaptureCollector({ ...options, name, limit });
  const scanned = scanFile(packets, { capacity, endNs }, collector);
  const { tracker, linkType, bytes, baseNs, firstNs, lastNs } = scanned;
  const summary = {
    name,
    format: 'pcap' as const,
    interfaces: [{ linkType, snapLength: 262_144 }],
    packets: packets.length,
    bytes,
    ...(packets.length === 0 ? {} : { firstNs, lastNs }),
    notes: [],
  };
  return { report: collector.report(tracker, baseNs, [summary], []), counts: tracker.counts };
}
