/**
 * Runs the scenario of a cause and prints what really happened, so that its author sees whether it breaks, and how.
 *   node lab/verify-scenario.ts CAUSE [--family 4|6] [--variant NAME] [--seed N] [--quiet] [--decoys]
 * All families and variants unless told otherwise. Needs root. CAUSE is the name of a file of src/causes, or the path of any module that
 * exports `cause` or `scenario`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import type { ConnectResult } from '../src/model/facts/attempt.ts';
import type { LabNode, Scenario } from '../src/model/scenario.ts';
import { growthOf, readCounters } from './counters.ts';
import { inNamespace } from './exec.ts';
import { abortOnSignals } from './interrupt.ts';
import { sweepLeftovers } from './leftovers.ts';
import { type Runnable, runScenario, ScenarioSkipped, type Setting } from './run-scenario.ts';

const NODES: readonly LabNode[] = ['client', 'router', 'server'];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    family: { type: 'string' },
    variant: { type: 'string' },
    seed: { type: 'string' },
    quiet: { type: 'boolean', default: false },
    decoys: { type: 'boolean', default: false },
  },
});
const [name] = positionals;
if (name === undefined) {
  console.error(
    'Usage: node lab/verify-scenario.ts CAUSE [--family 4|6] [--variant NAME] [--seed N] [--quiet] [--decoys]',
  );
  process.exitCode = 2;
} else if (process.getuid?.() !== 0) {
  console.error('The lab needs root: it makes network namespaces.');
  process.exitCode = 2;
} else {
  await verify(name);
}

async function verify(cause: string): Promise<void> {
  const scenario = await load(cause);
  if ('impossible' in scenario) return console.log(`${cause}: the lab cannot do it: ${scenario.impossible}`);
  const signal = abortOnSignals();
  for (const swept of await sweepLeftovers()) console.log(`removed what ${swept} had left`);
  const families = values.family === undefined ? (scenario.families ?? [4, 6]) : [values.family === '6' ? 6 : 4];
  const variants = values.variant === undefined ? [undefined, ...(scenario.variants ?? [])] : [values.variant];
  for (const variant of variants) {
    for (const family of families as (4 | 6)[]) {
      if (!signal.aborted) await verifyOne(cause, scenario, family, variant, signal);
    }
  }
}

async function load(cause: string): Promise<Scenario> {
  const inTree = resolve(import.meta.dirname, '..', 'src', 'causes', `${cause}.ts`);
  const path = existsSync(inTree) ? inTree : resolve(cause);
  const module = (await import(pathToFileURL(path).href)) as { cause?: { scenario: Scenario }; scenario?: Scenario };
  const scenario = module.cause?.scenario ?? module.scenario;
  if (scenario === undefined) throw new Error(`${path} exports neither cause nor scenario`);
  return scenario;
}

async function verifyOne(
  cause: string,
  scenario: Runnable,
  family: 4 | 6,
  variant: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const seed = values.seed === undefined ? 1 : Number(values.seed);
  const startMs = performance.now();
  console.log(`\n── ${cause}${variant === undefined ? '' : ` (${variant})`} IPv${family} seed ${seed}`);
  try {
    await runScenario(scenario, { family, variant, seed, signal, decoys: values.decoys }, async (setting) => {
      console.log(`   ready after ${seconds(performance.now() - startMs)}`);
      for (const decoy of setting.decoys) console.log(`   decoy     ${decoy}`);
      await examine(setting);
    });
  } catch (error) {
    if (error instanceof ScenarioSkipped) {
      console.log(`   SKIPPED: ${error.message}`);
    } else {
      console.log(`   FAILED: ${error instanceof Error ? error.message : error}`);
      process.exitCode = 1;
    }
  }
}

async function examine(setting: Setting): Promise<void> {
  const { lab, names } = setting;
  const before = await Promise.all(NODES.map((node) => readCounters(lab, node)));
  const captures = values.quiet
    ? []
    : await Promise.all([
        capture(setting, 'client', names.clientDevice),
        capture(setting, 'server', names.serverDevice),
      ]);
  const results = await setting.attempt();
  await sleep(200);
  for (const result of results) console.log(`   client    ${describe(result)}`);
  if (results.length === 0) console.log('   client    packets were sent by hand');
  const after = await Promise.all(NODES.map((node) => readCounters(lab, node)));
  for (const [index, node] of NODES.entries()) {
    const growth = growthOf(before[index]!, after[index]!).map(
      ([counter, by]) => `${counter}${by < 0 ? '' : '+'}${by}`,
    );
    console.log(`   ${node.padEnd(9)} ${growth.join(' ') || 'no counter moved'}`);
  }
  const sockets = await lab.run('server', ['ss', '-Hltnm', `sport = :${names.port}`]);
  const states = await lab.run('server', ['ss', '-Htan', 'state', 'connected', `sport = :${names.port}`]);
  for (const line of listeners(sockets.stdout)) console.log(`   listener  ${line}`);
  const counts = new Map<string, number>();
  for (const state of states.stdout.split('\n').flatMap((line) => /^\S+/.exec(line)?.[0] ?? [])) {
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  if (counts.size > 0)
    console.log(`   sockets   ${[...counts].map(([state, count]) => `${state} ${count}`).join(', ')}`);
  for (const { node, stop } of captures) {
    const lines = await stop();
    console.log(`   at the ${node}:${lines.length === 0 ? ' no packets' : ''}`);
    for (const line of lines.slice(0, 14)) console.log(`      ${line}`);
    if (lines.length > 14) console.log(`      … ${lines.length - 14} more`);
  }
}

function describe({ remote, local, errno, elapsedMs, afterwards }: ConnectResult): string {
  const what = errno === undefined ? `connected, then ${afterwards ?? 'not looked at'}` : errno;
  const from = local === undefined ? '' : ` from ${local.address} port ${local.port}`;
  return `${what} after ${seconds(elapsedMs)}${from} to ${remote.address} port ${remote.port}`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(ms < 100 ? 3 : 2)} s`;
}

/** `Recv-Q 0 of 128, drops 4` for each listener: `ss -m` has the drops behind the `d` of skmem. */
function listeners(text: string): string[] {
  const rows = text.split('\n').filter((line) => line.startsWith('LISTEN'));
  const drops = [...text.matchAll(/skmem:\(.*?,d(\d+)\)/g)].map(([, count]) => count);
  return rows.map((row, index) => {
    const [, queued, backlog, address] = row.split(/\s+/);
    return `${address} accept queue ${queued} of ${backlog}, drops ${drops[index] ?? '?'}`;
  });
}

/** Captures the packets of the attempt on one interface until `stop`. */
async function capture(
  { lab, names }: Setting,
  node: LabNode,
  device: string,
): Promise<{ node: LabNode; stop: () => Promise<string[]> }> {
  const filter = '(tcp or icmp or icmp6 or arp) and not (icmp6 and ip6[40] >= 130 and ip6[40] <= 134)';
  const [program = '', ...args] = inNamespace(lab.namespace(node), [
    ...['tcpdump', '-l', '-n', '-ttttt', '-e', '-i', device, '--immediate-mode', filter],
  ]);
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  await listening(child);
  const stop = async (): Promise<string[]> => {
    const closed = new Promise((done) => child.once('close', done));
    child.kill('SIGINT');
    await closed;
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => shorten(line, names));
  };
  return { node, stop };
}

/** Waits until tcpdump says that it listens, or has ended. */
function listening(child: ChildProcess): Promise<void> {
  return new Promise((done) => {
    child.once('close', () => done());
    child.stderr?.setEncoding('utf8').on('data', (part: string) => {
      if (part.includes('listening on')) done();
    });
  });
}

function shorten(line: string, { client, server, port }: Setting['names']): string {
  return line
    .replace(/^\s*\d+:\d+:(\d+\.\d{3})\d*/, '$1')
    .replace(/ ([\da-f:]{17}) > ([\da-f:]{17}|Broadcast), ethertype \S+ \(0x[\da-f]+\), length \d+: /i, ' [to $2] ')
    .replaceAll(client, 'CLIENT')
    .replaceAll(server, 'SERVER')
    .replaceAll(`SERVER.${port}`, 'SERVER.PORT')
    .replace(/, (win|options) .*?(?=, length|$)/g, '');
}
