/**
 * Tries every remedy for real: breaks a lab, diagnoses it, repairs it, verifies with a real connect from the client, undoes it, and sees
 * that it is broken again. With --kill each repair is also killed (SIGKILL) between any two entries of its journal, with and without its
 * timer: once for each remedy and kind of change.
 *   node lab/remedy-campaign.ts [CAUSE...] [--family 4|6] [--plain] [--kill] [--seed N] [--jobs N] [--part I/N] [--json FILE [--resume]] [--write]
 * --plain leaves the variants of scenarios out; --part does the I-th of N parts; --resume goes on with what FILE
 * holds; --write puts the table into docs/remedies.md. Needs root.
 *   node lab/remedy-campaign.ts --from FILE [--from FILE...] [--kills-from FILE...] --write
 * runs nothing: puts the parts of one campaign together, and what was killed in others.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { isApplicable } from '../src/service/fix-plan.ts';
import { type LabJob, listJobs, shardOf } from './campaign.ts';
import { abortOnSignals } from './interrupt.ts';
import { sweepLeftovers } from './leftovers.ts';
import { type RemedyOutcome, runRemedies } from './remedy-run.ts';
import { type RemedyResults, writeRemedyTable } from './remedy-table.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    family: { type: 'string' },
    seed: { type: 'string', default: '1' },
    jobs: { type: 'string', default: '1' },
    part: { type: 'string', default: '1/1' },
    kill: { type: 'boolean', default: false },
    json: { type: 'string' },
    resume: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    from: { type: 'string', multiple: true },
    'kills-from': { type: 'string', multiple: true, default: [] },
    plain: { type: 'boolean', default: false },
  },
});

if (values.from !== undefined) {
  writeRemedyTable(together(values.from, values['kills-from']));
} else if (process.getuid?.() !== 0) {
  console.error('The lab needs root: it makes network namespaces.');
  process.exitCode = 2;
} else {
  await campaign();
}

async function campaign(): Promise<void> {
  const signal = abortOnSignals();
  const state = mkdtempSync(join(tmpdir(), 'synscope-remedies-'));
  process.env.SYNSCOPE_STATE_DIR = state;
  // Each kill starts a process anew.
  process.env.NODE_COMPILE_CACHE = join(state, 'compile-cache');
  await sweepLeftovers();
  const earlier = values.resume && values.json !== undefined ? readResults(values.json) : undefined;
  const startedAt = earlier?.startedAt ?? new Date().toISOString();
  const outcomes: RemedyOutcome[] = [...(earlier?.outcomes ?? [])];
  const done: string[] = [...(earlier?.done ?? [])];
  const all = jobsOfPart();
  const planned = all.length;
  const jobs = all.filter((job) => !done.includes(nameOf(job)));
  const results = (): RemedyResults => ({
    v: 1,
    startedAt,
    seed: Number(values.seed),
    part: values.part,
    planned,
    done,
    outcomes,
  });
  const killed = new Set<string>();
  const causes = [...new Set(jobs.map(({ scenario }) => scenario))];
  const work = async (): Promise<void> => {
    for (let job = jobs.shift(); job !== undefined && !signal.aborted; job = jobs.shift()) {
      const { family } = job;
      // Of one remedy that changes the same, one is killed; half of the causes in each family.
      const own = job.runnable.families ?? [4, 6];
      const wanted = own.length === 1 ? own[0] : causes.indexOf(job.scenario) % 2 === 0 ? 4 : 6;
      const kill = ({ cause, remedy, changes }: Pick<RemedyOutcome, 'cause' | 'remedy' | 'changes'>): boolean => {
        const key = [cause, remedy, changes].join(' ');
        const isNext = values.kill && (family === wanted || values.family !== undefined) && !killed.has(key);
        if (isNext) killed.add(key);
        return isNext;
      };
      const found = await runRemedies(job, { seed: Number(values.seed), kill, signal }).catch((error: unknown) => {
        // What was cut short says nothing.
        if (signal.aborted) return [];
        throw error;
      });
      if (signal.aborted) return;
      for (const outcome of found) {
        outcomes.push(outcome);
        console.log(lineOf(outcome));
      }
      done.push(nameOf(job));
      if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results(), undefined, 1)}\n`);
    }
  };
  try {
    await Promise.all(Array.from({ length: Number(values.jobs) }, work));
  } finally {
    rmSync(state, { recursive: true, force: true });
  }
  if (values.write) writeRemedyTable(results());
  const wrong = outcomes.filter(({ result, kills }) => result === 'wrong' || (kills?.problems.length ?? 0) > 0);
  console.log(`${outcomes.length} remedies tried, ${wrong.length} wrong`);
  if (wrong.length > 0) process.exitCode = 1;
}

/** Whether synscope can do something about a cause in any of its examples; about others it gives advice. */
function hasRemedy({ cause }: LabJob): boolean {
  if (cause?.remedies === undefined || cause.place === 'path') return false;
  return cause.examples.some(({ given }) => cause.remedies?.(given).some(isApplicable) === true);
}

/** Scenarios of causes that a host can have and repair. All runs of one cause are in one part, so that each remedy is killed once. */
function jobsOfPart(): LabJob[] {
  const [index, count] = values.part.split('/').map(Number);
  if (index === undefined || count === undefined || !(index >= 1 && index <= count)) {
    throw new Error(`--part takes I/N, for example 2/6, and not "${values.part}"`);
  }
  const family = values.family === undefined ? undefined : values.family === '6' ? 6 : 4;
  const all = listJobs({ names: positionals, ...(family === undefined ? {} : { family }) }).filter(
    (job) => hasRemedy(job) && !(values.plain && job.variant !== undefined),
  );
  const causes = shardOf([...new Set(all.map(({ scenario }) => scenario))], index, count);
  return all.filter(({ scenario }) => causes.includes(scenario));
}

/** The results of the parts of one campaign. @throws Error when they are not all of one, or one is missing. */
function together(files: readonly string[], killFiles: readonly string[]): RemedyResults {
  const parts = files.map(readResults);
  const [first] = parts;
  const count = Number(first?.part.split('/')[1]);
  const wanted = Array.from({ length: count }, (_, index) => `${index + 1}/${count}`);
  const missing = wanted.filter((part) => !parts.some((one) => one.part === part));
  if (first === undefined || missing.length > 0 || parts.length !== count) {
    throw new Error(`a campaign of ${count} parts needs each of them once; missing: ${missing.join(', ') || 'none'}`);
  }
  if (parts.some(({ seed }) => seed !== first.seed)) throw new Error('the parts have different seeds');
  return {
    ...first,
    part: '1/1',
    startedAt: parts.map(({ startedAt }) => startedAt).sort()[0] ?? first.startedAt,
    planned: parts.reduce((sum, { planned }) => sum + planned, 0),
    done: parts.flatMap(({ done }) => done),
    outcomes: withKills(
      parts.flatMap(({ outcomes }) => outcomes),
      killFiles.flatMap((file) => readResults(file).outcomes),
    ),
  };
}

/** Puts each remedy's kills of other campaigns on one of its runs; of several the latest count. */
function withKills(outcomes: readonly RemedyOutcome[], killed: readonly RemedyOutcome[]): RemedyOutcome[] {
  const left = new Map(
    killed.flatMap(({ cause, remedy, family, kills }) =>
      kills === undefined ? [] : [[`${cause} ${remedy} ${family}`, kills]],
    ),
  );
  return outcomes.map((outcome) => {
    const key = `${outcome.cause} ${outcome.remedy} ${outcome.family}`;
    const kills = outcome.kills ?? left.get(key);
    left.delete(key);
    return kills === undefined ? outcome : { ...outcome, kills };
  });
}

function readResults(file: string): RemedyResults {
  return JSON.parse(readFileSync(file, 'utf8')) as RemedyResults;
}

function nameOf({ scenario, variant, family }: LabJob): string {
  return `${scenario}${variant === undefined ? '' : `/${variant}`} v${family}`;
}

function lineOf({ cause, variant, family, remedy, result, statement, kills }: RemedyOutcome): string {
  const name = `${cause}${variant === undefined ? '' : `/${variant}`} v${family} ${remedy}`;
  const killed = kills === undefined ? '' : ` [kills ${kills.clean}/${kills.made}]`;
  return [
    `${result.padEnd(14)} ${name}${killed}: ${statement}`,
    ...(kills?.problems ?? []).map((problem) => `    left: ${problem}`),
  ].join('\n');
}
