import type { FrameBatch, FrameReader } from '../../formats/pcap/frames.ts';
import { LINKTYPE_LINUX_SLL2 } from '../../formats/wire/numbers.ts';
import { TCP_ACK, TCP_SYN } from '../../formats/wire/tcp.ts';
import {
  ROW,
  ROW_LAST_TIME,
  ROW_PORTS,
  ROW_STATE,
  STATE_ACKED,
  STATE_ANSWERED,
} from '../../handshake/attempt-layout.ts';
import { eventNs, firstEvent } from '../../handshake/attempt-table.ts';
import { isOpen } from '../../handshake/attempt-timeouts.ts';
import { materialize } from '../../handshake/materialize.ts';
import { isFailure, outcomeOf, synAckCount, synCount } from '../../handshake/outcome.ts';
import { HandshakeScanner } from '../../handshake/scan.ts';
import { HandshakeTracker } from '../../handshake/tracker.ts';
import { CapturePump } from '../../host/capture-pump.ts';
import type { Endpoint } from '../../model/flow.ts';
import type { Handshake, Outcome } from '../../model/handshake.ts';
import { PacketHistory } from './packet-history.ts';

const CHUNK_BYTES = 256 * 1024;
/** At most so many attempts are tracked at once; a flood beyond it is judged early and counted. */
const MAX_ATTEMPTS = 200_000;
/** Attempts that ended and are kept to be found again. */
const MAX_CLOSED = 256;
/** A RST, an ICMP error or a challenge is looked at so long after it came: its counters and copies have settled then. */
const SETTLE_NS = 20e6;

/** Attempts that are told at a time. */
const MAX_SUSPECTS = 64;
/** Up to so many rows, looking at all of them costs nothing worth mentioning. */
const MANY_ROWS = 4096;
/** A look at many rows is followed by a pause of so many times its length. */
const LOOK_SHARE = 19;
const TOLD_EARLY = 1;
const TOLD_FAILED = 2;

/** What a watch has seen so far. */
export interface WatchCounts {
  /** Packets with SYN and without ACK to the watched port, retransmissions included. */
  syns: number;
  synAcks: number;
  /** Attempts that are over, by outcome. */
  readonly outcomes: Partial<Record<Outcome, number>>;
}

/** An attempt that has failed, or waits for an answer for so long that it is worth a look. */
export interface Suspect {
  readonly handshake: Handshake;
  /** Not answered at all, and not yet repeated either: an answer may still come. */
  readonly early: boolean;
  /** Identifies the attempt through the watch. */
  readonly key: string;
}

/** Tracks the handshakes of a live capture. */
export class LiveHandshakes {
  readonly counts: WatchCounts = { syns: 0, synAcks: 0, outcomes: {} };
  readonly history: PacketHistory = new PacketHistory();
  /** Attempts that ended and failed, until {@link suspects} takes them. */
  private readonly ended: Handshake[] = [];
  /** The latest attempts that ended in any way. */
  private readonly closed: Handshake[] = [];
  private readonly port: number;
  private readonly tracker: HandshakeTracker;
  private readonly scanner: HandshakeScanner;
  private readonly pump: CapturePump;
  /** What {@link suspects} has told of the attempt in each row. */
  private readonly told: Uint8Array = new Uint8Array(MAX_ATTEMPTS);
  private nextLookMs = 0;

  /** @param port the server port that is watched; others are ignored. */
  constructor(port: number) {
    this.port = port;
    this.tracker = new HandshakeTracker({ capacity: MAX_ATTEMPTS, onClose: (row) => this.close(row) });
    this.scanner = new HandshakeScanner(this.tracker);
    this.pump = new CapturePump(
      (reader, view, batch, first) => this.take(reader, view, batch, first),
      CHUNK_BYTES,
      this.scanner.memory,
    );
  }

  /** Takes bytes of the capture as they come. @throws ParseError when they are no capture. */
  push(bytes: Uint8Array): void {
    this.pump.push(bytes);
  }

  /** The memory of the attempts: nearly all that a flood makes this process larger by. */
  get memory(): ArrayBuffer {
    return this.tracker.table.rows.buffer as ArrayBuffer;
  }

  /** What the times of the history count from, in nanoseconds since 1970. */
  get baseNs(): bigint {
    return this.pump.reader?.baseNs ?? 0n;
  }

  /** Attempts that were judged before their time because too many were open. */
  get displaced(): number {
    return this.tracker.counts.evicted;
  }

  /** Attempts that are open now, and in all. */
  get attempts(): number {
    return this.tracker.counts.attempts;
  }

  /**
   * Attempts that failed, or are silent for `earlyMs` and longer; each is told once early and once when it has failed. Those that
   * failed come first. In a flood it looks less often, so that looking never takes more than a twentieth of the time.
   * @param nowNs the host's clock, nanoseconds since 1970.
   * @param most so many are told at most; the others next time.
   */
  suspects(nowNs: bigint, earlyMs: number, most: number = MAX_SUSPECTS): Suspect[] {
    const found = this.ended.splice(0, most).map((handshake) => suspectOf(handshake, false));
    if (found.length === most || performance.now() < this.nextLookMs) return found;
    const startMs = performance.now();
    const { failed, early } = this.openSuspects(Number(nowNs - this.baseNs), earlyMs * 1e6, most - found.length);
    for (const row of [...failed, ...early].slice(0, most - found.length)) {
      const isEarly = early.includes(row);
      this.told[row] = isEarly ? TOLD_EARLY : TOLD_FAILED;
      found.push(suspectOf(materialize(this.tracker.table, row, this.baseNs), isEarly));
    }
    if (this.tracker.table.rowEnd > MANY_ROWS) {
      const endMs = performance.now();
      this.nextLookMs = endMs + (endMs - startMs) * LOOK_SHARE;
    }
    return found;
  }

  /** Rows of the first attempts that failed, and of the first ones that are worth an early look. */
  private openSuspects(now: number, earlyNs: number, most: number): { failed: number[]; early: number[] } {
    const { rows, rowEnd } = this.tracker.table;
    const failed: number[] = [];
    const early: number[] = [];
    for (let row = 0; row < rowEnd && failed.length < most; row++) {
      const told = this.told[row]!;
      if (told === TOLD_FAILED || !isOpen(rows, row)) continue;
      const verdict = this.openVerdict(row, now, earlyNs);
      if (verdict === 'failed') failed.push(row);
      else if (verdict === 'early' && told === 0 && early.length < most) early.push(row);
    }
    return { failed, early };
  }

  /** How the attempts that are still open would end if nothing more came. */
  openOutcomes(): Partial<Record<Outcome, number>> {
    const { rows, rowEnd } = this.tracker.table;
    const outcomes: Partial<Record<Outcome, number>> = {};
    for (let row = 0; row < rowEnd; row++) {
      if (!isOpen(rows, row) || (rows[row * ROW + ROW_PORTS]! & 0xffff) !== this.port) continue;
      const outcome = outcomeOf(rows[row * ROW + ROW_STATE]!);
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    }
    return outcomes;
  }

  /**
   * The latest attempt to a server, also one that has ended: with that client port, or with any that sent a SYN: what an older
   * connection still gets is no attempt.
   */
  find(server: Endpoint, clientPort?: number): Handshake | undefined {
    const fits = (one: Handshake): boolean =>
      one.server.address === server.address &&
      one.server.port === server.port &&
      (clientPort === undefined
        ? one.segments.some(({ kind, direction }) => kind === 'syn' && direction === 'to-server')
        : one.client.port === clientPort);
    let latest: Handshake | undefined;
    for (const one of this.recent()) {
      if (fits(one) && (latest === undefined || one.startedAtNs >= latest.startedAtNs)) latest = one;
    }
    return latest;
  }

  /** The latest attempts that ended, and those that are open. */
  recent(): Handshake[] {
    return [...this.closed, ...this.open(1000)];
  }

  /** Every attempt that is open, oldest first: what is left when the watch ends. */
  open(limit: number): Handshake[] {
    const { table } = this.tracker;
    const found: Handshake[] = [];
    for (let row = 0; row < table.rowEnd && found.length < limit; row++) {
      if (isOpen(table.rows, row) && (table.rows[row * ROW + ROW_PORTS]! & 0xffff) === this.port) {
        found.push(materialize(table, row, this.baseNs));
      }
    }
    return found;
  }

  private openVerdict(row: number, now: number, earlyNs: number): 'fine' | 'early' | 'failed' {
    const { table } = this.tracker;
    const { rows, rowTimes } = table;
    const base = row * ROW;
    if ((rows[base + ROW_PORTS]! & 0xffff) !== this.port) return 'fine';
    const state = rows[base + ROW_STATE]!;
    const outcome = outcomeOf(state);
    const idle = now - rowTimes[(base + ROW_LAST_TIME) / 2]!;
    if (outcome === 'established') return 'fine';
    if (outcome === 'refused' || outcome === 'unreachable' || outcome === 'abandoned') {
      return idle >= SETTLE_NS ? 'failed' : 'fine';
    }
    if ((state & STATE_ANSWERED) !== 0) {
      const repeatedAfterAck = (state & STATE_ACKED) !== 0 && outcome === 'half-open';
      return repeatedAfterAck || synAckCount(rows, base) > 1 || idle > this.tracker.patienceNs(row) ? 'failed' : 'fine';
    }
    if (synCount(rows, base) > 1 || idle > this.tracker.patienceNs(row)) return 'failed';
    const age = now - eventNs(table, firstEvent(table, row));
    return age >= earlyNs ? 'early' : 'fine';
  }

  private close(row: number): void {
    const { table } = this.tracker;
    const base = row * ROW;
    const told = this.told[row];
    this.told[row] = 0;
    if ((table.rows[base + ROW_PORTS]! & 0xffff) !== this.port) return;
    const outcome = outcomeOf(table.rows[base + ROW_STATE]!);
    this.counts.outcomes[outcome] = (this.counts.outcomes[outcome] ?? 0) + 1;
    if (this.closed.length < MAX_CLOSED) this.closed.push(materialize(table, row, this.baseNs));
    if (isFailure(outcome) && told !== TOLD_FAILED && this.ended.length < MAX_SUSPECTS)
      this.ended.push(materialize(table, row, this.baseNs));
  }

  private take(reader: FrameReader, view: DataView, batch: FrameBatch, firstFrame: number): void {
    this.count(reader, view, batch);
    this.history.add(reader, view, batch);
    this.scanner.scan(reader, view, batch, firstFrame);
  }

  /** Counts SYNs and SYN-ACKs of the port: every one of them, also in a flood that the tracker cannot follow. */
  private count(reader: FrameReader, view: DataView, batch: FrameBatch): void {
    for (let i = 0; i < batch.count; i++) {
      if (reader.interfaces[batch.interfaceId[i]!]?.linkType !== LINKTYPE_LINUX_SLL2) continue;
      const start = batch.dataOffset[i]!;
      const ip = start + 20;
      const end = start + batch.capturedBytes[i]!;
      if (ip + 40 > end) continue;
      const first = view.getUint8(ip);
      const transport =
        first >>> 4 === 6
          ? view.getUint8(ip + 6) === 6
            ? ip + 40
            : end
          : view.getUint8(ip + 9) === 6
            ? ip + (first & 15) * 4
            : end;
      if (transport + 14 > end) continue;
      const flags = view.getUint8(transport + 13) & (TCP_SYN | TCP_ACK);
      if (flags === TCP_SYN && view.getUint16(transport + 2) === this.port) this.counts.syns++;
      else if (flags === (TCP_SYN | TCP_ACK) && view.getUint16(transport) === this.port) this.counts.synAcks++;
    }
  }
}

function suspectOf(handshake: Handshake, early: boolean): Suspect {
  return { handshake, early, key: keyOf(handshake) };
}

function keyOf({ client, server, startedAtNs }: Handshake): string {
  return `${client.address} ${client.port} ${server.address} ${server.port} ${startedAtNs}`;
}
