import { TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN } from '../formats/wire/tcp.ts';
import {
  type AttemptTable,
  allocateRow,
  createAttemptTable,
  KIND_ACK,
  KIND_DATA,
  KIND_FIN,
  KIND_OTHER,
  KIND_RST,
  KIND_SYN,
  KIND_SYN_ACK,
  ROW,
  ROW_CLIENT,
  ROW_CLIENT_ISN,
  ROW_CLIENT_OPTIONS,
  ROW_COUNTS,
  ROW_ENCAPSULATION,
  ROW_LAST_GAP,
  ROW_LAST_TIME,
  ROW_PORTS,
  ROW_SERVER,
  ROW_SERVER_ISN,
  ROW_SERVER_OPTIONS,
  ROW_STATE,
  ROW_WINDOWS,
  releaseRow,
  STATE_ACKED,
  STATE_ANSWER_CHANGED,
  STATE_ANSWER_MISSING,
  STATE_ANSWERED,
  STATE_CHALLENGED,
  STATE_CLOSED,
  STATE_CUT_OFF,
  STATE_DATA_CLIENT,
  STATE_DATA_REPEATED,
  STATE_DATA_UNHEARD,
  STATE_DISPLACED,
  STATE_FAST_OPEN,
  STATE_ICMP,
  STATE_IPV6,
  STATE_PROVED,
  STATE_REFUSED,
  STATE_REPEATED_AFTER_ACK,
  STATE_RST_AFTER_ACK,
  STATE_RST_CLIENT,
  STATE_RST_SERVER,
  STATE_SERVER_SEEN,
  STATE_SIMULTANEOUS,
  STATE_SYN_MISSING,
  STATE_USED,
  STATE_WRONG_ACK,
} from './attempt-table.ts';
import { isOpen, isOver, medianLastTime, patienceNs } from './attempt-timeouts.ts';
import { addIcmpEvent, addSegmentEvent } from './event-log.ts';
import { createFlowIndex, type FlowIndex, indexRow, MAX_INDEXED_ROWS, rowOfSlot, unindexRow } from './flow-index.ts';
import { copyAddress, type IcmpInput, type SegmentInput, sameAddress, synOptionBits } from './segment-input.ts';

const SECOND = 1e9;
/** How often, in time of the capture, idle attempts are looked for. */
const SWEEP_NS = 16 * SECOND;
/** The longest time, of the capture, between two sweeps. */
const LONGEST_SWEEP_NS = 600 * SECOND;
/** With less room than this there is no point in going on. */
const SMALLEST_CAPACITY = 10_000;
/** A SYN in the opposite direction within this time is a simultaneous open, later it is a new attempt. */
const SIMULTANEOUS_NS = 10 * SECOND;

/** What the tracker counts besides the attempts themselves. */
export interface TrackerCounts {
  /** Attempts that were begun. */
  attempts: number;
  /** Attempts that were judged before their time because too many were open. */
  evicted: number;
  /** ICMP errors about a TCP segment of no attempt in this capture. */
  strayIcmp: number;
  /** Largest number of attempts that were open at once. */
  peakOpen: number;
}

/** How a {@link HandshakeTracker} is set up. */
export interface TrackerOptions {
  /** Called once for each attempt when it is over; its row is still complete. */
  readonly onClose?: (row: number) => void;
  /** Called once for each attempt when its first packet came; the row knows its two ends, and no packet yet. */
  readonly onBegin?: (row: number, timeNs: number) => void;
  /** Keeps every row, for a comparison, instead of recycling it after `onClose`. */
  readonly keep?: boolean;
  /** Most attempts open at once (with `keep`: in all). */
  readonly capacity?: number;
}

/**
 * Groups the segments of TCP handshakes into attempts (RFC 9293 section 3.5). It is given only packets that can matter: SYNs,
 * packets whose flow hash meets a used slot of {@link FlowIndex}, and ICMP errors. Times are float nanoseconds since the start
 * of the capture.
 */
export class HandshakeTracker {
  readonly table: AttemptTable;
  readonly index: FlowIndex = createFlowIndex();
  readonly counts: TrackerCounts = { attempts: 0, evicted: 0, strayIcmp: 0, peakOpen: 0 };
  private readonly onClose: ((row: number) => void) | undefined;
  private readonly onBegin: ((row: number, timeNs: number) => void) | undefined;
  private readonly keep: boolean;
  private readonly capacity: number;
  private nextSweepNs: number = Number.NEGATIVE_INFINITY;
  private lastSweepNs: number = Number.NEGATIVE_INFINITY;
  private attemptsAtSweep = 0;
  /** Grows to {@link SWEEP_NS}: an engine that sees a few sweeps early compiles the code around them once. */
  private sweepEveryNs = 1e6 + 0.5;

  constructor({ onClose, onBegin, keep = false, capacity = keep ? 4_000_000 : 1_000_000 }: TrackerOptions = {}) {
    this.table = createLargeTable(Math.min(capacity, MAX_INDEXED_ROWS));
    this.capacity = this.table.capacity;
    this.onClose = onClose;
    this.onBegin = onBegin;
    this.keep = keep;
  }

  /** Takes one TCP segment. */
  segment(input: SegmentInput): void {
    const { flags } = input;
    if (input.timeNs >= this.nextSweepNs) this.sweep(input.timeNs);
    const found = this.find(input);
    if ((flags & TCP_SYN) !== 0) {
      if ((flags & TCP_RST) !== 0) return;
      if ((flags & TCP_ACK) !== 0) this.synAck(input, found);
      else this.syn(input, found);
    } else if (found >= 0) {
      if ((flags & TCP_RST) !== 0) this.reset(input, found);
      else if (this.fromClient) this.clientSegment(input, found);
      else this.serverSegment(input, found);
    }
  }

  /** Takes one ICMP error that quotes a TCP segment; `input` describes the quoted segment. */
  icmp(input: SegmentInput, error: IcmpInput): void {
    const row = this.find(input);
    if (row < 0) {
      this.counts.strayIcmp++;
      return;
    }
    const { rows } = this.table;
    const base = row * ROW;
    const fromClient = this.fromClient;
    if (error.hasSeq) {
      const isn = fromClient ? rows[base + ROW_CLIENT_ISN]! : rows[base + ROW_SERVER_ISN]!;
      const ahead = (input.seq - isn) | 0;
      if (ahead < 0 || ahead > 1) return;
    }
    if (!addIcmpEvent(this.table, row, input, error, !fromClient)) return;
    this.count(base, 16);
    if (fromClient && !error.advisory) rows[base + ROW_STATE]! |= STATE_ICMP;
    this.touch(row, input.timeNs);
  }

  /** Judges everything that is still open: the capture is over at `endNs`. */
  finish(endNs: number): void {
    const { rows, rowTimes } = this.table;
    for (let row = 0; row < this.table.rowEnd; row++) {
      const base = row * ROW;
      if (!isOpen(rows, row)) continue;
      const idle = endNs - rowTimes[(base + ROW_LAST_TIME) / 2]!;
      if (idle < patienceNs(rows, base)) rows[base + ROW_STATE]! |= STATE_CUT_OFF;
      this.close(row);
    }
  }

  /** Ends one open attempt: whoever watches it has seen enough. */
  end(row: number): void {
    this.close(row);
  }

  /** Attempts that are open now. */
  get open(): number {
    return this.index.used;
  }

  /** Set by {@link find}: whether the segment goes from the client to the server of the attempt that it found. */
  private fromClient = true;

  private find(input: SegmentInput): number {
    const { slots, mask } = this.index;
    const { rows } = this.table;
    const { hash, ports, view, sourceOffset, destinationOffset, ipv6 } = input;
    const reversed = (ports << 16) | (ports >>> 16);
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const slot = slots[at]!;
      if (slot === 0) return -1;
      const row = rowOfSlot(slot, hash);
      if (row < 0) continue;
      const base = row * ROW;
      const rowPorts = rows[base + ROW_PORTS]!;
      if (((rows[base + ROW_STATE]! & STATE_IPV6) !== 0) !== ipv6) continue;
      if (
        rowPorts === ports &&
        sameAddress(rows, base + ROW_CLIENT, view, sourceOffset, ipv6) &&
        sameAddress(rows, base + ROW_SERVER, view, destinationOffset, ipv6)
      ) {
        this.fromClient = true;
        return row;
      }
      if (
        rowPorts === reversed &&
        sameAddress(rows, base + ROW_CLIENT, view, destinationOffset, ipv6) &&
        sameAddress(rows, base + ROW_SERVER, view, sourceOffset, ipv6)
      ) {
        this.fromClient = false;
        return row;
      }
    }
  }

  private syn(input: SegmentInput, found: number): void {
    const { rows, rowTimes } = this.table;
    let row = found;
    if (row >= 0) {
      const base = row * ROW;
      const state = rows[base + ROW_STATE]!;
      const last = rowTimes[(base + ROW_LAST_TIME) / 2]!;
      if (this.fromClient) {
        const known = (state & STATE_SYN_MISSING) === 0 || (rows[base + ROW_CLIENT_ISN]! | 0) === (input.seq | 0);
        if (known && (rows[base + ROW_CLIENT_ISN]! | 0) === (input.seq | 0)) {
          this.addSyn(row, input, true);
          return;
        }
      } else if ((state & (STATE_ANSWERED | STATE_RST_SERVER)) === 0 && input.timeNs - last < SIMULTANEOUS_NS) {
        rows[base + ROW_STATE]! |= STATE_SIMULTANEOUS | STATE_SERVER_SEEN;
        rows[base + ROW_SERVER_ISN] = input.seq;
        rows[base + ROW_SERVER_OPTIONS] = synOptionBits(input);
        addSegmentEvent(this.table, row, input, KIND_SYN, false);
        this.touch(row, input.timeNs);
        return;
      }
      rows[base + ROW_STATE]! |= STATE_DISPLACED;
      this.close(row);
    }
    row = this.begin(input, 0, input.seq);
    if (row >= 0) this.addSyn(row, input, true);
  }

  private addSyn(row: number, input: SegmentInput, fromClient: boolean): void {
    const { rows, rowTimes } = this.table;
    const base = row * ROW;
    const previous = rowTimes[(base + ROW_LAST_TIME) / 2]!;
    if (!addSegmentEvent(this.table, row, input, KIND_SYN, fromClient)) return;
    if ((rows[base + ROW_COUNTS]! & 255) === 0) {
      rows[base + ROW_STATE]! &= ~STATE_SYN_MISSING;
      rows[base + ROW_CLIENT_OPTIONS] = synOptionBits(input);
      rows[base + ROW_WINDOWS]! = (rows[base + ROW_WINDOWS]! & 0xffff) | (input.windowBytes << 16);
    } else {
      rowTimes[(base + ROW_LAST_GAP) / 2] = Math.max(0, input.timeNs - previous);
    }
    if (input.payloadBytes > 0) rows[base + ROW_STATE]! |= STATE_FAST_OPEN;
    this.count(base, 0);
    this.touch(row, input.timeNs);
  }

  private synAck(input: SegmentInput, found: number): void {
    const { rows } = this.table;
    let row = found;
    if (row < 0) {
      row = this.begin(input, STATE_SYN_MISSING, (input.ack - 1) | 0);
      if (row < 0) return;
      this.fromClient = false;
    }
    const base = row * ROW;
    const state = rows[base + ROW_STATE]!;
    // A connection of a port with itself (a simultaneous open of one socket): its SYN-ACK answers its own SYN.
    if (this.fromClient && this.isSelf(base)) this.fromClient = false;
    if (this.fromClient) {
      const answersSyn = (state & STATE_SIMULTANEOUS) !== 0;
      if (addSegmentEvent(this.table, row, input, answersSyn ? KIND_SYN_ACK : KIND_OTHER, true) && answersSyn) {
        rows[base + ROW_STATE]! |= STATE_ACKED;
      }
      this.touch(row, input.timeNs);
      return;
    }
    if (!addSegmentEvent(this.table, row, input, KIND_SYN_ACK, false)) return;
    let gained = STATE_SERVER_SEEN;
    if (this.acknowledgesSyn(base, input.ack)) {
      if ((state & STATE_ANSWERED) === 0) {
        rows[base + ROW_SERVER_ISN] = input.seq;
        rows[base + ROW_SERVER_OPTIONS] = synOptionBits(input);
        rows[base + ROW_WINDOWS]! = (rows[base + ROW_WINDOWS]! & ~0xffff) | input.windowBytes;
        // A RST before the answer that did not end the attempt says nothing of what follows the answer.
        if ((state & STATE_REFUSED) === 0) rows[base + ROW_STATE]! &= ~(STATE_RST_CLIENT | STATE_RST_SERVER);
      } else if ((rows[base + ROW_SERVER_ISN]! | 0) !== (input.seq | 0)) {
        gained |= STATE_ANSWER_CHANGED;
      }
      gained |= STATE_ANSWERED;
      if ((state & STATE_ACKED) !== 0 && (state & STATE_SIMULTANEOUS) === 0) gained |= STATE_REPEATED_AFTER_ACK;
      this.count(base, 8);
    } else {
      gained |= STATE_WRONG_ACK;
    }
    rows[base + ROW_STATE]! |= gained;
    this.touch(row, input.timeNs);
  }

  private reset(input: SegmentInput, row: number): void {
    const { rows } = this.table;
    const base = row * ROW;
    const fromClient = this.fromClient;
    if (!addSegmentEvent(this.table, row, input, KIND_RST, fromClient)) return;
    const state = rows[base + ROW_STATE]!;
    let gained = fromClient ? STATE_RST_CLIENT : STATE_RST_SERVER | STATE_SERVER_SEEN;
    if (!fromClient) {
      if ((state & STATE_ACKED) !== 0) gained |= STATE_RST_AFTER_ACK;
      else if ((state & STATE_ANSWERED) === 0 && this.acceptableReset(base, input)) gained |= STATE_REFUSED;
    }
    rows[base + ROW_STATE]! |= gained;
    this.count(base, 24);
    this.touch(row, input.timeNs);
  }

  /** In SYN-SENT only a RST that acknowledges the SYN counts (RFC 9293 section 3.10.7.3). */
  private acceptableReset(base: number, input: SegmentInput): boolean {
    return (input.flags & TCP_ACK) !== 0 && this.acknowledgesSyn(base, input.ack);
  }

  private clientSegment(input: SegmentInput, row: number): void {
    const { rows } = this.table;
    const base = row * ROW;
    const state = rows[base + ROW_STATE]!;
    if ((input.flags & TCP_ACK) === 0) return;
    const answered = (state & STATE_ANSWERED) !== 0;
    const afterIsn = (input.seq - rows[base + ROW_CLIENT_ISN]!) | 0;
    if (afterIsn < 1) return;
    if (answered && ((input.ack - rows[base + ROW_SERVER_ISN]!) | 0) < 1) return;
    const kind = (input.flags & TCP_FIN) !== 0 ? KIND_FIN : input.payloadBytes > 0 ? KIND_DATA : KIND_ACK;
    const moreData = (state & STATE_DATA_CLIENT) !== 0 && kind === KIND_DATA;
    if (moreData && afterIsn !== 1 && (state & STATE_REPEATED_AFTER_ACK) === 0) return;
    if (!addSegmentEvent(this.table, row, input, kind, true)) return;
    let gained = answered ? STATE_ACKED : STATE_ANSWER_MISSING;
    if (moreData && afterIsn === 1) {
      gained |= (state & STATE_DATA_REPEATED) === 0 ? STATE_DATA_REPEATED : STATE_DATA_UNHEARD;
    }
    if (kind !== KIND_ACK) gained |= STATE_DATA_CLIENT;
    rows[base + ROW_STATE]! |= gained;
    this.touch(row, input.timeNs);
  }

  private serverSegment(input: SegmentInput, row: number): void {
    const { rows } = this.table;
    const base = row * ROW;
    const state = rows[base + ROW_STATE]!;
    if ((input.flags & TCP_ACK) === 0) return;
    const ahead = (input.ack - rows[base + ROW_CLIENT_ISN]!) | 0;
    const answered = (state & STATE_ANSWERED) !== 0;
    // In SYN-RECEIVED a server answers an ACK that it does not take with a bare one of its own (tcp_check_req, Linux 6.18).
    const isBare = input.payloadBytes === 0 && (input.flags & TCP_FIN) === 0;
    if (answered && ahead === 1 && isBare) {
      if (addSegmentEvent(this.table, row, input, KIND_ACK, false)) this.touch(row, input.timeNs);
      return;
    }
    if (answered ? ahead >= 1 : ahead === 1 || (ahead > 1 && (state & STATE_ANSWER_MISSING) !== 0)) {
      const fastOpen = (state & STATE_FAST_OPEN) !== 0 && (state & STATE_ACKED) === 0;
      rows[base + ROW_STATE]! |= STATE_SERVER_SEEN | (fastOpen ? 0 : STATE_PROVED);
      if (!fastOpen) this.close(row);
      return;
    }
    if (answered) return;
    if (!addSegmentEvent(this.table, row, input, KIND_ACK, false)) return;
    rows[base + ROW_STATE]! |= STATE_CHALLENGED | STATE_SERVER_SEEN;
    this.touch(row, input.timeNs);
  }

  /** Whether an acknowledgement number covers the SYN, or with Fast Open the SYN and some of its data (RFC 7413). */
  private acknowledgesSyn(base: number, ack: number): boolean {
    const { rows } = this.table;
    const ahead = (ack - rows[base + ROW_CLIENT_ISN]!) | 0;
    return ahead === 1 || (ahead > 1 && ahead <= 65536 && (rows[base + ROW_STATE]! & STATE_FAST_OPEN) !== 0);
  }

  private begin(input: SegmentInput, state: number, clientIsn: number): number {
    if (!this.keep && this.index.used >= this.capacity) this.makeRoom();
    let row = allocateRow(this.table);
    if (row < 0 && !this.keep) {
      this.makeRoom();
      row = allocateRow(this.table);
    }
    if (row < 0) {
      this.counts.evicted++;
      return -1;
    }
    const { rows } = this.table;
    const base = row * ROW;
    const byServer = (state & STATE_SYN_MISSING) !== 0;
    const { ports, view, sourceOffset, destinationOffset, ipv6 } = input;
    rows[base + ROW_STATE] = STATE_USED | state | (ipv6 ? STATE_IPV6 : 0);
    rows[base + ROW_PORTS] = byServer ? (ports << 16) | (ports >>> 16) : ports;
    copyAddress(rows, base + ROW_CLIENT, view, byServer ? destinationOffset : sourceOffset, ipv6);
    copyAddress(rows, base + ROW_SERVER, view, byServer ? sourceOffset : destinationOffset, ipv6);
    rows[base + ROW_CLIENT_ISN] = clientIsn;
    rows[base + ROW_ENCAPSULATION] = input.encapsulation;
    indexRow(this.index, this.table, row, input.hash);
    this.counts.attempts++;
    if (this.index.used > this.counts.peakOpen) this.counts.peakOpen = this.index.used;
    this.onBegin?.(row, input.timeNs);
    return row;
  }

  private count(base: number, shift: number): void {
    const { rows } = this.table;
    const counts = rows[base + ROW_COUNTS]!;
    if (((counts >>> shift) & 255) < 255) rows[base + ROW_COUNTS] = counts + (1 << shift);
  }

  private touch(row: number, timeNs: number): void {
    this.table.rowTimes[(row * ROW + ROW_LAST_TIME) / 2] = timeNs;
  }

  private isSelf(base: number): boolean {
    const { rows } = this.table;
    const ports = rows[base + ROW_PORTS]!;
    if (ports >>> 16 !== (ports & 0xffff)) return false;
    for (let word = 0; word < 4; word++) {
      if (rows[base + ROW_CLIENT + word] !== rows[base + ROW_SERVER + word]) return false;
    }
    return true;
  }

  private close(row: number): void {
    unindexRow(this.index, this.table, row);
    this.onClose?.(row);
    if (this.keep) this.table.rows[row * ROW + ROW_STATE]! |= STATE_CLOSED;
    else releaseRow(this.table, row);
  }

  private sweep(nowNs: number): void {
    const { rows, rowEnd } = this.table;
    this.nextSweepNs = nowNs + this.sweepEveryNs;
    if (this.sweepEveryNs < SWEEP_NS) this.sweepEveryNs *= 2;
    // A sweep walks every row, so it waits for work in proportion, but not for ever.
    const begun = this.counts.attempts - this.attemptsAtSweep;
    if (begun * 64 < rowEnd && nowNs - this.lastSweepNs < LONGEST_SWEEP_NS) return;
    this.attemptsAtSweep = this.counts.attempts;
    this.lastSweepNs = nowNs;
    for (let row = 0; row < rowEnd; row++) {
      if (isOpen(rows, row) && isOver(this.table, row, nowNs)) this.close(row);
    }
  }

  /** Judges the older half of the open attempts at once, so that memory stays bounded in a flood. */
  private makeRoom(): void {
    const { rows, rowTimes, rowEnd } = this.table;
    const limit = medianLastTime(this.table);
    for (let row = 0; row < rowEnd; row++) {
      if (!isOpen(rows, row) || rowTimes[(row * ROW + ROW_LAST_TIME) / 2]! > limit) continue;
      rows[row * ROW + ROW_STATE]! |= STATE_DISPLACED;
      this.counts.evicted++;
      this.close(row);
    }
  }
}

/** A table of that capacity, or of a smaller one where the system does not promise memory that is not used yet. */
function createLargeTable(capacity: number): AttemptTable {
  try {
    return createAttemptTable(capacity);
  } catch (error) {
    if (!(error instanceof RangeError) || capacity <= SMALLEST_CAPACITY) throw error;
    return createLargeTable(Math.ceil(capacity / 2));
  }
}
