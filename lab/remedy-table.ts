import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RemedyOutcome } from './remedy-run.ts';

const PAGE = join(import.meta.dirname, '..', 'docs', 'remedies.md');
const BEGIN = '<!-- table: written by lab/remedy-campaign.ts --write -->';
const END = '<!-- end of table -->';

/** Puts the table of a campaign into docs/remedies.md. */
export function writeRemedyTable(outcomes: readonly RemedyOutcome[]): void {
  const page = readFileSync(PAGE, 'utf8');
  const [before = '', rest = ''] = page.split(BEGIN);
  const after = rest.split(END)[1];
  if (after === undefined) throw new Error(`${PAGE} has no place for the table: ${BEGIN} … ${END}`);
  writeFileSync(PAGE, `${before}${BEGIN}\n\n${remedyTable(outcomes)}\n${END}${after}`);
}

/** One row for each remedy of each cause; its runs are families and variants. */
function remedyTable(outcomes: readonly RemedyOutcome[]): string {
  const rows = new Map<string, RemedyOutcome[]>();
  for (const outcome of outcomes) {
    const key = `${outcome.cause} ${outcome.remedy}`;
    rows.set(key, [...(rows.get(key) ?? []), outcome]);
  }
  return [
    '| cause | remedy | changes | runs | repaired, verified, undone | fails again | taken back: did not help | killed, nothing left |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...[...rows.values()].map(rowOf),
    '',
  ].join('\n');
}

function rowOf(runs: readonly RemedyOutcome[]): string {
  const [first] = runs;
  const count = (result: RemedyOutcome['result']): number => runs.filter((run) => run.result === result).length;
  const killed = runs.flatMap(({ kills }) => (kills === undefined ? [] : [kills]));
  const sum = (pick: (kills: { made: number; clean: number }) => number): number =>
    killed.reduce((all, one) => all + pick(one), 0);
  const kills = killed.length === 0 ? '' : `${sum(({ clean }) => clean)} of ${sum(({ made }) => made)}`;
  const again = runs.filter(({ failsAgain }) => failsAgain).length || '';
  const other = runs.find(({ result }) => result === 'not-applicable' || result === 'wrong');
  const note = other === undefined ? '' : ` (${other.result}: ${other.statement.replaceAll('|', '\\|').slice(0, 120)})`;
  return `| ${first?.cause} | ${first?.remedy} | ${first?.changes.join(', ')} | ${runs.length} | ${count('verified')}${note} | ${again} | ${takenBack(runs)} | ${kills} |`;
}

/** How many were taken back, with why, without the names of the run. */
function takenBack(runs: readonly RemedyOutcome[]): string {
  const taken = runs.filter(({ result }) => result === 'taken-back');
  const why = taken[0]?.statement
    .replace(/^it did not help: /, '')
    .replace(/netns:\S+/g, 'the client')
    .replace(/\[[\da-f:]+\]:\d+|\d+\.\d+\.\d+\.\d+(:\d+)?|--pid \d+/g, '…')
    .replaceAll('|', '\\|')
    .split('. ')[0]
    ?.slice(0, 140);
  return taken.length === 0 ? '' : `${taken.length} (${why})`;
}
