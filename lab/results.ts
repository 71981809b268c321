import type { Share, Totals } from './matrix.ts';
import type { LabSide, RunOutcome } from './outcome.ts';

/** Totals and one row for each scenario, as Markdown. */
export function resultsMarkdown(runs: readonly RunOutcome[], totals: Totals): string {
  const shares: readonly (readonly [string, Share])[] = [
    ['first cause right, from the server', totals.firstCause.server],
    ['first cause right, from the client', totals.firstCause.client],
    ['confirmed, from the server', totals.confirmed.server],
    ['confirmed, from the client', totals.confirmed.client],
    ['place right, from the client', totals.clientPlace],
    ['healthy hosts on which nothing was named', totals.healthy],
  ];
  return [
    `${totals.runs} runs, ${totals.skipped} skipped for want of something, ${totals.errors} went wrong.`,
    '',
    '| | |',
    '| --- | --- |',
    ...shares.map(([label, { right, of }]) => `| ${label} | ${right} of ${of} |`),
    `| confirmed, and wrong | ${totals.wrongConfirmed.length} |`,
    '',
    '| scenario | runs | from the server | from the client | also likely or possible |',
    '| --- | --- | --- | --- | --- |',
    ...scenariosOf(runs).map((ones) => scenarioRow(ones)),
    '',
  ].join('\n');
}

function scenarioRow(runs: readonly RunOutcome[]): string {
  const [first] = runs;
  const skipped = runs.filter((run) => run.skipped !== undefined).length;
  const count = skipped === 0 ? `${runs.length}` : `${runs.length - skipped} (${skipped} skipped)`;
  return `| ${first?.scenario} | ${count} | ${foundFrom(runs, 'server')} | ${foundFrom(runs, 'client')} | ${othersOf(runs)} |`;
}

/** What stood first, the most frequent first: `3 confirmed`, `1 syn-queue-full likely`, `2 nothing`. */
function foundFrom(runs: readonly RunOutcome[], side: LabSide): string {
  const counts = new Map<string, number>();
  for (const run of runs) {
    for (const { found, expected } of run.sides.filter((one) => one.side === side)) {
      const what =
        found === null
          ? expected === null
            ? 'nothing, rightly'
            : 'nothing'
          : `${found.id === run.scenario ? '' : `${found.id} `}${found.status}`;
      counts.set(what, (counts.get(what) ?? 0) + 1);
    }
  }
  const parts = [...counts].sort(([, a], [, b]) => b - a).map(([what, count]) => `${count} ${what}`);
  return parts.join(', ') || '-';
}

/** Causes beside the first that were likely or possible in some run. */
function othersOf(runs: readonly RunOutcome[]): string {
  const others = new Set<string>();
  for (const { sides } of runs) {
    for (const { statuses, found } of sides) {
      for (const [id, status] of Object.entries(statuses)) {
        if ((status === 'likely' || status === 'possible' || status === 'confirmed') && id !== found?.id)
          others.add(id);
      }
    }
  }
  return [...others].sort().join(', ');
}

function scenariosOf(runs: readonly RunOutcome[]): RunOutcome[][] {
  const byName = new Map<string, RunOutcome[]>();
  for (const run of runs) byName.set(run.scenario, [...(byName.get(run.scenario) ?? []), run]);
  return [...byName.values()].sort(
    ([a], [b]) =>
      Number(a?.kind === 'healthy') - Number(b?.kind === 'healthy') ||
      (a?.scenario ?? '').localeCompare(b?.scenario ?? ''),
  );
}
