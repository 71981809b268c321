/**
 * Tries every remedy for real: breaks a lab, diagnoses it, repairs it, verifies with a real connect from the client, undoes it, and sees
 * that it is broken again. With --kill each repair is also killed (SIGKILL) after every entry of its journal, with and without its timer.
 *   node lab/remedy-campaign.ts [CAUSE...] [--family 4|6] [--plain] [--kill] [--seed N] [--json FILE] [--write]
 * --plain leaves the variants of scenarios out; --write puts the table into docs/remedies.md. Needs root.
 *   node lab/remedy-campaign.ts --from FILE [--from FILE...] --write
 * runs nothing: puts the results of several campaigns together; of the same remedy the later file counts.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { listJobs } from './campaign.ts';
import { abortOnSignals } from './interrupt.ts';
import { sweepLeftovers } from './leftovers.ts';
import { type RemedyOutcome, runRemedies } from './remedy-run.ts';
import { writeRemedyTable } from './remedy-table.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    family: { type: 'string' },
    seed: { type: 'string', default: '1' },
    kill: { type: 'boolean', default: false },
    json: { type: 'string' },
    write: { type: 'boolean', default: false },
    from: { type: 'string', multiple: true },
    plain: { type: 'boolean', default: false },
  },
});

if (values.from !== undefined) {
  writeRemedyTable(together(values.from));
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
  await sweepLeftovers();
  const outcomes: RemedyOutcome[] = [];
  try {
    const family = values.family === undefined ? undefined : values.family === '6' ? 6 : 4;
    for (const job of listJobs({ names: positionals, ...(family === undefined ? {} : { family }) })) {
      if (signal.aborted) break;
      if (values.plain && job.variant !== undefined) continue;
      for (const outcome of await runRemedies(job, { seed: Number(values.seed), kill: values.kill, signal })) {
        outcomes.push(outcome);
        console.log(lineOf(outcome));
        if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(outcomes, undefined, 1)}\n`);
      }
    }
  } finally {
    rmSync(state, { recursive: true, force: true });
  }
  if (values.write) writeRemedyTable(outcomes);
  const wrong = outcomes.filter(
    ({ result, kills }) => result === 'wrong' || (kills !== undefined && kills.clean < kills.made),
  );
  console.log(`${outcomes.length} remedies tried, ${wrong.length} wrong`);
  if (wrong.length > 0) process.exitCode = 1;
}

/** The results of several campaigns; what was killed in an earlier one stays known. */
function together(files: readonly string[]): RemedyOutcome[] {
  const outcomes = new Map<string, RemedyOutcome>();
  for (const file of files) {
    for (const outcome of JSON.parse(readFileSync(file, 'utf8')) as RemedyOutcome[]) {
      const key = [outcome.cause, outcome.variant, outcome.family, outcome.remedy].join(' ');
      const kills = outcome.kills ?? outcomes.get(key)?.kills;
      outcomes.set(key, { ...outcome, ...(kills === undefined ? {} : { kills }) });
    }
  }
  return [...outcomes.values()].sort((a, b) => (a.cause < b.cause ? -1 : a.cause > b.cause ? 1 : 0));
}

function lineOf({ cause, variant, family, remedy, result, statement, kills }: RemedyOutcome): string {
  const name = `${cause}${variant === undefined ? '' : `/${variant}`} v${family} ${remedy}`;
  return `${result.padEnd(14)} ${name}${kills === undefined ? '' : ` [kills ${kills.clean}/${kills.made}]`}: ${statement}`;
}
