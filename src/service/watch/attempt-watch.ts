import { PacketHistory } from '../../collect/watch/packet-history.ts';
import type { FrameBatch, FrameReader } from '../../formats/pcap/frames.ts';
import {
  ROW,
  ROW_CLIENT,
  ROW_CLIENT_ISN,
  ROW_LAST_TIME,
  ROW_PORTS,
  ROW_SEGMENTS,
  ROW_SERVER,
  ROW_STATE,
  STATE_ACKED,
  STATE_DISPLACED,
  STATE_IPV6,
  STATE_SYN_MISSING,
} from '../../handshake/attempt-layout.ts';
import { type AttemptTable, eventNs, firstEvent } from '../../handshake/attempt-table.ts';
import { isOpen } from '../../handshake/attempt-timeouts.ts';
import { flowAt, materialize } from '../../handshake/materialize.ts';
import { synAckCount, synCount } from '../../handshake/outcome.ts';
import { HandshakeScanner } from '../../handshake/scan.ts';
import { HandshakeTracker } from '../../handshake/tracker.ts';
import { CapturePump } from '../../host/capture-pump.ts';
import { isSampled } from '../../host/watch-filter.ts';
import type { Flow } from '../../model/flow.ts';
import type { Handshake } from '../../model/handshake.ts';
import { type AttemptState, stateAt } from './attempt-state.ts';
import { DueQueue } from './due-queue.ts';
import type { LocalAddresses } from './local-addresses.ts';
import { PortRates } from './port-rates.ts';

/** Who is told of attempts. The row is good until the call returns. */
export interface AttemptSink {
  /** A SYN had no answer for a moment: what is wrong can be looked for while the client waits. */
  onSilent(row: number, direction: 'inbound' | 'outbound'): void;
  /**
   * An attempt has failed; told once for each.
   * @param repeated whether its client sent its SYN again: nobody does who only floods or scans.
   */
  onFailed(row: number, direction: 'inbound' | 'outbound', state: AttemptState, repeated: boolean): void;
  /** An attempt was answered. A share of all when its port is sampled, see {@link AttemptWatch.rates}. */
  onAnswered(row: number, direction: 'inbound' | 'outbound', late: boolean): void;
  /** An attempt that failed is over: its row now holds all that came of it. */
  onEnded(row: number, direction: 'inbound' | 'outbound'): void;
}

const CHUNK_BYTES = 128 * 1024;
/** After so long an attempt is looked at, and again; nanoseconds since its first packet. */
const PHASES: readonly number[] = [0.15e9, 1.3e9, 3.4e9, 8e9, 16e9, 34e9, 66e9];
/** The phase at which an answer that was not repeated is taken for a handshake that went on: SYN-ACKs are repeated after 1 s. */
const ANSWERED_PHASE = 1;
/** The phase at which silence after a single SYN has lasted longer than any client waits (RFC 1122: 3 s). */
const SINGLE_PHASE = 2;
/** Open attempts that a share is taken of. */
const SHARE_SAMPLE = 500;
const ANSWER_WAIT_NS = 1.15e9;
/** After the first repetition the next one takes twice as long: one may be due to a slow client, two are not. */
const REPEATED_WAIT_NS = 2.3e9;

/** Follows the attempts of one network namespace from a capture that leaves out what a watch of all ports can do without. */
export class AttemptWatch {
  readonly history: PacketHistory;
  readonly rates: PortRates = new PortRates();
  /** Packets that were taken. */
  packets = 0;
  private readonly tracker: HandshakeTracker;
  private readonly scanner: HandshakeScanner;
  private readonly pump: CapturePump;
  private readonly sink: AttemptSink;
  private readonly local: LocalAddresses;
  private readonly queues: readonly DueQueue[] = PHASES.map(() => new DueQueue());
  /** Counts the attempts that a row has held, so that a row which was given to another is known. */
  private readonly marks: Uint32Array;
  private readonly failed: Uint8Array;
  private closing = false;

  constructor(sink: AttemptSink, local: LocalAddresses, capacity: number, historyBytes: number) {
    this.sink = sink;
    this.local = local;
    this.history = new PacketHistory(historyBytes);
    this.marks = new Uint32Array(capacity);
    this.failed = new Uint8Array(capacity);
    this.tracker = new HandshakeTracker({
      capacity,
      onBegin: (row, timeNs) => this.begin(row, timeNs),
      onClose: (row) => this.close(row),
    });
    this.scanner = new HandshakeScanner(this.tracker);
    this.pump = new CapturePump(
      (reader, view, batch, first) => this.take(reader, view, batch, first),
      CHUNK_BYTES,
      this.scanner.memory,
    );
  }

  get table(): AttemptTable {
    return this.tracker.table;
  }

  /** Attempts that are open now. */
  get open(): number {
    return this.tracker.open;
  }

  /** Attempts that had to be judged early because too many were open. */
  get displaced(): number {
    return this.tracker.counts.evicted;
  }

  /** What the times of packets count from; 0 before the first. */
  get baseNs(): bigint {
    return this.pump.reader?.baseNs ?? 0n;
  }

  /** Takes bytes of the capture. */
  push(bytes: Uint8Array): void {
    this.pump.push(bytes);
  }

  /**
   * Looks at the attempts whose time has come.
   * @returns nanoseconds since 1970 when there is something to do again; undefined while nothing is open.
   */
  look(nowNs: bigint): bigint | undefined {
    const now = Number(nowNs - this.baseNs);
    let next = Number.POSITIVE_INFINITY;
    for (const [phase, queue] of this.queues.entries()) {
      queue.take(now, (row, mark) => {
        if (this.marks[row] === mark && isOpen(this.table.rows, row)) this.judge(row, mark, phase, now);
      });
      next = Math.min(next, queue.next);
    }
    return Number.isFinite(next) ? this.baseNs + BigInt(Math.ceil(next)) : undefined;
  }

  /** The attempt of a row as the model has it. */
  handshakeAt(row: number): Handshake {
    return materialize(this.table, row, this.baseNs);
  }

  serverPort(row: number): number {
    return this.table.rows[row * ROW + ROW_PORTS]! & 0xffff;
  }

  serverAddress(row: number): string {
    return this.flowAt(row).server.address;
  }

  /** The two ends of an attempt. */
  flowAt(row: number): Flow {
    return flowAt(this.table, row);
  }

  /** When an attempt began, nanoseconds since 1970. */
  beganNs(row: number): bigint {
    const first = firstEvent(this.table, row);
    return this.baseNs + BigInt(Math.round(eventNs(this.table, first)));
  }

  /** Packets of an attempt, without copies. */
  segmentsOf(row: number): number {
    return this.table.rows[row * ROW + ROW_SEGMENTS]!;
  }

  /** Tells the attempt in a row from any other, as long as it is open. */
  markOf(row: number): number {
    return this.marks[row]!;
  }

  /** Whether a row still holds the attempt that it held when {@link markOf} was asked. */
  isStill(row: number, mark: number): boolean {
    return this.marks[row] === mark && isOpen(this.table.rows, row);
  }

  stateOf(row: number): AttemptState {
    return stateAt(this.table, row);
  }

  /** Whose attempt it is; undefined for traffic that only passes through. */
  directionOf(row: number): 'inbound' | 'outbound' | undefined {
    const { rows } = this.table;
    const base = row * ROW;
    const ipv6 = (rows[base + ROW_STATE]! & STATE_IPV6) !== 0;
    if (this.local.has(rows, base + ROW_SERVER, ipv6)) return 'inbound';
    return this.local.has(rows, base + ROW_CLIENT, ipv6) ? 'outbound' : undefined;
  }

  /** How much of the attempts that are open, of a port or of all, comes to this host; 0 when there is none. */
  inboundShare(port: number | undefined): number {
    const { rows, rowEnd } = this.table;
    let all = 0;
    let inbound = 0;
    for (let row = 0; row < rowEnd && all < SHARE_SAMPLE; row++) {
      if (!isOpen(rows, row) || (port !== undefined && this.serverPort(row) !== port)) continue;
      all++;
      if (this.directionOf(row) === 'inbound') inbound++;
    }
    return all === 0 ? 0 : inbound / all;
  }

  /** Forgets the attempts that a new filter no longer shows: their silence would mean nothing. */
  forgetUnsampled(): void {
    const { rows } = this.table;
    for (const row of this.openRows()) {
      if (this.failed[row] !== 0) continue;
      const base = row * ROW;
      const shift = this.rates.shiftOf(rows[base + ROW_PORTS]! & 0xffff);
      if (!isSampled(rows[base + ROW_CLIENT_ISN]!, shift)) this.end(row);
    }
  }

  /** Whether both ends of an attempt are this namespace: its packets go over loopback. */
  isOnLoopback(row: number): boolean {
    const { rows } = this.table;
    const base = row * ROW;
    const ipv6 = (rows[base + ROW_STATE]! & STATE_IPV6) !== 0;
    return this.local.has(rows, base + ROW_SERVER, ipv6) && this.local.has(rows, base + ROW_CLIENT, ipv6);
  }

  /** Whether an attempt over loopback waits longer than one that is well, and nobody has been told of it. */
  isLoopbackInDoubt(nowNs: bigint): boolean {
    const now = Number(nowNs - this.baseNs);
    return this.openRows().some((row) => {
      if (this.failed[row] !== 0 || !this.isOnLoopback(row)) return false;
      const stands = stateAt(this.table, row);
      if (stands === 'answered') return synAckCount(this.table.rows, row * ROW) > 1;
      return stands !== 'silent' || now - this.table.rowTimes[(row * ROW + ROW_LAST_TIME) / 2]! > PHASES[0]!;
    });
  }

  /** No more packets of loopback will be seen: what was answered was answered, of the rest nothing is known. */
  settleLoopback(): void {
    for (const row of this.openRows()) {
      if (this.failed[row] !== 0 || !this.isOnLoopback(row)) continue;
      if (stateAt(this.table, row) === 'answered') this.sink.onAnswered(row, 'inbound', false);
      this.end(row);
    }
  }

  /** Ends what is left without judging it. */
  stop(): void {
    this.closing = true;
  }

  private openRows(): number[] {
    const { rows, rowEnd } = this.table;
    const open: number[] = [];
    for (let row = 0; row < rowEnd; row++) if (isOpen(rows, row)) open.push(row);
    return open;
  }

  private take(reader: FrameReader, view: DataView, batch: FrameBatch, firstFrame: number): void {
    this.packets += batch.count;
    this.history.add(reader, view, batch);
    this.scanner.scan(reader, view, batch, firstFrame);
  }

  private begin(row: number, timeNs: number): void {
    const mark = (this.marks[row]! + 1) >>> 0;
    this.marks[row] = mark;
    this.failed[row] = 0;
    this.rates.note(this.serverPort(row), (this.table.rows[row * ROW + ROW_STATE]! & STATE_SYN_MISSING) !== 0);
    this.queues[0]!.add(row, mark, timeNs + PHASES[0]!);
  }

  /** One look at an open attempt; decides whether there is another. */
  private judge(row: number, mark: number, phase: number, now: number): void {
    const { table } = this;
    const { rows, rowTimes } = table;
    const base = row * ROW;
    const state = rows[base + ROW_STATE]!;
    const direction = (state & STATE_SYN_MISSING) === 0 ? this.directionOf(row) : undefined;
    if (direction === undefined) {
      this.end(row);
      return;
    }
    const stands = stateAt(table, row);
    const hasFailed = this.failed[row] !== 0;
    const repeated = synCount(rows, base) > 1;
    if (stands === 'answered') {
      const wait = synAckCount(rows, base) > 1 ? REPEATED_WAIT_NS : ANSWER_WAIT_NS;
      const quiet = now - rowTimes[(base + ROW_LAST_TIME) / 2]! >= wait || (state & STATE_ACKED) !== 0;
      if (phase >= ANSWERED_PHASE && quiet) {
        if (hasFailed) this.sink.onEnded(row, direction);
        this.sink.onAnswered(row, direction, repeated);
        this.end(row);
        return;
      }
    } else if (stands === 'refused' || stands === 'unreachable' || stands === 'rejected') {
      this.fail(row, direction, stands, repeated);
      if (phase >= ANSWERED_PHASE && stands === 'refused') {
        this.endFailed(row, direction);
        return;
      }
    } else if (stands === 'half-open') {
      this.fail(row, direction, stands, repeated);
    } else if (phase === 0) {
      this.sink.onSilent(row, direction);
    } else if (repeated || phase >= SINGLE_PHASE) {
      this.fail(row, direction, stands, repeated);
      if (!repeated) {
        this.endFailed(row, direction);
        return;
      }
    }
    if (phase + 1 < PHASES.length) {
      // Queues are in order of the beginnings as long as each takes what the one before it gave in time.
      this.queues[phase + 1]!.add(row, mark, now - PHASES[phase]! + PHASES[phase + 1]!);
    } else if (this.failed[row] !== 0) this.endFailed(row, direction);
    else this.end(row);
  }

  private fail(row: number, direction: 'inbound' | 'outbound', state: AttemptState, repeated: boolean): void {
    if (this.failed[row] !== 0) return;
    this.failed[row] = 1;
    this.sink.onFailed(row, direction, state, repeated);
  }

  private endFailed(row: number, direction: 'inbound' | 'outbound'): void {
    this.sink.onEnded(row, direction);
    this.end(row);
  }

  private end(row: number): void {
    this.closing = true;
    this.tracker.end(row);
    this.closing = false;
  }

  /** The tracker ended an attempt: it was proved, its port began anew, it was quiet for long, or too many were open. */
  private close(row: number): void {
    const mark = this.marks[row]!;
    this.marks[row] = (mark + 1) >>> 0;
    if (this.closing) return;
    const { rows } = this.table;
    const base = row * ROW;
    const state = rows[base + ROW_STATE]!;
    if ((state & STATE_SYN_MISSING) !== 0) return;
    const direction = this.directionOf(row);
    if (direction === undefined) return;
    const stands = stateAt(this.table, row);
    const repeated = synCount(rows, base) > 1;
    if (stands === 'answered') {
      if (this.failed[row] !== 0) this.sink.onEnded(row, direction);
      this.sink.onAnswered(row, direction, repeated);
      return;
    }
    // Displaced before its time: an answer may still have been on its way.
    if ((state & STATE_DISPLACED) !== 0 && stands === 'silent' && !repeated) return;
    this.fail(row, direction, stands, repeated);
    this.sink.onEnded(row, direction);
  }
}
