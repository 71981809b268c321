import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Host } from '../src/host/host.ts';
import type { RepairPlan } from '../src/model/repair.ts';
import { Journal } from '../src/remedy/journal/journal.ts';
import { storiesOf } from '../src/remedy/journal/records.ts';
import { RUN_DIRECTORY } from '../src/remedy/lock.ts';
import { type Recovery, recoverRepairs } from '../src/remedy/recover.ts';
import { newRepairId } from '../src/remedy/repair.ts';
import { undoRepair } from '../src/service/fix.ts';
import type { Fault } from '../src/service/fix-fault.ts';
import type { ApplyJob } from './remedy-apply.ts';
import { difference } from './remedy-snapshot.ts';

/** How a repair is killed at every point of its journal. */
export interface KillOptions {
  readonly host: Host;
  /** As it is when a plan was made. */
  readonly fault: () => Fault;
  /** Makes the plan for the state that is there now: what was deleted and came back may bear another number. */
  readonly plan: (id: string) => Promise<RepairPlan | undefined>;
  /** The state of the namespace, equal for equal states. */
  readonly state: (plan: RepairPlan) => Promise<string>;
  /** Only at the points around the change itself: for each run of the tests. */
  readonly few?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How many kills were made, how many left nothing half-done, and what the others left. */
export interface Kills {
  readonly made: number;
  readonly clean: number;
  readonly problems: readonly string[];
}

/** What is killed: a repair that helps, one that does not (from where it is taken back on), and the undoing of one. */
type Way = 'helps' | 'does-not-help' | 'undo';

/** A point at which a process is killed: after so many entries, and whether right before the next one, and the timer before it. */
interface KillPoint {
  readonly way: Way;
  readonly entry: number;
  readonly isLate: boolean;
  readonly withTimer: boolean;
}

/** Longer than the timer needs to notice that synscope has ended. */
const NOTICED_MS = 600;
const SETTLE_TRIES = 15;
const SETTLE_MS = 200;

/**
 * Kills a repair (SIGKILL) between any two entries of its journal: right after the one and right before the next, where something happens
 * between them; with its timer and without, while it runs. Then the next start cleans up. Nothing may be left: of the change, its
 * configuration file, the timer and the lock.
 */
export async function killEverywhere(options: KillOptions): Promise<Kills | undefined> {
  const entries = await new KillTrial(options, undefined).entries();
  if (entries === undefined) return undefined;
  const found = { made: 0, clean: 0, problems: [] as string[] };
  for (const point of pointsOf(entries).filter((one) => !options.few || isAtChange(entries, one))) {
    if (options.signal?.aborted) break;
    const outcome = await new KillTrial(options, point).run();
    // The lab is being taken down: what is left of that says nothing.
    if (options.signal?.aborted) break;
    if (outcome === 'not killed') continue;
    found.made += 1;
    if (outcome === 'clean') found.clean += 1;
    else found.problems.push(`${textOf(point)}: ${outcome.problem}`);
  }
  return found;
}

/** Entries after which something happens that the next one tells of. */
const BUSY: ReadonlySet<string> = new Set(['begin', 'step', 'verified', 'disarmed', 'persisting', 'rolling-back']);

/** All points at which a repair with these entries can be killed. */
function pointsOf(entries: readonly string[]): KillPoint[] {
  const armed = entries.indexOf('armed') + 1;
  const disarmed = entries.indexOf('disarmed') + 1;
  const verifying = entries.indexOf('verifying') + 1;
  const all = entries.flatMap((name, index): KillPoint[] => {
    const entry = index + 1;
    const runsTimer = entry >= armed && entry < disarmed;
    const isBusy = BUSY.has(name);
    return [false, true].flatMap((isLate) =>
      [false, true].flatMap((withTimer) =>
        (isLate && !isBusy) || (withTimer && !runsTimer) ? [] : [{ way: 'helps', entry, isLate, withTimer }],
      ),
    );
  });
  // A repair that does not help goes another way from its verification on, and undoing makes its changes in the other direction.
  const back = [false, true].flatMap((isLate) =>
    [false, true].map((withTimer): KillPoint => ({ way: 'does-not-help', entry: verifying + 1, isLate, withTimer })),
  );
  const undo = all
    .filter(({ entry, isLate, withTimer }) => withTimer && isLate && entry > armed)
    .map((point): KillPoint => ({ ...point, way: 'undo' }));
  return [...all, ...back, ...undo];
}

/** Whether a point is where a change was just made, or it or its undoing just verified, with nobody left to watch over it. */
function isAtChange(entries: readonly string[], { way, entry, isLate, withTimer }: KillPoint): boolean {
  const name = entries[entry - 1];
  return withTimer && isLate && (name === 'verified' || (name === 'step' && way !== 'undo'));
}

function textOf({ way, entry, isLate, withTimer }: KillPoint): string {
  return `${way}, entry ${entry}${isLate ? ', late' : ''}${withTimer ? ', timer' : ''}`;
}

type TrialOutcome = 'clean' | 'not killed' | { readonly problem: string };

/** One repair that is killed once. */
class KillTrial {
  private readonly options: KillOptions;
  private readonly point: KillPoint | undefined;
  private readonly directory: string = mkdtempSync(join(tmpdir(), 'synscope-kill-'));
  private readonly journal: Journal = new Journal(this.directory);
  private readonly id: string = newRepairId();

  constructor(options: KillOptions, point: KillPoint | undefined) {
    this.options = options;
    this.point = point;
  }

  /** The entries of a repair that nobody kills; undefined when there is nothing to be done. */
  async entries(): Promise<readonly string[] | undefined> {
    try {
      const plan = await this.options.plan(this.id);
      if (!isToBeDone(plan)) return undefined;
      await this.child(this.applyJob(plan, true));
      const entries = this.journal.read().map(({ entry }) => entry);
      await this.cleanUp();
      return entries;
    } finally {
      rmSync(this.directory, { recursive: true, force: true });
    }
  }

  async run(): Promise<TrialOutcome> {
    const { point } = this;
    if (point === undefined) return 'not killed';
    try {
      const plan = await this.options.plan(this.id);
      if (!isToBeDone(plan)) return { problem: 'there is nothing to be done any more' };
      const before = await this.state(plan);
      const apply = this.applyJob(plan, point.way !== 'does-not-help');
      let job: ApplyJob = apply;
      if (point.way === 'undo') {
        await this.child(apply);
        if (this.undoable() === undefined) return 'not killed';
        job = { do: 'undo', spec: apply.spec, id: this.id };
      }
      const killed = await this.child(job, point);
      // Every other time the timer is faster than the next start.
      if (killed && point.entry % 2 === 0) await sleep(NOTICED_MS);
      const recoveries = await this.cleanUp();
      if (!killed) return 'not killed';
      const failed = recoveries.find(({ outcome }) => outcome === 'failed');
      if (failed !== undefined) return { problem: failed.statement };
      const left = await this.leftovers(plan, before);
      return left === '' ? 'clean' : { problem: left };
    } finally {
      rmSync(this.directory, { recursive: true, force: true });
    }
  }

  private applyJob(plan: RepairPlan, helps: boolean): ApplyJob {
    const { host, fault } = this.options;
    return { do: 'apply', spec: host.spec, plan, fault: fault(), id: this.id, helps };
  }

  /** What the next start does; a repair that stands is then undone. */
  private async cleanUp(): Promise<readonly Recovery[]> {
    const { host } = this.options;
    const recoveries = await recoverRepairs(host, this.journal);
    const story = this.undoable();
    if (story !== undefined) await undoRepair(host, this.journal, story);
    return recoveries;
  }

  private undoable(): ReturnType<typeof storiesOf>[number] | undefined {
    const story = storiesOf(this.journal.read()).find(({ id }) => id === this.id);
    const stands = story?.end?.outcome === 'verified' && story.undoneBy === undefined;
    return stands && story.beginning.steps.some(({ undo }) => undo.length > 0) ? story : undefined;
  }

  private async state(plan: RepairPlan): Promise<string> {
    const file = plan.persistent?.path;
    const text = file !== undefined && existsSync(file) ? ((await this.options.host.readFile(file)) ?? '') : '';
    return `${await this.options.state(plan)}\n${text}`;
  }

  /** What is not as it was; what the kernel does after the last command is waited for. */
  private async leftovers(plan: RepairPlan, before: string): Promise<string> {
    for (let tries = 0; ; tries += 1) {
      const changed = difference(before, await this.state(plan));
      const unfinished = storiesOf(this.journal.read()).filter(({ end }) => end === undefined);
      const ours = new Set(storiesOf(this.journal.read()).map(({ id }) => `repair-${id}`));
      const timers = existsSync(RUN_DIRECTORY) ? readdirSync(RUN_DIRECTORY).filter((name) => ours.has(name)) : [];
      const left = [changed, ...unfinished.map(({ id }) => `repair ${id} has no end`), ...timers].filter(Boolean);
      if (left.length === 0 || tries === SETTLE_TRIES) return left.join('; ');
      await sleep(SETTLE_MS);
    }
  }

  /** Runs a job in a process of its own. @returns whether it was killed. */
  private child(job: ApplyJob, point?: KillPoint): Promise<boolean> {
    const after = point && [point.entry, point.isLate ? 'late' : '', point.withTimer ? 'timer' : ''].join(',');
    const child = spawn(process.execPath, [join(import.meta.dirname, 'remedy-apply.ts')], {
      stdio: ['pipe', 'ignore', 'ignore'],
      env: {
        ...process.env,
        SYNSCOPE_STATE_DIR: this.directory,
        ...(after === undefined ? {} : { SYNSCOPE_TEST_KILL_AFTER: after }),
      },
    });
    child.stdin.end(JSON.stringify(job));
    return new Promise((resolve) => child.on('close', (_, signal) => resolve(signal === 'SIGKILL')));
  }
}

function isToBeDone(plan: RepairPlan | undefined): plan is RepairPlan {
  return plan !== undefined && plan.blocked.length === 0 && !plan.steps.every(({ alreadySo }) => alreadySo);
}
