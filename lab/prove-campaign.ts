/**
 * Breaks hosts for real, lets a client try, and proves on a copy of the server what stops it.
 *   node lab/prove-campaign.ts [NAME...] [--full] [--shard 2/8] [--jobs N] [--family 4|6] [--variant NAME] [--seed N] [--decoys] [--json FILE]
 *   node lab/prove-campaign.ts --table FILE...
 * A handful of scenarios unless named; all with --full, or a part of them with --shard. --table prints what was written to files by --json.
 * Needs root and tcpdump.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { openHost } from '../src/host/open-host.ts';
import { InputError } from '../src/model/errors.ts';
import { proveHost } from '../src/service/prove-host.ts';
import { canBeAsked, type LabJob, listJobs, shardOf } from './campaign.ts';
import { inNamespace } from './exec.ts';
import { abortOnSignals } from './interrupt.ts';
import { sweepLeftovers } from './leftovers.ts';
import { judgeProof, type ProveKind, type ProveOutcome, proveKindOf } from './prove-outcome.ts';
import { proveTable } from './prove-table.ts';
import { runScenario, ScenarioSkipped, type Setting } from './run-scenario.ts';

/** Without --full: one of each kind of element. */
const DEFAULT = [
  'no-return-route',
  'netfilter-drop-in',
  'rp-filter-strict',
  'accept-queue-full',
  'return-rule-rejected',
  'listener-wrong-address',
  'synack-neighbour-unresolved',
  'xdp-drop',
  'client-output-drop',
];
const TIMEOUT_MS = 20_000;
/** The attempt goes on while the copy is made: queues and half-open connections are as they were. */
const SETTLE_MS = 150;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    full: { type: 'boolean', default: false },
    shard: { type: 'string' },
    jobs: { type: 'string', default: '1' },
    table: { type: 'boolean', default: false },
    family: { type: 'string' },
    variant: { type: 'string' },
    seed: { type: 'string', default: '1' },
    decoys: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});

if (values.table) {
  console.log(proveTable(positionals.flatMap((file) => JSON.parse(readFileSync(file, 'utf8')) as ProveOutcome[])));
} else if (process.getuid?.() === 0) await campaign();
else {
  console.error('The lab needs root: it makes network namespaces.');
  process.exitCode = 2;
}

async function campaign(): Promise<void> {
  const signal = abortOnSignals();
  for (const swept of await sweepLeftovers()) console.error(`removed what ${swept} had left`);
  const isFull = values.full || values.shard !== undefined;
  const names = positionals.length > 0 ? positionals : isFull ? [] : DEFAULT;
  const family = values.family === undefined ? undefined : values.family === '6' ? 6 : 4;
  const outcomes: ProveOutcome[] = [];
  const jobs = listJobs({ names, family, variant: values.variant }).filter((job) => proveKindOf(job) !== undefined);
  const [part = 1, parts = 1] = (values.shard ?? '1/1').split('/').map(Number);
  const left = shardOf(jobs, part, parts);
  const work = async (): Promise<void> => {
    for (let job = left.shift(); job !== undefined && !signal.aborted; job = left.shift()) {
      const outcome = await proveJob(job, proveKindOf(job) as ProveKind, signal);
      outcomes.push(outcome);
      console.error(line(outcome));
      if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(outcomes, null, 1)}\n`);
    }
  };
  await Promise.all(Array.from({ length: Number(values.jobs) }, work));
  console.log(proveTable(outcomes));
  if (outcomes.some(({ isWrong }) => isWrong)) process.exitCode = 1;
}

async function proveJob(job: LabJob, kind: ProveKind, signal: AbortSignal): Promise<ProveOutcome> {
  const { family, variant } = job;
  const options = { family, variant, seed: Number(values.seed), decoys: values.decoys, signal };
  try {
    return await runScenario(job.runnable, options, (setting) => proveSetting(job, kind, setting, signal));
  } catch (error) {
    if (signal.aborted) throw error;
    const said = error instanceof Error ? error.message : String(error);
    return {
      scenario: job.scenario,
      ...(variant === undefined ? {} : { variant }),
      family,
      kind,
      isReproduced: false,
      cause: null,
      expected: [],
      guilty: [],
      alternatives: [],
      isInjected: false,
      isCauseRight: false,
      isWrong: false,
      elapsedMs: 0,
      said: [],
      ...(error instanceof ScenarioSkipped ? { skipped: said } : { error: said }),
    };
  }
}

async function proveSetting(
  job: LabJob,
  kind: ProveKind,
  setting: Setting,
  signal: AbortSignal,
): Promise<ProveOutcome> {
  if (!canBeAsked('server', setting.ownPlan))
    throw new ScenarioSkipped('a program stands in for the kernel of the server');
  const folder = mkdtempSync(join(tmpdir(), 'synscope-prove-'));
  const host = await openHost(setting.hosts.server);
  const pcap = join(folder, 'server.pcap');
  try {
    const stop = await capture(setting, pcap);
    const attempt = setting.attempt().catch(() => []);
    // Most of what fails goes on failing for seconds: the copy is made meanwhile.
    await Promise.race([attempt, sleep(2500)]);
    await sleep(SETTLE_MS);
    await stop();
    const { address, port } = setting.target;
    const common = { host, port, role: 'server' as const, timeoutMs: TIMEOUT_MS, signal };
    // Who asks for an address that the server has not does not ask the server.
    const to = kind === 'server' && /^[\da-f.:]+$/i.test(address) ? { address } : {};
    const report = await proveHost({ ...common, pcap }).catch((error: unknown) => {
      if (!(error instanceof InputError)) throw error;
      // No SYN came: perhaps somebody asked for the address in vain; else ask for one that would come.
      const from = { ...to, from: setting.names.client };
      return proveHost({ ...common, ...from, pcap }).catch((again: unknown) => {
        if (!(again instanceof InputError)) throw again;
        return proveHost({ ...common, ...from });
      });
    });
    await attempt;
    const [diagnosis] = report.diagnoses;
    if (diagnosis === undefined) throw new Error('nothing was diagnosed');
    const isReproduced =
      diagnosis.proof?.outcome === 'proven' ||
      diagnosis.evidence.some(({ statement }) => /^a copy of this host does not answer/.test(statement));
    return judgeProof(job, kind, setting.ownPlan, diagnosis, isReproduced);
  } finally {
    await host.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Captures what the server's interface sees until the function that it resolves to is called. */
async function capture({ lab, names }: Setting, file: string): Promise<() => Promise<void>> {
  const [program = '', ...args] = inNamespace(lab.namespace('server'), [
    ...['tcpdump', '-Z', 'root', '-U', '-i', names.serverDevice, '--immediate-mode', '-w', file],
  ]);
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const closed = new Promise<void>((done) => child.once('close', () => done()));
  await new Promise<void>((done) => {
    child.once('close', () => done());
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (text.includes('listening on')) done();
    });
  });
  return async () => {
    child.kill('SIGINT');
    await closed;
  };
}

function line({
  scenario,
  variant,
  family,
  kind,
  outcome,
  cause,
  guilty,
  isWrong,
  isCauseRight,
  elapsedMs,
  error,
  skipped,
}: ProveOutcome): string {
  const name = `${scenario}${variant === undefined ? '' : `/${variant}`} IPv${family}`.padEnd(52);
  if (error !== undefined) return `${name} ERROR ${error}`;
  if (skipped !== undefined) return `${name} skipped: ${skipped}`;
  const what = guilty.map(({ kind: of, element, change }) => `${of} ${element} → ${change}`).join(' + ');
  const mark = isWrong
    ? 'WRONG '
    : kind === 'server' && outcome !== 'proven'
      ? 'MISSED '
      : kind === 'server' && !isCauseRight
        ? 'CAUSE? '
        : '';
  return `${name} ${mark}${outcome} ${cause ?? '-'} [${what}] ${Math.round(elapsedMs)} ms`;
}
