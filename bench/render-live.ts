import type { LiveRow } from './live.ts';

/** What begins the part of docs/benchmarks.md on live diagnosis; the part on captures stands before it. */
export const LIVE_HEADING = '## Live diagnosis';

/** Where and with what live diagnosis was measured. */
export interface LiveCircumstances {
  readonly date: string;
  readonly machine: readonly string[];
  /** Wall time of `node -e 0` in milliseconds, median. */
  readonly nodeMs: number;
  /** What was not measured, and why. */
  readonly skipped: readonly string[];
}

/** Renders the part of docs/benchmarks.md on live diagnosis. */
export function renderLive(rows: readonly LiveRow[], circumstances: LiveCircumstances): string {
  const { date, machine, nodeMs, skipped } = circumstances;
  const cells = rows.map(({ what, goal, ours, against, theirs, ratio }) => [what, goal, ours, against, theirs, ratio]);
  return `${LIVE_HEADING}

Measured on ${date}. Times are those on the clock of the wall, of whole processes, start of Node included (\`node -e 0\` took
${nodeMs.toFixed(0)} ms), after a first run that does not count; medians and ranges, both commands by turns. The ratio is the median of the ratios of
neighbouring runs: it tells more than the times when the machine has other work.

${machine.map((line) => `- ${line}`).join('\n')}

| what | goal | synscope | against | its time | ratio |
| --- | --- | --- | --- | --- | --: |
${cells.map((row) => `| ${row.join(' | ')} |`).join('\n')}

All of it happens in two network namespaces. \`--from\` asks the host some twenty commands and as many files, and judges all
causes; the two commands beside it are where a walk by hand begins. \`connect\` holds the connection for 30 ms by default, which
is part of what it adds. The flood goes to an open port with ever new sources, so each SYN is an attempt of its own, and each gets a
SYN-ACK: twice as many packets as SYNs.
${skipped.length > 0 ? `\nNot measured: ${skipped.join('; ')}.\n` : ''}`;
}
