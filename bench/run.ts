/**
 * Measures synscope against tcpdump, tshark and other tools, and writes docs/benchmarks.md.
 *   npm run bench -- [--input-dir FOLDER] [--runs 5] [--only ID,ID] [--output FILE]
 * The captures that the folder lacks are generated into it, when the generator lies beside the checkout.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { provideInputs } from './inputs.ts';
import { measure, measurePair, median } from './measure.ts';
import { type Result, renderBenchmarks } from './render.ts';
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
const wanted = SCENARIOS.filter(({ id }) => values.only === undefined || values.only.split(',').includes(id));
const possible = wanted.filter(({ tool }) => tool === undefined || toolVersion(tool) !== undefined);

try {
  if (!existsSync(join(root, 'dist', '.stamp'))) throw new Error('synscope is not built; npm run build');
  provideInputs(folder, [...new Set(possible.flatMap(({ inputs }) => inputs))]);
  const loadBefore = loadavg()[0]!;
  const node = Array.from({ length: 5 }, () =>
    measure({ name: 'node -e 0', argv: [process.execPath, '-e', '0'], succeedsWith: [0] }),
  );
  const results = possible.map(runScenario);
  const text = renderBenchmarks(results, {
    date: new Date().toISOString().slice(0, 10),
    machine: [
      `${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}`,
      `load average ${loadBefore.toFixed(1)} before, ${loadavg()[0]!.toFixed(1)} after`,
    ],
    versions: [
      `synscope ${version()}, Node.js ${process.versions.node}`,
      ...new Set(possible.flatMap(({ tool }) => (tool === undefined ? [] : [toolVersion(tool)!]))),
    ],
    nodeRssMiB: median(node.map((run) => run.peakRssMiB)),
    nodeCpuSeconds: median(node.map((run) => run.cpuSeconds)),
    skipped: wanted.filter((scenario) => !possible.includes(scenario)).map(({ tool }) => tool!),
  });
  writeFileSync(values.output, text);
  console.log(text);
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 2;
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
