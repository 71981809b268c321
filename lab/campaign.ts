import { setTimeout as sleep } from 'node:timers/promises';
import { CAUSES } from '../src/causes/index.ts';
import type { Host } from '../src/host/host.ts';
import type { Cause } from '../src/model/cause.ts';
import type { ConnectResult } from '../src/model/facts/attempt.ts';
import type { ScenarioPlan } from '../src/model/scenario.ts';
import { type DiagnoseSide, diagnoseClient, diagnoseServer } from './diagnose.ts';
import { HEALTHY_HOSTS, healthyScenario } from './healthy.ts';
import { judgeSide, type LabSide, type RunOutcome, type SideOutcome } from './outcome.ts';
import { bundlePath, type Recording, type RecordTo, startRecording } from './record.ts';
import { type Runnable, runScenario, ScenarioSkipped, type Setting } from './run-scenario.ts';

/** One scenario in one family and variant. */
export interface LabJob {
  readonly scenario: string;
  /** Absent for a healthy host. */
  readonly cause?: Cause;
  readonly runnable: Runnable;
  readonly family: 4 | 6;
  readonly variant?: string;
}

/** Which jobs, and how they are run. */
export interface JobFilter {
  /** Names of causes or healthy hosts; all when empty. */
  readonly names: readonly string[];
  readonly family?: 4 | 6 | undefined;
  readonly variant?: string | undefined;
}

/** How jobs are run. */
export interface JobOptions {
  readonly seed: number;
  readonly sides: readonly LabSide[];
  readonly decoys: boolean;
  /** Writes a bundle of each side of each run there. */
  readonly record?: RecordTo | undefined;
  /** Waits until the client's attempt has ended, to tell what it saw. */
  readonly waitForClient?: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Called with each broken lab before it is diagnosed. */
  readonly onSetting?: (setting: Setting, side: LabSide, job: LabJob) => void;
}

/** No diagnosis takes longer; one that does hangs. */
const LONGEST_RUN_MS = 60_000;
const DIAGNOSE: Readonly<Record<LabSide, DiagnoseSide>> = { server: diagnoseServer, client: diagnoseClient };

/** Everything that can be run: causes × families × variants, and healthy hosts × families. */
export function listJobs({ names, family, variant }: JobFilter): LabJob[] {
  const wanted = (name: string): boolean => names.length === 0 || names.includes(name);
  const families = (runnable: Runnable): readonly (4 | 6)[] =>
    (runnable.families ?? [4, 6]).filter((one) => family === undefined || one === family);
  const causes = CAUSES.filter(({ id }) => wanted(id)).flatMap((cause): LabJob[] => {
    const { scenario } = cause;
    if ('impossible' in scenario) return [];
    return [undefined, ...(scenario.variants ?? [])]
      .filter((one) => variant === undefined || one === variant)
      .flatMap((one) =>
        families(scenario).map((each) => ({
          scenario: cause.id,
          cause,
          runnable: scenario,
          family: each,
          ...(one === undefined ? {} : { variant: one }),
        })),
      );
  });
  const healthy = HEALTHY_HOSTS.filter(({ name }) => wanted(name) && variant === undefined).flatMap((host) => {
    const runnable = healthyScenario(host);
    return families(runnable).map((each): LabJob => ({ scenario: host.name, runnable, family: each }));
  });
  return [...causes, ...healthy];
}

/** Runs jobs, so many at once, and hands over each outcome as it comes. Stops early when the signal says so. */
export async function runJobs(
  jobs: readonly LabJob[],
  atOnce: number,
  options: JobOptions,
  onOutcome: (outcome: RunOutcome) => void,
): Promise<void> {
  let next = 0;
  const isStopped = (): boolean => options.signal?.aborted === true;
  const work = async (): Promise<void> => {
    for (let job = jobs[next++]; job !== undefined; job = jobs[next++]) {
      if (isStopped()) return;
      const outcome = await runJob(job, options);
      // A run that was cut short says nothing.
      if (!isStopped()) onOutcome(outcome);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}

/** Runs one job: breaks a lab for each side, and diagnoses it from there. */
async function runJob(job: LabJob, options: JobOptions): Promise<RunOutcome> {
  const { scenario, cause, family, variant } = job;
  const seed = seedOf(options.seed, `${scenario} ${variant ?? ''} ${family}`);
  const outcome = {
    scenario,
    kind: cause === undefined ? ('healthy' as const) : ('cause' as const),
    family,
    ...(variant === undefined ? {} : { variant }),
    seed,
  };
  let decoys: readonly string[] = [];
  let client: readonly ConnectResult[] = [];
  const sides: SideOutcome[] = [];
  try {
    for (const side of options.sides) {
      const judged = await runScenario(
        job.runnable,
        { family, variant, seed, decoys: options.decoys, signal: options.signal },
        async (setting) => {
          decoys = setting.decoys;
          options.onSetting?.(setting, side, job);
          if (!canBeAsked(side, setting.ownPlan)) return undefined;
          let attempt: Promise<readonly ConnectResult[]> | undefined;
          const watched: Setting = {
            ...setting,
            attempt: () => {
              attempt = setting.attempt();
              return attempt;
            },
          };
          const startMs = performance.now();
          const { record, signal } = options;
          let recording: Recording | undefined;
          const wrap = (host: Host): Host => {
            if (record === undefined) return host;
            recording = startRecording(host, bundlePath(record, outcome, side), setting.target.port, record);
            return recording.host;
          };
          const report = await within(LONGEST_RUN_MS, DIAGNOSE[side](watched, { signal, wrap }));
          await recording?.write();
          const elapsedMs = Math.round(performance.now() - startMs);
          // Most diagnoses are done long before the client gives up.
          if (options.waitForClient === true && attempt !== undefined) client = await attempt;
          return judgeSide(side, report, setting.plan, cause, elapsedMs);
        },
      );
      if (judged !== undefined) sides.push(judged);
    }
    return { ...outcome, decoys, client, sides };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const how = error instanceof ScenarioSkipped ? { skipped: message } : { error: message };
    return { ...outcome, decoys, client, sides, ...how };
  }
}

/**
 * Whether a side has a host whose own kernel took part: packets that were made by hand have no client, and where a responder stands in for
 * the server's kernel, that kernel is kept out by a rule that is none of the scenario's.
 */
export function canBeAsked(side: LabSide, { attempt, steps, expect }: ScenarioPlan): boolean {
  if (side === 'client') return attempt === undefined || !('on' in attempt);
  return expect?.server !== undefined || !steps.some((step) => 'answerWith' in step && step.on === 'server');
}

/** The seed of one run: of the whole campaign's and its name (FNV-1a), so that runs do not depend on their order. */
export function seedOf(seed: number, name: string): number {
  let hash = 0x811c_9dc5 ^ seed;
  for (const letter of name) hash = Math.imul(hash ^ letter.charCodeAt(0), 0x0100_0193);
  return hash >>> 0;
}

/** Takes every `count`-th job, beginning with the `index`-th of 1..count: all shards together are all jobs. */
export function shardOf<T>(jobs: readonly T[], index: number, count: number): T[] {
  return jobs.filter((_, position) => position % count === index - 1);
}

async function within<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
  const stop = new AbortController();
  const tooLate = sleep(timeoutMs, undefined, { signal: stop.signal }).then(() => {
    throw new Error(`the diagnosis did not end within ${timeoutMs / 1000} s`);
  });
  tooLate.catch(() => undefined);
  try {
    return await Promise.race([work, tooLate]);
  } finally {
    stop.abort();
  }
}
