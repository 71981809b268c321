import type { FrameReader } from '../formats/pcap/frames.ts';
import { type AttemptListener, listenerOptions } from '../handshake/attempt-listener.ts';
import { HandshakeScanner } from '../handshake/scan.ts';
import { HandshakeTracker, type TrackerCounts, type TrackerOptions } from '../handshake/tracker.ts';
import { type ReadCaptureOptions, readCapture } from '../host/capture-input.ts';
import { preferHugePages } from '../host/system.ts';
import type { CaptureSummary, Note } from '../model/capture.ts';
import { formatCount, formatQuantity } from '../model/text.ts';

/** Bytes of each packet that a capture should keep so that no header of a handshake is cut, also inside of tunnels. */
const ADVISED_SNAP_LENGTH = 160;

/** A table of so many attempts, some megabytes, no longer fits into the caches of a processor: before, large pages gain nothing. */
const LARGE_TABLE_ROWS = 32_768;

/** One capture after all its handshakes were tracked. */
export interface CaptureTracking {
  readonly summary: CaptureSummary;
  readonly tracker: HandshakeTracker;
  /** What the tracker's float times count from. */
  readonly baseNs: bigint;
}

/**
 * Reads a capture and tracks its handshakes; every attempt goes to its listener when it is over, the last ones at the end.
 * @throws InputError, ParseError as `readCapture` does.
 */
export async function trackCapture(
  name: string,
  options: ReadCaptureOptions & Pick<TrackerOptions, 'keep' | 'capacity'>,
  listener: AttemptListener = {},
): Promise<CaptureTracking> {
  let source: FrameReader | undefined;
  let firstNs = 0n;
  const baseOf = (): bigint => source?.baseNs ?? 0n;
  const tracker: HandshakeTracker = new HandshakeTracker({
    ...options,
    ...listenerOptions(listener, () => ({ tracker, baseNs: baseOf(), firstNs })),
  });
  const scanner = new HandshakeScanner(tracker);
  let large = false;
  const summary = await readCapture(
    name,
    (reader, view, batch, firstFrame) => {
      if (source === undefined) {
        source = reader;
        const sinceBaseNs = reader.timeNs(view, batch.recordOffset[0]!, batch.interfaceId[0]!);
        firstNs = baseOf() + BigInt(Math.round(sinceBaseNs));
      }
      scanner.scan(reader, view, batch, firstFrame);
      if (!large && tracker.table.rowEnd >= LARGE_TABLE_ROWS) {
        large = true;
        preferHugePages(tracker.scan.attempts);
      }
    },
    { ...options, memory: scanner.memory },
  );
  const baseNs = baseOf();
  tracker.finish(Number((summary.lastNs ?? baseNs) - baseNs));
  const notes = [...summary.notes, ...trackingNotes(summary, scanner, tracker.counts)];
  return { summary: { ...summary, notes }, tracker, baseNs };
}

function trackingNotes(
  summary: CaptureSummary,
  { counts: scan, cutIcmp }: HandshakeScanner,
  tracked: TrackerCounts,
): Note[] {
  const notes: Note[] = [];
  const snapLengths = summary.interfaces.map(({ snapLength }) => snapLength).filter((bytes) => bytes > 0);
  const shortest = snapLengths.length === 0 ? undefined : Math.min(...snapLengths);
  const hint = `capture with -s ${ADVISED_SNAP_LENGTH}`;
  const kept = shortest === undefined || shortest >= ADVISED_SNAP_LENGTH ? '' : ` (it keeps ${shortest} bytes of each)`;
  if (scan.cutTcp > 0) {
    const statement = `${formatQuantity(scan.cutTcp, 'packet was', 'packets were')} cut by the capture before the end of the TCP header${kept}`;
    notes.push({ code: 'packets-cut', statement, hint });
  }
  if (cutIcmp > 0) {
    const statement = `${formatQuantity(cutIcmp, 'ICMP error was', 'ICMP errors were')} cut before the quoted ports and sequence number${kept}`;
    notes.push({ code: 'icmp-cut', statement, hint });
  }
  if (scan.malformed > 0) {
    const statement = `${formatQuantity(scan.malformed, 'packet has a header', 'packets have a header')} that contradicts itself`;
    notes.push({ code: 'packets-malformed', statement });
  }
  if (tracked.evicted > 0) {
    const statement = `more attempts were open at once than are tracked; ${formatCount(tracked.evicted)} of them were judged early`;
    notes.push({
      code: 'attempts-displaced',
      statement,
      hint: 'narrow it down with a capture filter, for example on one port',
    });
  }
  if (tracked.strayIcmp > 0) {
    const statement = `${formatQuantity(tracked.strayIcmp, 'ICMP error quotes', 'ICMP errors quote')} a TCP segment whose handshake is not in the capture`;
    notes.push({ code: 'icmp-stray', statement });
  }
  return notes;
}
