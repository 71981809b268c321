/**
 * Measures synscope against tcpdump, tshark and other tools, and writes docs/benchmarks.md.
 *   npm run bench -- [--input-dir FOLDER] [--runs 5] [--only ID,ID] [--output FILE]
 * Of the two parts of the file, captures and live diagnosis, the one of which nothing is measured stays as it is. The captures that the folder lacks are generated into it, when the generator lies beside the checkout.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { provideInputs } from './inputs.ts';
import { LIVE_CASES, type LiveRow } from './live.ts';
import { timePair } from './live-measure.ts';
import { makeNetwork, networkMissing } from './live-network.ts';
import { measure, measurePair, median, type Subject } from './measure.ts';
import { type Result, renderBenchmarks } from './render.ts';
import { LIVE_HEADING, renderLive } from './render-live.ts';
import { SCENARIOS, type Scenario, synscope, toolVersion } from './scenarios.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values } = parseArgs({
  options: {
    'input-dir': { type: 'string', default: join(tmpdir(), 'synscope-bench') },
    runs: { type: 'string', default: '5' },
    only: { type: 'string' },
    output: { type: 'string', default: join(root, 'docs', 'benchmarks.md') },
  },
});
const folder = values['input-dir'];
const isWanted = ({ id }: { readonly id: string }): boolean =>
  values.only === undefined || values.only.split(',').includes(id);
const wanted = SCENARIOS.filter(isWanted);
const live = LIVE_CASES.filter(isWanted);
const machine = `${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}`;
const node: Subject = { name: 'node -e 0', argv: [process.execPath, '-e', '0'], succeedsWith: [0] };

try {
  if (!existsSync(join(root, 'dist', '.stamp'))) throw new Error('synscope is not built; npm run build');
  const [captures = '', ...others] = existsSync(values.output)
    ? readFileSync(values.output, 'utf8').split(/\n(?=## )/)
    : [];
  const before = others.find((part) => part.startsWith(LIVE_HEADING)) ?? '';
  const parts = [
    wanted.length > 0 ? measureCaptures() : captures,
    live.length > 0 ? await measureLive() : before,
    // What other programs of this folder measured.
    ...others.filter((part) => part !== before),
  ];
  const text = `${parts.map((part) => part.trimEnd()).join('\n\n')}\n`;
  writeFileSync(values.output, text);
  console.log(text);
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 2;
}

function measureCaptures(): string {
  const possible = wanted.filter(({ tool }) => tool === undefined || toolVersion(tool) !== undefined);
  provideInputs(folder, [...new Set(possible.flatMap(({ inputs }) => inputs))]);
  const loadBefore = loadavg()[0]!;
  const idle = Array.from({ length: 5 }, () => measure(node));
  const results = possible.map(runScenario);
  return renderBenchmarks(results, {
    date: today(),
    machine: [machine, load(loadBefore)],
    versions: [
      `synscope ${version()}, Node.js ${process.versions.node}`,
      ...new Set(possible.flatMap(({ tool }) => (tool === undefined ? [] : [toolVersion(tool)!]))),
    ],
    nodeRssMiB: median(idle.map((run) => run.peakRssMiB)),
    nodeCpuSeconds: median(idle.map((run) => run.cpuSeconds)),
    skipped: wanted.filter((scenario) => !possible.includes(scenario)).map(({ tool }) => tool!),
  });
}

async function measureLive(): Promise<string> {
  const missing = networkMissing();
  const rows: LiveRow[] = [];
  const skipped: string[] = missing === undefined ? [] : [`live diagnosis (${missing})`];
  const loadBefore = loadavg()[0]!;
  const { oursMs } = timePair(node, node, 5);
  if (missing === undefined) {
    const network = makeNetwork();
    try {
      for (const { id, run } of live) {
        console.error(id);
        const row = await run(network, Number(values.runs));
        if (typeof row === 'string') skipped.push(`${id} (${row})`);
        else rows.push(row);
      }
    } finally {
      network.remove();
    }
  }
  for (const reason of skipped) console.error(`skipped: ${reason}`);
  return renderLive(rows, {
    date: today(),
    machine: [
      machine,
      `${load(loadBefore)}${isRealTime() ? '; run with real-time priority (chrt -f), so that other work counts less' : ''}`,
      `synscope ${version()}, Node.js ${process.versions.node}`,
    ],
    nodeMs: median(oursMs),
    skipped,
  });
}

/** Whether this process, and so all that it starts, runs before ordinary processes (field 41 of proc_pid_stat(5)). */
function isRealTime(): boolean {
  const fields = readFileSync('/proc/self/stat', 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return fields[41 - 3] === '1' || fields[41 - 3] === '2';
}

function today(): string {
  return new Date().toISOString().slice(0, 10);
}

function load(before: number): string {
  return `load average ${before.toFixed(1)} before, ${loadavg()[0]!.toFixed(1)} after`;
}

function runScenario(scenario: Scenario): Result {
  const paths = scenario.inputs.map((name) => join(folder, name));
  console.error(`${scenario.id}: ${scenario.title}`);
  const ours = scenario.ours(paths);
  const theirs = scenario.theirs(paths);
  return {
    scenario,
    ourName: ours.name,
    theirName: theirs.name,
    // Counting the packets also brings the files into the page cache.
    packets: paths.map(countPackets).reduce((sum, count) => sum + count, 0),
    bytes: paths.map((path) => statSync(path).size).reduce((sum, size) => sum + size, 0),
    pair: measurePair(ours, theirs, Math.min(Number(values.runs), scenario.maxRuns ?? Number.POSITIVE_INFINITY)),
  };
}

function countPackets(path: string): number {
  const [program, ...args] = synscope('read', path, '--json', '--limit', '0').argv;
  const { stdout } = spawnSync(program!, args, { encoding: 'utf8', maxBuffer: 2 ** 28 });
  return (JSON.parse(stdout) as { captures: readonly { packets: number }[] }).captures[0]!.packets;
}

function version(): string {
  const [program, ...args] = synscope('--version').argv;
  return spawnSync(program!, args, { encoding: 'utf8' }).stdout.trim();
}
