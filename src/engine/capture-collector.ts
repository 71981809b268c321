import type { AttemptListener } from '../handshake/attempt-listener.ts';
import { materialize } from '../handshake/materialize.ts';
import { isFailure } from '../handshake/outcome.ts';
import type { Tally, TallyOptions } from '../handshake/tally.ts';
import type { HandshakeTracker } from '../handshake/tracker.ts';
import type { CaptureSummary } from '../model/capture.ts';
import type { CaptureReport, Diagnosis } from '../model/diagnosis.ts';
import { OUTCOMES, type Outcome } from '../model/handshake.ts';
import { type AttemptFilter, compileFilter, isFilter, nothingPasses } from './attempt-filter.ts';
import { summarizeGroups } from './capture-groups.ts';
import { captureHeadline } from './capture-headline.ts';
import { judgeHandshake } from './judge-handshake.ts';

/** How ended attempts are collected. */
export interface CollectorOptions {
  /** Short name of the capture, for sentences. */
  readonly name: string;
  /** Its path, for commands; the name when absent. */
  readonly path?: string;
  /** Leaves out every attempt that does not pass. */
  readonly filter?: AttemptFilter;
  /** Diagnoses established attempts as well. */
  readonly all?: boolean;
  /** Leaves out everything that did not fail, also late and undecided attempts. */
  readonly failedOnly?: boolean;
  /** Most diagnoses that are made; none beyond it, but groups and counts stay complete. */
  readonly limit: number;
  /** Called with each diagnosis as its attempt ends. */
  readonly onDiagnosis?: (diagnosis: Diagnosis) => void;
}

/** Turns the attempts of one capture, which the scan counts as they end, into diagnoses, groups and counts. */
export class CaptureCollector implements AttemptListener {
  readonly tally: TallyOptions;
  /** Only with a filter: otherwise every attempt is counted, and nobody needs to be asked. */
  readonly passes: AttemptListener['passes'];
  private readonly options: CollectorOptions;
  private readonly kept: Diagnosis[] = [];
  private compiled: ReturnType<typeof compileFilter>;
  private filtered = 0;

  constructor(options: CollectorOptions) {
    const { all = false, failedOnly = false, limit, filter = {} } = options;
    this.options = options;
    this.tally = { all, failedOnly, limit };
    this.passes = isFilter(filter)
      ? ({ table }, row, baseNs, firstNs) => {
          this.compiled ??= compileFilter(filter, table, firstNs);
          const passes = this.compiled?.(row, baseNs) ?? true;
          if (!passes) this.filtered++;
          return passes;
        }
      : undefined;
  }

  onShow({ table, tally }: HandshakeTracker, row: number, server: number, baseNs: bigint): void {
    const { onDiagnosis, name, path = name } = this.options;
    const handshake = materialize(table, row, baseNs);
    const lastNs = handshake.endedAtNs;
    const history = counted(tally).history(server);
    const diagnosis = judgeHandshake(handshake, { name, path, firstNs: baseNs, lastNs, server: history });
    if (onDiagnosis === undefined) this.kept.push(diagnosis);
    else onDiagnosis(diagnosis);
  }

  /** Everything found, once the capture is over. */
  report(
    { table, tally: kept }: HandshakeTracker,
    baseNs: bigint,
    captures: readonly CaptureSummary[],
    notes: CaptureReport['notes'],
  ): CaptureReport {
    const { name, path = name, filter = {} } = this.options;
    const tally = counted(kept);
    const { firstNs = baseNs, lastNs = baseNs } = captures[0] ?? {};
    const groups = summarizeGroups({ name, path, firstNs, lastNs, baseNs, tally, table });
    const counts = OUTCOMES.map((outcome): [Outcome, number] => [outcome, tally.count(outcome)]);
    const total = (some: readonly [Outcome, number][]): number => some.reduce((sum, [, count]) => sum + count, 0);
    const summary = {
      handshakes: total(counts),
      failed: total(counts.filter(([outcome]) => isFailure(outcome))),
      outcomes: Object.fromEntries(counts.filter(([, count]) => count > 0)),
      late: tally.late,
    };
    return {
      command: 'read',
      captures,
      headline:
        this.filtered > 0 && summary.handshakes === 0
          ? nothingPasses(filter, [name], this.filtered)
          : captureHeadline(name, summary, groups),
      diagnoses: this.kept,
      omittedDiagnoses: tally.omitted,
      groups,
      summary,
      notes,
    };
  }
}

function counted(tally: Tally | undefined): Tally {
  if (tally === undefined) throw new Error('the attempts of this capture were not counted');
  return tally;
}
