import {
  EVENT,
  EVENT_ACK,
  EVENT_INFO,
  EVENT_SEQ,
  KIND_ICMP,
  KIND_RST,
  ROW,
  ROW_LAST_TIME,
  ROW_STATE,
  STATE_ACKED,
  STATE_ANSWERED,
  STATE_CHALLENGED,
  STATE_RST_CLIENT,
  STATE_WRONG_ACK,
} from '../handshake/attempt-layout.ts';
import { type AttemptTable, eventAfter, firstEvent, senderEvent } from '../handshake/attempt-table.ts';
import { materialize } from '../handshake/materialize.ts';
import { isFailure, outcomeIndexOf, synAckCount, synCount } from '../handshake/outcome.ts';
import { hopsAway } from '../handshake/vantage.ts';
import type { CaptureSummary } from '../model/capture.ts';
import type { CaptureReport, Diagnosis } from '../model/diagnosis.ts';
import { OUTCOMES, type Outcome } from '../model/handshake.ts';
import { AttemptGroups } from './attempt-groups.ts';
import { summarizeGroups } from './capture-groups.ts';
import { captureHeadline } from './capture-headline.ts';
import { judgeHandshake } from './judge-handshake.ts';
import { ServerHistories } from './server-history.ts';

/** Outcomes by their indexes, for what is asked of every attempt. */
const ESTABLISHED = OUTCOMES.indexOf('established');
const UNREACHABLE = OUTCOMES.indexOf('unreachable');
const REFUSED = OUTCOMES.indexOf('refused');
const IS_FAILURE = Uint8Array.from(OUTCOMES, (outcome) => Number(isFailure(outcome)));

/** State flags that change what a group's sentence says. */
const TELLING_FLAGS = STATE_ACKED | STATE_ANSWERED | STATE_CHALLENGED | STATE_WRONG_ACK | STATE_RST_CLIENT;

/** How ended attempts are collected. */
export interface CollectorOptions {
  /** Short name of the capture, for sentences. */
  readonly name: string;
  /** Its path, for commands; the name when absent. */
  readonly path?: string;
  /** Diagnoses established attempts as well. */
  readonly all?: boolean;
  /** Leaves out everything that did not fail, also late and undecided attempts. */
  readonly failedOnly?: boolean;
  /** Most diagnoses that are made; none beyond it, but groups and counts stay complete. */
  readonly limit: number;
  /** Called with each diagnosis as its attempt ends. */
  readonly onDiagnosis?: (diagnosis: Diagnosis) => void;
}

/** Turns the attempts of one capture, as they end, into diagnoses, groups and counts. */
export class CaptureCollector {
  private readonly options: CollectorOptions;
  private readonly servers = new ServerHistories();
  private readonly groups = new AttemptGroups();
  /** By index in OUTCOMES. */
  private readonly outcomes = new Int32Array(OUTCOMES.length);
  private readonly kept: Diagnosis[] = [];
  private handshakes = 0;
  private failed = 0;
  private late = 0;
  private made = 0;
  private omitted = 0;
  private baseNs = 0n;

  constructor(options: CollectorOptions) {
    this.options = options;
  }

  /** Takes one ended attempt; `baseNs` is what its times count from. */
  close(table: AttemptTable, row: number, baseNs: bigint): void {
    this.baseNs = baseNs;
    const { failedOnly = false, all = false } = this.options;
    const { rows, rowTimes, eventTimes } = table;
    const base = row * ROW;
    const outcome = outcomeIndexOf(rows[base + ROW_STATE]!);
    const established = outcome === ESTABLISHED;
    this.handshakes++;
    this.outcomes[outcome]!++;
    const server = this.servers.of(table, row);
    this.servers.note(server, table, row, established);
    const failure = IS_FAILURE[outcome] === 1;
    if (failure) this.failed++;
    const late = established && (synCount(rows, base) > 1 || synAckCount(rows, base) > 1);
    if (late) this.late++;
    if (failure || (!failedOnly && (late || !established))) {
      const startNs = eventTimes[firstEvent(table, row) * (EVENT / 2)]!;
      const endNs = rowTimes[(base + ROW_LAST_TIME) / 2]!;
      const telling = late ? 0 : rows[base + ROW_STATE]! & TELLING_FLAGS;
      const variant =
        outcome === UNREACHABLE
          ? icmpVariant(table, row)
          : outcome === REFUSED
            ? telling ^ resetHops(table, row)
            : telling;
      this.groups.add(table, row, server, outcome, variant, startNs, endNs);
    }
    if (failure || (all && !failedOnly) || (!failedOnly && !established)) {
      this.diagnose(table, row, server);
    }
  }

  /** Everything found, once the capture is over. */
  report(captures: readonly CaptureSummary[], notes: CaptureReport['notes']): CaptureReport {
    const first = captures[0];
    const context = {
      name: this.options.name,
      path: this.options.path ?? this.options.name,
      firstNs: first?.firstNs ?? this.baseNs,
      lastNs: first?.lastNs ?? this.baseNs,
      baseNs: this.baseNs,
    };
    const groups = summarizeGroups(this.groups.all(), this.servers, context);
    const outcomes: Partial<Record<Outcome, number>> = {};
    for (const [index, outcome] of OUTCOMES.entries()) {
      if (this.outcomes[index]! > 0) outcomes[outcome] = this.outcomes[index]!;
    }
    const summary = { handshakes: this.handshakes, failed: this.failed, outcomes, late: this.late };
    return {
      command: 'read',
      captures,
      headline: captureHeadline(this.options.name, summary, groups),
      diagnoses: this.kept,
      omittedDiagnoses: this.omitted,
      groups,
      summary,
      notes,
    };
  }

  private diagnose(table: AttemptTable, row: number, server: number): void {
    const { limit, onDiagnosis, name, path = name } = this.options;
    if (this.made >= limit) {
      this.omitted++;
      return;
    }
    this.made++;
    const handshake = materialize(table, row, this.baseNs);
    const lastNs = handshake.endedAtNs;
    const diagnosis = judgeHandshake(handshake, {
      name,
      path,
      firstNs: this.baseNs,
      lastNs,
      server: this.servers.history(server),
    });
    if (onDiagnosis === undefined) this.kept.push(diagnosis);
    else onDiagnosis(diagnosis);
  }
}

/** Routers that the first RST of the server crossed: one that a middlebox made has crossed fewer. */
function resetHops(table: AttemptTable, row: number): number {
  for (let event = firstEvent(table, row); event !== 0; event = eventAfter(table, row, event)) {
    const info = table.events[event * EVENT + EVENT_INFO]!;
    if ((info & 31) === KIND_RST) return hopsAway((info >>> 8) & 255) + 1;
  }
  return 0;
}

/** Tells ICMP errors apart by type, code and sender. */
function icmpVariant(table: AttemptTable, row: number): number {
  const { events } = table;
  for (let event = firstEvent(table, row); event !== 0; event = eventAfter(table, row, event)) {
    const at = event * EVENT;
    if ((events[at + EVENT_INFO]! & 15) !== KIND_ICMP) continue;
    let hash = events[at + EVENT_ACK]! >>> 16;
    const from = senderEvent(table, row, event) * EVENT + EVENT_SEQ;
    for (let word = 0; word < 4; word++) hash = Math.imul(hash ^ events[from + word]!, 0x9e3779b1);
    return hash;
  }
  return 0;
}
