import process from 'node:process';
import { createInterface } from 'node:readline/promises';
import { type Host, HostError } from '../host/host.ts';
import { openHost } from '../host/open-host.ts';
import type { RepairPlan } from '../model/repair.ts';
import { quoteCommand } from '../model/shell-quote.ts';
import { Journal } from '../remedy/journal/journal.ts';
import { recoverRepairs } from '../remedy/recover.ts';
import { newRepairId } from '../remedy/repair.ts';
import { applyPlan, listRepairs, undoableRepair, undoRepair } from '../service/fix.ts';
import { diagnoseFault, type Fault, type FaultTarget, faultsOf } from '../service/fix-fault.ts';
import { lastFaults } from '../service/fix-memory.ts';
import { planRepair } from '../service/fix-plan.ts';
import { interruptedRepairs } from '../service/fix-recover.ts';
import { withTwin } from '../service/fix-twin.ts';
import { Verifier } from '../service/fix-verify.ts';
import { EXIT_CAUSE_FOUND, EXIT_NOTHING_WRONG, EXIT_UNDECIDED, UsageError } from './command.ts';
import { parseConnectTarget } from './connect-options.ts';
import type { FixCommandOptions, FixWish } from './fix.ts';
import { type FixReport, renderFixJson } from './fix-json.ts';
import { renderFixScreen } from './fix-screen.ts';
import { OutputBuffer, outputStyle } from './output.ts';
import { type StatusLine, statusLine } from './status-line.ts';

/** Does what a command line of `fix` asks for, prints it, and returns the exit code. */
export async function runFix(wish: FixWish, options: FixCommandOptions, signal: AbortSignal): Promise<number> {
  const journal = new Journal();
  if (options.journal) {
    await print({ host: options.on, recovered: [], journal: listRepairs(journal) }, options);
    return EXIT_NOTHING_WRONG;
  }
  if (options.reset) {
    journal.append('reset', { entry: 'reset' });
    await print(
      { host: options.on, recovered: [], nothingWrong: 'The policies of a watch may repair again.' },
      options,
    );
    return EXIT_NOTHING_WRONG;
  }
  if (wish.causeId !== undefined) await checkCause(wish.causeId);
  const host = await openHost(hostOf(options, journal), { sudo: options.sudo ?? false });
  const status = statusLine();
  try {
    const changes = options.apply === true || options.undo !== undefined;
    // A recording has no repairs.
    const isLive = !host.spec.startsWith('bundle:');
    const before: Before = changes
      ? { recovered: await recoverRepairs(host, journal) }
      : { recovered: [], interrupted: isLive ? await interruptedRepairs(host, journal) : [] };
    if (options.undo !== undefined) return await undo(host, journal, options.undo, options, before, status);
    return await new FixRun(host, journal, wish, options, before, status, signal).run();
  } finally {
    status.clear();
    await host.close();
  }
}

/** The journal knows where a repair was made: then `--on` need not be said again. */
function hostOf({ on, undo }: FixCommandOptions, journal: Journal): string {
  if (undo === undefined || on !== 'local') return on;
  return undoableRepair(journal, undo).beginning.host;
}

/** @throws UsageError for a name that no cause has. */
async function checkCause(id: string): Promise<void> {
  const { CAUSES } = await import('../causes/index.ts');
  if (CAUSES.some((cause) => cause.id === id)) return;
  const { GlossaryIndex } = await import('../model/glossary/lookup.ts');
  const { causeEntries } = await import('../engine/cause-entries.ts');
  const guess = new GlossaryIndex(causeEntries()).nearest(id, 3).join(', ');
  throw new UsageError(
    `there is no cause "${id}"${guess === '' ? '' : `; did you mean ${guess}?`}; every one of them: synscope causes`,
  );
}

/** What became of repairs that had been interrupted. */
type Before = Pick<FixReport, 'recovered' | 'interrupted'>;

async function undo(
  host: Host,
  journal: Journal,
  id: string,
  options: FixCommandOptions,
  before: Before,
  status: StatusLine,
): Promise<number> {
  const story = undoableRepair(journal, id);
  if (story.beginning.host !== host.spec) {
    throw new HostError('failed', `repair ${id} was made on ${story.beginning.host}`, {
      hint: `add --on ${story.beginning.host}`,
    });
  }
  const result = await undoRepair(host, journal, story, { onProgress: (text) => status.draw(text) });
  status.clear();
  await print({ host: host.spec, ...before, result }, options);
  return result.outcome === 'verified' ? EXIT_NOTHING_WRONG : EXIT_CAUSE_FOUND;
}

/** One diagnosis, its plan, and what came of it. */
class FixRun {
  private readonly host: Host;
  private readonly journal: Journal;
  private readonly wish: FixWish;
  private readonly options: FixCommandOptions;
  private readonly before: Before;
  private readonly status: StatusLine;
  private readonly signal: AbortSignal;
  private readonly id: string = newRepairId();

  constructor(
    host: Host,
    journal: Journal,
    wish: FixWish,
    options: FixCommandOptions,
    before: Before,
    status: StatusLine,
    signal: AbortSignal,
  ) {
    this.host = host;
    this.journal = journal;
    this.wish = wish;
    this.options = options;
    this.before = before;
    this.status = status;
    this.signal = signal;
  }

  async run(): Promise<number> {
    const fault = await this.findFault();
    if (typeof fault === 'number') return fault;
    const peer = this.options.peer === undefined ? undefined : await openHost(this.options.peer, {});
    try {
      const verifier = new Verifier({
        host: this.host,
        fault,
        waitMs: this.options.for,
        signal: this.signal,
        ...(peer === undefined ? {} : { peer }),
      });
      return await this.repair(fault, verifier);
    } finally {
      await peer?.close();
    }
  }

  private async repair(fault: Fault, verifier: Verifier): Promise<number> {
    const { host, id, options, signal } = this;
    const { remedy, gateway, device, iOwnThisPolicy, apply, persist } = options;
    this.status.draw('planning');
    const planned = await planRepair(host, fault, {
      id,
      verification: verifier.how,
      ...(remedy === undefined ? {} : { remedyId: remedy }),
      ...(gateway === undefined ? {} : { gateway }),
      ...(device === undefined ? {} : { device }),
      ...(iOwnThisPolicy === undefined ? {} : { ownsPolicy: iOwnThisPolicy }),
    });
    if (planned === undefined) return this.say({ cannot: noRemedy(fault, remedy) }, EXIT_UNDECIDED);
    this.status.draw('trying it on a copy of the host');
    const plan = await withTwin(host, fault, planned, { signal });
    if (apply !== true) return this.say({ plan }, plan.blocked.length > 0 ? EXIT_UNDECIDED : EXIT_CAUSE_FOUND);
    if (plan.blocked.length > 0) return this.say({ plan, cannot: { reason: 'nothing was changed' } }, EXIT_UNDECIDED);
    const refusal = await this.mayApply(plan);
    if (refusal !== undefined) return this.say({ plan, cannot: refusal }, EXIT_UNDECIDED);
    const result = await applyPlan({
      host,
      journal: this.journal,
      plan,
      fault,
      id,
      by: 'person',
      verifier,
      signal,
      onProgress: (text) => this.status.draw(text),
      ...(persist === undefined ? {} : { persist }),
    });
    return this.say({ plan, result }, exitCodeOf(result.outcome));
  }

  /** The fault that is to be repaired, or the exit code when there is none. */
  private async findFault(): Promise<Fault | number> {
    const { options, wish, host, status } = this;
    if (options.last) {
      const faults = lastFaults(host.spec);
      const fault = wish.causeId === undefined ? faults[0] : faults.find(({ cause }) => cause.id === wish.causeId);
      if (fault !== undefined) return fault;
      const reason = `the last diagnosis of ${host.spec} names ${faults.map(({ cause }) => cause.id).join(', ')}, not ${wish.causeId}`;
      return this.say({ cannot: { reason } }, EXIT_UNDECIDED);
    }
    const target = this.target();
    const report = await diagnoseFault(host, target, {
      signal: this.signal,
      onReady: () => {
        if (target.side === 'server' && target.from === undefined) {
          status.say(
            `Waiting for a client that fails on port ${target.port}, ${Math.round(target.forMs / 1000)} s; Ctrl-C ends it.`,
          );
        }
      },
    });
    const faults = faultsOf(report, target.side);
    const [first] = faults;
    const fault = wish.causeId === undefined ? first : faults.find(({ cause }) => cause.id === wish.causeId);
    if (fault !== undefined) return fault;
    if (first !== undefined) {
      const reason = `what stands out is ${first.cause.id}, not ${wish.causeId}: ${first.sentence.replace(/\.$/, '')}`;
      const words = process.argv.slice(2).map((word) => (word === wish.causeId ? first.cause.id : word));
      return this.say({ cannot: { reason, hint: quoteCommand(['synscope', ...words]) } }, EXIT_UNDECIDED);
    }
    const isWell = report.diagnoses.length > 0 ? report.diagnoses.every((one) => one.incomplete !== true) : false;
    const isFine = isWell && report.summary.failed === 0;
    return isFine
      ? this.say({ nothingWrong: report.headline }, EXIT_NOTHING_WRONG)
      : this.say(
          {
            cannot: {
              reason: report.headline.replace(/\.$/, ''),
              hint: 'no cause stands out, so there is nothing to repair',
            },
          },
          EXIT_UNDECIDED,
        );
  }

  private target(): FaultTarget {
    const { options, wish } = this;
    if (options.target !== undefined) {
      return { side: 'client', target: parseConnectTarget(options.target), timeoutMs: Math.min(options.for, 10_000) };
    }
    const { port = 0, address } = wish;
    return {
      side: 'server',
      port,
      forMs: options.for,
      ...(address === undefined ? {} : { address }),
      ...(options.from === undefined ? {} : { from: options.from }),
    };
  }

  /** Asks before a high risk, on a terminal; elsewhere `--yes` must say it. */
  private async mayApply(plan: RepairPlan): Promise<{ readonly reason: string; readonly hint?: string } | undefined> {
    if (this.options.yes || plan.remedy.risk !== 'high') return undefined;
    if (!process.stdin.isTTY || !process.stderr.isTTY || this.options.json) {
      return { reason: 'the risk is high, and nobody can be asked', hint: 'add --yes if you are sure' };
    }
    process.stderr.write(renderFixScreen({ host: this.host.spec, recovered: [], plan }, outputStyle(), undefined));
    const ask = createInterface({ input: process.stdin, output: process.stderr });
    try {
      const answer = await ask.question('\nThe risk is high. Do it? [y/N] ', { signal: this.signal });
      return /^y(es)?$/i.test(answer.trim()) ? undefined : { reason: 'nothing was changed' };
    } catch (error) {
      if (this.signal.aborted) return { reason: 'nothing was changed' };
      throw error;
    } finally {
      ask.close();
    }
  }

  private async say(report: Omit<FixReport, 'host' | keyof Before>, code: number): Promise<number> {
    this.status.clear();
    await print({ host: this.host.spec, ...this.before, ...report }, this.options, this.applyCommand());
    return code;
  }

  /** The command line that carries out the plan that is shown. */
  private applyCommand(): readonly string[] {
    const given = process.argv.slice(2).filter((word) => word !== '--json');
    return ['sudo', 'synscope', ...given, '--apply'];
  }
}

function exitCodeOf(outcome: 'verified' | 'rolled-back' | 'failed'): number {
  return outcome === 'verified' ? EXIT_NOTHING_WRONG : outcome === 'rolled-back' ? EXIT_CAUSE_FOUND : EXIT_UNDECIDED;
}

function noRemedy(
  { cause, remedies, place }: Fault,
  wanted: string | undefined,
): { readonly reason: string; readonly hint?: string } {
  if (wanted !== undefined && remedies.length > 0) {
    return {
      reason: `${cause.id} has no remedy "${wanted}" here`,
      hint: `there is ${remedies.map(({ id }) => id).join(', ')}`,
    };
  }
  const where = place === 'client' || place === 'server' ? '' : '; it lies elsewhere';
  return {
    reason: `synscope knows no repair for ${cause.id} on this host${where}`,
    hint: `synscope explain ${cause.id} says what it is`,
  };
}

async function print(report: FixReport, { json }: FixCommandOptions, applyCommand?: readonly string[]): Promise<void> {
  const output = new OutputBuffer();
  output.write(json ? renderFixJson(report) : renderFixScreen(report, outputStyle(), applyCommand));
  output.flush();
}
