import { ROW, ROW_LAST_TIME, ROW_STATE, STATE_DISPLACED } from './attempt-layout.ts';
import type { AttemptTable } from './attempt-table.ts';
import { isOpen, medianLastTime } from './attempt-timeouts.ts';
import { createScan, type ScanHost, type ScanInstance } from './scan-instance.ts';
import { AT_ATTEMPTS, AT_EVICTED, AT_OPEN, AT_PEAK_OPEN, AT_STRAY_ICMP } from './scan-layout.ts';
import type { Tally, TallyOptions } from './tally.ts';

/** What the tracker counts besides the attempts themselves. */
export interface TrackerCounts {
  /** Attempts that were begun. */
  readonly attempts: number;
  /** Attempts that were judged before their time because too many were open. */
  readonly evicted: number;
  /** ICMP errors about a TCP segment of no attempt in this capture. */
  readonly strayIcmp: number;
  /** Largest number of attempts that were open at once. */
  readonly peakOpen: number;
}

/** How a {@link HandshakeTracker} is set up. */
export interface TrackerOptions {
  /** Called once for each attempt when it is over; its row is still complete. */
  readonly onClose?: (row: number) => void;
  /** Called once for each attempt when its first packet came; the row knows its two ends, and no packet yet. */
  readonly onBegin?: (row: number, timeNs: number) => void;
  /** Keeps every row, for a comparison, instead of recycling it after `onClose`. */
  readonly keep?: boolean;
  /** Counts attempts as they end, for a report. */
  readonly tally?: TallyOptions | undefined;
  /** Whether an attempt that is over is to be counted; each is unless given. */
  readonly passes?: (row: number) => boolean;
  /** Called for an attempt that was counted and is to be shown by itself, with the number of its server. */
  readonly onShow?: (row: number, server: number) => void;
  /** Most attempts open at once (with `keep`: in all). */
  readonly capacity?: number;
}

/** What the scan asks of whoever feeds it packets. */
export type PacketHost = Pick<ScanHost, 'options' | 'place'>;

/**
 * The attempts of one capture (RFC 9293 section 3.5): a `HandshakeScanner` feeds it, and the scan (`wasm/`) does the work on every
 * packet. Times are float nanoseconds since the start of the capture.
 */
export class HandshakeTracker {
  readonly scan: ScanInstance;
  readonly table: AttemptTable;
  readonly counts: TrackerCounts;
  private packets: PacketHost | undefined;

  constructor({
    onClose,
    onBegin,
    tally,
    passes,
    onShow,
    keep = false,
    capacity = keep ? 4_000_000 : 1_000_000,
  }: TrackerOptions = {}) {
    this.scan = createScan(
      {
        capacity,
        keep,
        tally,
        tellsBegin: onBegin !== undefined,
        tellsEnd: onClose !== undefined,
        asks: passes !== undefined,
      },
      {
        begun: onBegin ?? (() => {}),
        closed: onClose ?? (() => {}),
        passes: passes ?? (() => true),
        show: onShow ?? (() => {}),
        makeRoom: () => this.makeRoom(),
        options: (transport, end) => this.packets?.options(transport, end) ?? 0,
        place: (packet) => this.packets?.place(packet) ?? 0,
      },
    );
    this.table = this.scan.table;
    const { floats, words } = this.scan;
    this.counts = {
      get attempts() {
        return floats[AT_ATTEMPTS / 8]!;
      },
      get evicted() {
        return floats[AT_EVICTED / 8]!;
      },
      get strayIcmp() {
        return floats[AT_STRAY_ICMP / 8]!;
      },
      get peakOpen() {
        return words[AT_PEAK_OPEN / 4]!;
      },
    };
  }

  /** Names the one that feeds packets from now on. */
  feedFrom(packets: PacketHost): void {
    this.packets = packets;
  }

  /** Judges everything that is still open: the capture is over at `endNs`. */
  finish(endNs: number): void {
    this.scan.functions.finish(endNs);
  }

  /** How long an attempt may be quiet before its silence says something. */
  patienceNs(row: number): number {
    return this.scan.functions.patience(row);
  }

  /** Ends one open attempt: whoever watches it has seen enough. */
  end(row: number): void {
    this.scan.functions.end(row);
  }

  /** What was counted of the attempts that are over, if that was asked for. */
  get tally(): Tally | undefined {
    return this.scan.tally;
  }

  /** Attempts that are open now. */
  get open(): number {
    return this.scan.words[AT_OPEN / 4]!;
  }

  /** Judges the older half of the open attempts at once, so that memory stays bounded in a flood. */
  private makeRoom(): void {
    const { rows, rowTimes, rowEnd } = this.table;
    const limit = medianLastTime(this.table);
    for (let row = 0; row < rowEnd; row++) {
      if (!isOpen(rows, row) || rowTimes[(row * ROW + ROW_LAST_TIME) / 2]! > limit) continue;
      rows[row * ROW + ROW_STATE]! |= STATE_DISPLACED;
      this.scan.floats[AT_EVICTED / 8]!++;
      this.end(row);
    }
  }
}
