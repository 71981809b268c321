import { type Measurement, median, type Pair } from './measure.ts';
import type { Scenario } from './scenarios.ts';

/** One scenario after it was run. */
export interface Result {
  readonly scenario: Scenario;
  readonly pair: Pair;
  readonly ourName: string;
  readonly theirName: string;
  readonly packets: number;
  readonly bytes: number;
}

/** Where and with what the results were measured. */
export interface Circumstances {
  readonly date: string;
  readonly machine: readonly string[];
  readonly versions: readonly string[];
  /** Peak memory of `node -e 0`. */
  readonly nodeRssMiB: number;
  /** CPU time of `node -e 0`. */
  readonly nodeCpuSeconds: number;
  readonly skipped: readonly string[];
}

/** Renders docs/benchmarks.md. */
export function renderBenchmarks(results: readonly Result[], circumstances: Circumstances): string {
  const { date, machine, versions, nodeRssMiB, nodeCpuSeconds, skipped } = circumstances;
  return `# Benchmarks

Measured on ${date} by \`npm run bench\`, which writes this file. CPU is user and system time of whole processes, start of Node
included; inputs lie in the page cache. Each pair ran alternately (A B A B), so that what else the machine did hit both alike;
figures are medians, and the ratio is the median of the ratios of neighbouring runs: below 1, synscope takes less.

${list(machine)}
${list(versions)}

| capture | command | runs | CPU s (range) | packets/s | MB/s | peak memory | against | CPU s | peak memory | CPU ratio |
| --- | --- | --: | --: | --: | --: | --: | --- | --: | --: | --: |
${results.map((result) => row(result, nodeRssMiB)).join('\n')}

Peak memory of synscope is what it takes above \`node -e 0\` (${nodeRssMiB.toFixed(0)} MiB, ${nodeCpuSeconds.toFixed(2)} s CPU); that of others is whole.
The others do other work: tcpdump only filters and knows no connections, tshark dissects everything, argus and tcptrace keep
statistics of each flow. The ratio tells what a question costs, not which program is better made.

The captures are generated: every flow is a function of its number, with ten kinds of failure. tcpdump's filter lets SYNs and RSTs
of IPv4 and IPv6 through.
${skipped.length > 0 ? `\nNot installed, so not measured: ${skipped.join(', ')}.\n` : ''}`;
}

function row({ scenario, pair, ourName, theirName, packets, bytes }: Result, nodeRssMiB: number): string {
  const cpu = median(cpuSeconds(pair.ours));
  const ratios = pair.ours.map((run, i) => run.cpuSeconds / pair.theirs[i]!.cpuSeconds);
  const cells = [
    scenario.title,
    `\`${ourName}\``,
    String(pair.ours.length),
    `${cpu.toFixed(2)} (${range(cpuSeconds(pair.ours))})`,
    `${(packets / cpu / 1e6).toFixed(1)} M`,
    (bytes / cpu / 1e6).toFixed(0),
    `+${Math.max(0, median(pair.ours.map((run) => run.peakRssMiB)) - nodeRssMiB).toFixed(0)} MiB`,
    `\`${theirName}\``,
    median(cpuSeconds(pair.theirs)).toFixed(2),
    `${median(pair.theirs.map((run) => run.peakRssMiB)).toFixed(0)} MiB`,
    formatRatio(median(ratios)),
  ];
  return `| ${cells.join(' | ')} |`;
}

function cpuSeconds(runs: readonly Measurement[]): readonly number[] {
  return runs.map((run) => run.cpuSeconds);
}

function range(values: readonly number[]): string {
  return `${Math.min(...values).toFixed(2)}-${Math.max(...values).toFixed(2)}`;
}

function formatRatio(ratio: number): string {
  return ratio < 0.1 ? `1/${(1 / ratio).toFixed(0)}` : ratio.toFixed(2);
}

function list(lines: readonly string[]): string {
  return lines.map((line) => `- ${line}`).join('\n');
}
