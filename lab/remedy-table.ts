import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RemedyOutcome } from './remedy-run.ts';

const PAGE = join(import.meta.dirname, '..', 'docs', 'remedies.md');
const BEGIN = '<!-- table: written by lab/remedy-campaign.ts --write -->';
const END = '<!-- end of table -->';

/** What a campaign, or one part of it, has found. */
export interface RemedyResults {
  readonly v: 1;
  readonly startedAt: string;
  readonly seed: number;
  /** `2/6`: the second of six parts. */
  readonly part: string;
  /** Scenarios that were to be run, and those that were. */
  readonly planned: number;
  readonly done: readonly string[];
  readonly outcomes: readonly RemedyOutcome[];
}

/** Puts the table of a campaign into docs/remedies.md. */
export function writeRemedyTable(results: RemedyResults): void {
  const page = readFileSync(PAGE, 'utf8');
  const [before = '', rest = ''] = page.split(BEGIN);
  const after = rest.split(END)[1];
  if (after === undefined) throw new Error(`${PAGE} has no place for the table: ${BEGIN} … ${END}`);
  writeFileSync(PAGE, `${before}${BEGIN}\n\n${remedyMarkdown(results)}\n${END}${after}`);
}

/** Totals, and one row for each remedy of each cause; its runs are families and variants. */
export function remedyMarkdown({ startedAt, planned, done, outcomes }: RemedyResults): string {
  const rows = Map.groupBy(
    [...outcomes].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)),
    keyOf,
  );
  const count = (result: RemedyOutcome['result']): number => outcomes.filter((one) => one.result === result).length;
  const { made, clean } = killsOf(outcomes);
  const isClean = made === clean ? 'nothing was left of any' : `${made - clean} left something`;
  return [
    `On ${startedAt.slice(0, 10)}, ${done.length === planned ? '' : `${done.length} of `}${planned} scenarios, ${rows.size} remedies in ${outcomes.length} runs: ${count('verified')} repaired, verified and undone,`,
    `${count('taken-back')} taken back because they did not help, ${count('not-applicable')} not applicable as it stood, ${count('wrong')} wrong.`,
    `${outcomes.filter(({ kills }) => kills !== undefined).length} of the runs were also killed at every point, ${made} kills: ${isClean}.`,
    '',
    '| cause | remedy | changes | IPv | repaired, verified, undone | fails again | otherwise | killed, nothing left |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...[...rows.values()].map(rowOf),
    '',
  ].join('\n');
}

function keyOf({ cause, remedy }: RemedyOutcome): string {
  return `${cause} ${remedy}`;
}

function rowOf(runs: readonly RemedyOutcome[]): string {
  const [first] = runs;
  const { made, clean } = killsOf(runs);
  const changes = [...new Set(runs.flatMap((run) => run.changes))].sort().join(', ');
  const families = [...new Set(runs.map(({ family }) => family))].sort().join(', ');
  const verified = runs.filter(({ result }) => result === 'verified');
  const again = verified.filter(({ failsAgain }) => failsAgain).length;
  const cells = [
    first?.cause,
    first?.remedy,
    changes,
    families,
    verified.length === 0 ? '' : `${verified.length} of ${runs.length}`,
    verified.length === 0 ? '' : `${again} of ${verified.length}`,
    otherwise(runs),
    made === 0 ? '' : `${clean} of ${made}`,
  ];
  return `| ${cells.join(' | ')} |`;
}

function killsOf(runs: readonly RemedyOutcome[]): { readonly made: number; readonly clean: number } {
  const all = runs.flatMap(({ kills }) => kills ?? []);
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);
  return { made: sum(all.map(({ made }) => made)), clean: sum(all.map(({ clean }) => clean)) };
}

const HOW: Readonly<Partial<Record<RemedyOutcome['result'], string>>> = {
  'taken-back': 'taken back',
  'not-applicable': 'not applied',
  wrong: '**wrong**',
};

/** What became of the other runs, each kind with why, without the names of the run. */
function otherwise(runs: readonly RemedyOutcome[]): string {
  const others = Map.groupBy(
    runs.filter(({ result }) => result !== 'verified'),
    ({ result }) => result,
  );
  return [...others]
    .map(([result, ones]) => `${ones.length} ${HOW[result]} (${whyOf(ones[0]?.statement ?? '')})`)
    .join('; ');
}

function whyOf(statement: string): string {
  return (
    statement
      .replace(/^it did not help: /, '')
      .replace(/netns:\S+/g, 'the client')
      .replace(/\[[\da-f:]+\]:\d+|\b\d+\.\d+\.\d+\.\d+(?:[:/]\d+)?|\b(?:[\da-f]{1,4}:){2,}[\da-f:]*(?:\/\d+)?/g, '…')
      .replace(/(--pid|pid|process) \d+/g, '$1 …')
      .replaceAll('|', '\\|')
      .split('. ')[0]
      ?.slice(0, 160) ?? ''
  );
}
