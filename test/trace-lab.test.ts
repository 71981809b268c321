import { describe, expect, it } from 'vitest';
import { listJobs, seedOf, shardOf } from '../lab/campaign.ts';
import { runName } from '../lab/matrix.ts';
import { runScenario, ScenarioSkipped } from '../lab/run-scenario.ts';
import { traceLab } from '../lab/trace-both.ts';
import { type TraceOutcome, tracedOutcome, traceTotals } from '../lab/trace-outcome.ts';
import { namespacesMissing } from '../src/host/testing/namespaces.ts';

const missing = namespacesMissing();
if (missing !== undefined) console.log(`trace is not run in the lab: ${missing}`);
const isFull = process.env.FULL === '1';
/** Of all runs only one of 20 parts: `FULL=1 LAB_SHARD=7`. */
const part = isFull ? process.env.LAB_SHARD : undefined;
const PARTS = 20;
/** In every run: one of each place where an attempt can die. */
const FEW = ['no-return-route', 'path-firewall-drop-syn', 'return-path-lost', 'client-input-drop', 'plain'];

describe.skipIf(missing !== undefined)('both ends of the lab', () => {
  const all = listJobs({ names: isFull ? [] : FEW, family: isFull ? undefined : 4 }).filter(
    ({ variant }) => isFull || variant === undefined,
  );
  const jobs = part === undefined ? all : shardOf(all, Number(part), PARTS);
  const outcomes: TraceOutcome[] = [];

  it.each(jobs.map((job) => ({ name: runName(job), job })))('$name', async ({ name, job }) => {
    const { runnable, family, variant, cause } = job;
    try {
      const outcome = await runScenario(
        runnable,
        { family, variant, seed: seedOf(1, name), decoys: true },
        async (setting) => {
          const { attempt } = setting.plan;
          if (attempt !== undefined && 'on' in attempt && attempt.on !== 'client') return undefined;
          return tracedOutcome(name, await traceLab(setting), setting.plan, cause, 0);
        },
      );
      if (outcome === undefined) return;
      outcomes.push(outcome);
      // Nothing wrong is ever named for certain.
      expect(outcome.verdict, outcome.sentence).not.toBe('wrong-confirmed');
      if (!isFull) expect(outcome.verdict, outcome.sentence).toBe('right');
    } catch (error) {
      if (!(error instanceof ScenarioSkipped)) throw error;
      console.log(`${name} is skipped: ${error.message}`);
    }
  }, 120_000);

  it.skipIf(!isFull)('right in at least 98 %', () => {
    console.log(traceTotals(outcomes));
    const right = outcomes.filter(({ verdict }) => verdict === 'right').length;
    expect(right / outcomes.length).toBeGreaterThanOrEqual(0.98);
  });
});
