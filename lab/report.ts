import type { ConnectResult } from '../src/model/facts/attempt.ts';
import { formatEndpoint } from '../src/model/flow.ts';
import type { Scenario } from '../src/model/scenario.ts';
import type { Span, Style, Theme } from '../src/report/style.ts';
import { wrapHanging } from '../src/report/wrap.ts';
import type { Mistake, Share, Totals } from './matrix.ts';
import { runName } from './matrix.ts';
import type { LabVerdict, RunOutcome, SideOutcome } from './outcome.ts';

const VERDICTS: Readonly<Record<LabVerdict, readonly [style: Style, words: string]>> = {
  right: ['good', 'as expected'],
  open: ['dim', 'nothing was to be found from here'],
  missed: ['warn', 'not found'],
  wrong: ['bad', 'something else was named'],
  'wrong-confirmed': ['bad-strong', 'SOMETHING ELSE WAS CONFIRMED'],
};

/** One line for a campaign: the run, and what came of it. */
export function renderOutcomeLine(outcome: RunOutcome, theme: Theme): string {
  const { skipped, error, sides } = outcome;
  const name = theme.span(runName(outcome).padEnd(52));
  if (skipped !== undefined)
    return line(theme, [theme.span('- ', 'dim'), name, theme.span(` skipped: ${skipped}`, 'dim')]);
  if (error !== undefined)
    return line(theme, [theme.span(`${theme.glyphs.cross} `, 'bad'), name, theme.span(` ${error}`, 'bad')]);
  const parts = sides.flatMap((side): Span[] => [theme.span(' '), ...sideWords(side, theme)]);
  const isWrong = sides.some(({ verdict }) => verdict === 'wrong' || verdict === 'wrong-confirmed');
  const isMissed = sides.some(({ verdict }) => verdict === 'missed');
  const mark = isWrong
    ? theme.span(`${theme.glyphs.cross} `, 'bad')
    : isMissed
      ? theme.span('? ', 'warn')
      : theme.span(`${theme.glyphs.check} `, 'good');
  return line(theme, [mark, name, ...parts]);
}

/** Everything about one run. */
export function renderOutcome(outcome: RunOutcome, broken: readonly string[], theme: Theme, columns: number): string {
  const lines: Span[][] = [[theme.span(runName(outcome), 'strong'), theme.span(`  seed ${outcome.seed}`, 'dim')]];
  const block = (title: string, texts: readonly string[], style: Style = 'plain'): void => {
    if (texts.length === 0) return;
    lines.push([], [theme.span(title, 'strong')]);
    for (const text of texts) lines.push(...wrapHanging([theme.span('  ')], [theme.span(text, style)], columns));
  };
  block('Broken', broken, 'command');
  block('Harmless things beside it', outcome.decoys, 'dim');
  if (outcome.skipped !== undefined) block('Skipped', [outcome.skipped], 'warn');
  if (outcome.error !== undefined) block('Went wrong', [outcome.error], 'bad');
  block('The client saw', outcome.client.map(describeConnect));
  for (const side of outcome.sides) {
    const [style, words] = VERDICTS[side.verdict];
    lines.push(
      [],
      [
        theme.span(`From the ${side.side}`, 'strong'),
        theme.span(`  in ${seconds(side.elapsedMs)}  `, 'dim'),
        theme.span(words, style),
      ],
    );
    lines.push(...wrapHanging([theme.span('  expected  ', 'dim')], [theme.span(expectation(side))], columns));
    lines.push(...wrapHanging([theme.span('  found     ', 'dim')], [theme.span(finding(side))], columns));
    lines.push(...wrapHanging([theme.span('  ')], [theme.span(side.sentence)], columns));
    for (const statement of side.evidence) {
      lines.push(...wrapHanging([theme.span(`    ${theme.glyphs.bullet} `, 'dim')], [theme.span(statement)], columns));
    }
  }
  return lines.map((spans) => line(theme, spans)).join('');
}

/** The totals of a campaign, with every mistake. */
export function renderTotals(totals: Totals, theme: Theme): string {
  const rows: [label: string, share: Share][] = [
    ['first cause right, from the server', totals.firstCause.server],
    ['first cause right, from the client', totals.firstCause.client],
    ['confirmed, from the server', totals.confirmed.server],
    ['confirmed, from the client', totals.confirmed.client],
    ['place right, from the client', totals.clientPlace],
    ['healthy hosts on which nothing was named', totals.healthy],
  ];
  const mistakes = (title: string, list: readonly Mistake[], style: Style): Span[][] =>
    list.length === 0
      ? []
      : [
          [],
          [theme.span(`${title} (${list.length})`, style)],
          ...list.map((one) => [theme.span(`  ${describeMistake(one)}`)]),
        ];
  const lines: Span[][] = [
    [theme.span(`${totals.runs} runs, ${totals.skipped} skipped, ${totals.errors} went wrong`, 'strong')],
    ...rows.map(([label, { right, of }]) => [
      theme.span(`  ${label.padEnd(44)}`),
      theme.span(
        of === 0 ? '-' : `${right} of ${of}  ${((100 * right) / of).toFixed(1)} %`,
        right === of ? 'good' : 'warn',
      ),
    ]),
    ...mistakes('Confirmed, and wrong', totals.wrongConfirmed, 'bad-strong'),
    ...mistakes('Likely, and wrong', totals.wrong, 'bad'),
    ...mistakes('Missed', totals.missed, 'warn'),
  ];
  return lines.map((spans) => line(theme, spans)).join('');
}

/** What can be broken here, and what cannot. */
export function renderList(
  causes: readonly { readonly id: string; readonly scenario: Scenario }[],
  healthy: readonly { readonly name: string; readonly what: string }[],
  theme: Theme,
  columns: number,
): string {
  const widest = Math.max(...causes.map(({ id }) => id.length), ...healthy.map(({ name }) => name.length));
  const row = (name: string, text: string): Span[][] =>
    wrapHanging([theme.span('  '), theme.span(name.padEnd(widest + 2), 'command')], [theme.span(text)], columns);
  const can = causes.flatMap(({ id, scenario }) =>
    'impossible' in scenario ? [] : row(id, describeScenario(scenario)),
  );
  const cannot = causes.flatMap(({ id, scenario }) => ('impossible' in scenario ? row(id, scenario.impossible) : []));
  const lines = [
    [theme.span('Broken on request: synscope lab NAME', 'strong')],
    ...can,
    [],
    [theme.span('Healthy hosts, on which nothing may be found', 'strong')],
    ...healthy.flatMap(({ name, what }) => row(name, what)),
    ...(cannot.length === 0 ? [] : [[], [theme.span('Not in namespaces', 'strong')], ...cannot]),
  ];
  return lines.map((spans) => line(theme, spans)).join('');
}

function describeScenario({ families = [4, 6], variants = [] }: Extract<Scenario, { plan: unknown }>): string {
  return [families.map((family) => `IPv${family}`).join(', '), ...variants].join(', ');
}

function sideWords({ side, verdict, found }: SideOutcome, theme: Theme): Span[] {
  const [style] = VERDICTS[verdict];
  const what = found === null ? (verdict === 'missed' ? 'nothing' : '-') : `${found.id} (${found.status})`;
  return [theme.span(`${side} `, 'dim'), theme.span(what, style)];
}

function expectation({ expected }: SideOutcome): string {
  if (expected === undefined) return 'nothing for certain: it cannot be known from here';
  return expected === null ? 'no cause' : expected.join(' or ');
}

function finding({ found, place }: SideOutcome): string {
  const where = place === undefined ? '' : `; the fault lies with: ${place.said.replaceAll('-or-', ' or ')}`;
  return `${found === null ? 'no cause' : `${found.id}, ${found.status}`}${where}`;
}

function describeConnect({ remote, errno, elapsedMs, afterwards }: ConnectResult): string {
  const what = errno === undefined ? `connected${afterwards === undefined ? '' : `, then ${afterwards}`}` : errno;
  return `${what} after ${seconds(elapsedMs)} (${formatEndpoint(remote)})`;
}

function describeMistake({ run, side, expected, found, status }: Mistake): string {
  const wanted = expected === null ? 'no cause' : expected.join(' or ') || 'nothing certain';
  return `${run}, from the ${side}: ${wanted} expected, ${found === null ? 'nothing' : `${found} (${status})`} found`;
}

function seconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

function line(theme: Theme, spans: readonly Span[]): string {
  return `${theme.paint(spans)}\n`;
}
