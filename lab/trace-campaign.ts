/**
 * Runs scenarios with `trace` and counts right verdicts, beside those that each end gives by itself at the same time.
 *   node lab/trace-campaign.ts [SCENARIO...] [--family 4|6] [--variant NAME] [--seed N] [--jobs N] [--shard I/N] [--no-decoys] [--no-variants]
 *     [--verbose] [--results FILE [--minutes N]]
 * With --results each outcome is kept in that file, as a line of JSON, and runs that it has are not made again: a long campaign can be made
 * in parts. --minutes begins no run after so long. Needs root.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import process from 'node:process';
import { parseArgs } from 'node:util';
import type { CauseVerdict, Diagnosis } from '../src/model/diagnosis.ts';
import type { ScenarioPlan } from '../src/model/scenario.ts';
import { type LabJob, listJobs, seedOf, shardOf } from './campaign.ts';
import { abortOnSignals } from './interrupt.ts';
import { sweepLeftovers } from './leftovers.ts';
import { runName } from './matrix.ts';
import { runScenario, ScenarioSkipped } from './run-scenario.ts';
import { traceLab } from './trace-both.ts';
import { type TraceOutcome, tracedOutcome, traceTotals } from './trace-outcome.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  allowNegative: true,
  options: {
    family: { type: 'string' },
    variant: { type: 'string' },
    seed: { type: 'string', default: '1' },
    jobs: { type: 'string', default: '1' },
    shard: { type: 'string' },
    results: { type: 'string' },
    minutes: { type: 'string' },
    decoys: { type: 'boolean', default: true },
    variants: { type: 'boolean', default: true },
    verbose: { type: 'boolean', default: false },
  },
});

if (process.getuid?.() === 0) await main();
else {
  console.error('The lab needs root: it makes network namespaces.');
  process.exitCode = 2;
}

async function main(): Promise<void> {
  const signal = abortOnSignals();
  await sweepLeftovers();
  const family = values.family === undefined ? undefined : values.family === '6' ? 6 : 4;
  const every = listJobs({ names: positionals, family, variant: values.variant });
  const all = values.variants ? every : every.filter(({ variant }) => variant === undefined);
  const [index, count] = (values.shard ?? '1/1').split('/').map(Number);
  const outcomes = keptOutcomes();
  const made = new Set(outcomes.map(({ name }) => name));
  const jobs = shardOf(all, index ?? 1, count ?? 1).filter((job) => !made.has(runName(job)));
  const untilMs = performance.now() + Number(values.minutes ?? Number.POSITIVE_INFINITY) * 60_000;
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < jobs.length && !signal.aborted && performance.now() < untilMs) {
      const outcome = await runOne(jobs[next++] as LabJob, signal);
      if (outcome === undefined) continue;
      outcomes.push(outcome);
      if (values.results !== undefined) appendFileSync(values.results, `${JSON.stringify(outcome)}\n`);
      console.log(lineOf(outcome));
    }
  };
  await Promise.all(Array.from({ length: Number(values.jobs) }, work));
  if (next < jobs.length) console.log(`\n${jobs.length - next} runs are still to be made`);
  console.log(`\n${traceTotals(outcomes)}`);
  if (outcomes.some(({ verdict }) => verdict !== 'right')) process.exitCode = 1;
}

function keptOutcomes(): TraceOutcome[] {
  const { results } = values;
  if (results === undefined || !existsSync(results)) return [];
  const lines = readFileSync(results, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as TraceOutcome);
}

async function runOne(job: LabJob, signal: AbortSignal): Promise<TraceOutcome | undefined> {
  const { runnable, family, variant, cause } = job;
  const startMs = performance.now();
  const name = runName(job);
  try {
    return await runScenario(
      runnable,
      { family, variant, seed: seedOf(Number(values.seed), name), decoys: values.decoys, signal },
      async (setting) => {
        const plan: ScenarioPlan = setting.plan;
        if (plan.attempt !== undefined && 'on' in plan.attempt && plan.attempt.on !== 'client') {
          throw new ScenarioSkipped('what is sent does not come from the client');
        }
        const traced = await traceLab(setting, signal);
        if (values.verbose) for (const one of traced.report.diagnoses) console.log(detailsOf(one));
        return tracedOutcome(name, traced, plan, cause, Math.round(performance.now() - startMs));
      },
    );
  } catch (error) {
    if (signal.aborted) return undefined;
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof ScenarioSkipped) {
      console.log(`- ${name}: skipped, ${message}`);
      return undefined;
    }
    if (values.verbose) console.log(error);
    return {
      name,
      verdict: 'error',
      found: null,
      client: null,
      server: null,
      sentence: message,
      expected: null,
      elapsedMs: 0,
    };
  }
}

function lineOf({
  name,
  verdict,
  found,
  client,
  server,
  location,
  expected,
  elapsedMs,
  sentence,
}: TraceOutcome): string {
  const mark = verdict === 'right' ? '✓' : verdict === 'missed' ? '?' : '✗';
  const wanted =
    verdict === 'right' ? '' : `  WANTED ${expected === null ? 'nothing' : expected.join(' ')}  (${sentence})`;
  return `${mark} ${name.padEnd(46)} ${(elapsedMs / 1000).toFixed(1).padStart(5)} s  ${verdictText(found).padEnd(42)} ${(location ?? '-').padEnd(24)} client: ${verdictText(client)}; server: ${verdictText(server)}${wanted}`;
}

function verdictText(cause: Pick<CauseVerdict, 'id' | 'status'> | null): string {
  return cause === null ? 'nothing' : `${cause.id} ${cause.status}`;
}

function detailsOf({ sentence, evidence, suspects, ruledOut, place }: Diagnosis): string {
  return [
    `    ${sentence} [${place}]`,
    ...evidence.map(({ statement, source, weight }) => `      ${weight}: ${statement} (${source})`),
    `      suspects: ${suspects.map(({ id, status }) => `${id} ${status}`).join(', ')}`,
    ...ruledOut.slice(0, 6).map(({ id, statement }) => `      not ${id}: ${statement}`),
  ].join('\n');
}
