import { randomInt } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import process from 'node:process';
import { type JobOptions, type LabJob, listJobs, runJobs, shardOf } from '../../lab/campaign.ts';
import { describePlan } from '../../lab/describe-step.ts';
import { HEALTHY_HOSTS } from '../../lab/healthy.ts';
import { sweepLeftovers } from '../../lab/leftovers.ts';
import { matrixOf, runName, totalsOf } from '../../lab/matrix.ts';
import type { RunOutcome } from '../../lab/outcome.ts';
import { renderList, renderOutcome, renderOutcomeLine, renderTotals } from '../../lab/report.ts';
import { CAUSES } from '../causes/index.ts';
import { createTheme } from '../report/style.ts';
import { EXIT_CAUSE_FOUND, EXIT_NOTHING_WRONG, EXIT_UNDECIDED, UsageError } from './command.ts';
import type { LabCommandOptions } from './lab.ts';
import { OutputBuffer, outputStyle } from './output.ts';
import { packageVersion } from './package-version.ts';
import { statusLine } from './status-line.ts';

/** Prints what the lab can break. */
export async function listLab({ json = false }: LabCommandOptions): Promise<number> {
  const output = new OutputBuffer();
  const style = outputStyle();
  output.write(json ? listJson() : renderList(CAUSES, HEALTHY_HOSTS, createTheme(style), style.columns));
  output.flush();
  return EXIT_NOTHING_WRONG;
}

/** Breaks and diagnoses; prints what was expected and what was found. */
export async function runLab(
  names: readonly string[],
  options: LabCommandOptions,
  signal: AbortSignal,
): Promise<number> {
  const jobs = chooseJobs(names, options);
  if (process.getuid?.() !== 0)
    throw new UsageError('the lab makes network namespaces and needs root; run it with sudo');
  const seed = options.seed ?? randomInt(1, 1_000_000);
  const style = outputStyle();
  const theme = createTheme(style);
  const output = new OutputBuffer();
  const status = statusLine();
  const isDetailed = options.all !== true && options.json !== true;
  const broken = new Map<string, readonly string[]>();
  const outcomes: RunOutcome[] = [];
  const jobOptions: JobOptions = {
    seed,
    sides: options.side === undefined ? ['server', 'client'] : [options.side],
    decoys: options.decoys,
    ...(options.record === undefined ? {} : { record: { folder: options.record, synscope: packageVersion() } }),
    waitForClient: isDetailed,
    signal,
    onSetting: ({ ownPlan, names: { family } }, _, { scenario, variant }) => {
      const name = runName({ scenario, family, ...(variant === undefined ? {} : { variant }) });
      broken.set(name, describePlan(ownPlan));
      status.draw(`${outcomes.length} of ${jobs.length}: ${name}`);
    },
  };
  if (options.record !== undefined) mkdirSync(options.record, { recursive: true });
  await sweepLeftovers();
  try {
    if (options.json !== true) output.write(`seed ${seed}\n${isDetailed ? '\n' : ''}`);
    await runJobs(jobs, options.jobs, jobOptions, (outcome) => {
      outcomes.push(outcome);
      status.clear();
      if (options.json === true) return;
      output.write(
        isDetailed
          ? `${renderOutcome(outcome, broken.get(runName(outcome)) ?? [], theme, style.columns)}\n`
          : renderOutcomeLine(outcome, theme),
      );
      output.flush();
    });
  } finally {
    status.clear();
  }
  if (options.json === true) output.write(campaignJson(seed, outcomes));
  else if (outcomes.length > 1) output.write(`${isDetailed ? '' : '\n'}${renderTotals(totalsOf(outcomes), theme)}`);
  output.flush();
  return exitCode(outcomes);
}

function chooseJobs(names: readonly string[], options: LabCommandOptions): LabJob[] {
  const known = new Set([...CAUSES.map(({ id }) => id), ...HEALTHY_HOSTS.map(({ name }) => name)]);
  for (const name of names) {
    if (!known.has(name)) throw new UsageError(`the lab knows no "${name}"; what it knows: synscope lab`);
    const scenario = CAUSES.find(({ id }) => id === name)?.scenario;
    if (scenario !== undefined && 'impossible' in scenario && names.length === 1) {
      throw new UsageError(`${name} cannot be made in namespaces: ${scenario.impossible}`);
    }
  }
  const all = listJobs({ names, family: options.family, variant: options.variant });
  if (all.length === 0) throw new UsageError('no scenario has this family and variant; what there is: synscope lab');
  return options.shard === undefined ? all : shardOf(all, options.shard.index, options.shard.count);
}

/** 0: everything as expected; 1: something was missed or wrong; 3: nothing could be judged. */
function exitCode(outcomes: readonly RunOutcome[]): number {
  const { errors, wrong, wrongConfirmed, missed } = totalsOf(outcomes);
  if (errors + wrong.length + wrongConfirmed.length + missed.length > 0) return EXIT_CAUSE_FOUND;
  return outcomes.some(({ sides }) => sides.length > 0) ? EXIT_NOTHING_WRONG : EXIT_UNDECIDED;
}

function campaignJson(seed: number, outcomes: readonly RunOutcome[]): string {
  const matrix = { server: matrixOf(outcomes, 'server'), client: matrixOf(outcomes, 'client') };
  const report = { schemaVersion: 1, command: 'lab', seed, runs: outcomes, totals: totalsOf(outcomes), matrix };
  return `${JSON.stringify(report, undefined, 2)}\n`;
}

function listJson(): string {
  const causes = CAUSES.map(({ id, scenario }) =>
    'impossible' in scenario
      ? { id, impossible: scenario.impossible }
      : { id, families: scenario.families ?? [4, 6], variants: scenario.variants ?? [] },
  );
  const healthy = HEALTHY_HOSTS.map(({ name, what, families = [4, 6] }) => ({ name, what, families }));
  return `${JSON.stringify({ schemaVersion: 1, command: 'lab', causes, healthy }, undefined, 2)}\n`;
}
