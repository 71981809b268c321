import type { Handshake } from '../../model/handshake.ts';
import type { TrackedCapture } from '../compare/tracked-capture.ts';
import { materialize } from '../materialize.ts';
import type { HandshakeScanner } from '../scan.ts';
import type { TrackerCounts } from '../tracker.ts';
import { scanFile, type TestPacket } from './scan-file.ts';

/** What tracking a few packets gave. */
export interface TestCapture extends TrackedCapture {
  readonly counts: TrackerCounts;
  readonly scanner: HandshakeScanner;
  /** Every attempt, in order of first appearance. */
  readonly handshakes: readonly Handshake[];
}

/** Runs packets through a capture file, the scanner and a tracker that keeps every attempt. */
export function trackPackets(
  packets: readonly TestPacket[],
  { name = 'test.pcap', ...options }: { linkType?: number; name?: string; capacity?: number; endNs?: bigint } = {},
): TestCapture {
  const { tracker, scanner, baseNs, firstNs, lastNs } = scanFile(packets, { ...options, keep: true });
  const { table, counts } = tracker;
  const handshakes = Array.from({ length: table.rowEnd }, (_, row) => materialize(table, row, baseNs));
  return { name, table, baseNs, firstNs, lastNs, counts, scanner, handshakes };
}
