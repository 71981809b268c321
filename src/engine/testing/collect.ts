import type { BuiltPacket } from '../../formats/wire/testing/packets.ts';
import { scanFile } from '../../handshake/testing/scan-file.ts';
import type { TrackerCounts } from '../../handshake/tracker.ts';
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
  const { filter: wanted = {}, capacity = 10_000, endNs, name = 'test.pcap', limit = 1000 } = options;
  const collector = new CaptureCollector({ ...options, name, limit });
  let filter: ReturnType<typeof compileFilter> | null = null;
  const { tracker, linkType, bytes, firstNs, lastNs } = scanFile(
    packets,
    { capacity, endNs },
    ({ table }, row, baseNs) => {
      if (filter === null) filter = compileFilter(wanted, table, packets[0]?.timeNs ?? 0n);
      if (filter === undefined || filter(row, baseNs)) collector.close(table, row, baseNs);
    },
  );
  const summary = {
    name,
    format: 'pcap' as const,
    interfaces: [{ linkType, snapLength: 262_144 }],
    packets: packets.length,
    bytes,
    ...(packets.length === 0 ? {} : { firstNs, lastNs }),
    notes: [],
  };
  return { report: collector.report([summary], []), counts: tracker.counts };
}
