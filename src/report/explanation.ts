import { type Check, ENTRY_KINDS, type EntryKind, type GlossaryEntry } from '../model/glossary/entry.ts';
import { createTheme, type Span, type Theme } from './style.ts';
import { section } from './terminal-section.ts';
import { wrapHanging } from './wrap.ts';

/** How an explanation is written on a terminal. */
export interface ExplanationOptions {
  /** Width of the terminal. Text is never set wider than 120 columns. */
  readonly columns: number;
  readonly color: boolean;
  /** False for a terminal that shows only ASCII. */
  readonly unicode: boolean;
}

const MAX_COLUMNS = 120;
const MIN_COLUMNS = 40;

/** Renders what one word means; `others` are further meanings of the same word. */
export function renderExplanation(
  entry: GlossaryEntry,
  others: readonly GlossaryEntry[],
  options: ExplanationOptions,
): string {
  const theme = createTheme(options);
  const columns = boundedColumns(options);
  const text = (title: string, body: string | undefined): Span[][] =>
    section(title, body === undefined ? [] : wrapHanging([theme.span('  ')], [theme.span(body)], columns), theme);
  return paintBlocks(
    [
      heading(entry, theme, columns),
      text('What moves it', entry.kind === 'counter' ? entry.moves : undefined),
      text('Where it comes from', entry.kind === 'counter' ? undefined : entry.moves),
      text('On the wire', entry.wire),
      text('What the application sees', entry.application),
      section('Beware', list(entry.traps, theme.glyphs.hollow, theme, columns), theme),
      section('Usual causes, most likely first', numbered(entry.causes, theme, columns), theme),
      section('How to be sure', checks(entry.checks, theme, columns), theme),
      section('See also', seeAlso(entry, others, theme, columns), theme),
      section('Reference', list(entry.references, undefined, theme, columns, 'dim'), theme),
    ],
    theme,
  );
}

/** Renders all words by group. */
export function renderWordList(entries: readonly GlossaryEntry[], options: ExplanationOptions): string {
  const theme = createTheme(options);
  const columns = boundedColumns(options);
  const blocks = (Object.keys(ENTRY_KINDS) as EntryKind[]).map((kind) => {
    const words = entries
      .filter((entry) => entry.kind === kind)
      .map(({ word }) => theme.span(unbroken(word), 'command'));
    const spans = words.flatMap((word, index) => (index === 0 ? [word] : [theme.span('  '), word]));
    const lines = words.length === 0 ? [] : wrapHanging([theme.span('  ')], spans, columns);
    return section(ENTRY_KINDS[kind], lines.map(spread), theme);
  });
  return paintBlocks(blocks, theme);
}

/** Words of a list hold no breakable space while lines are filled, and are set two columns apart afterwards. */
const NO_BREAK = '\u0001';

function unbroken(word: string): string {
  return word.replaceAll(' ', NO_BREAK);
}

function spread(line: readonly Span[]): Span[] {
  return line.map(({ text, style }) => ({ text, style }));
}

function heading({ kind, word, title, meaning }: GlossaryEntry, theme: Theme, columns: number): Span[][] {
  const name = [theme.span(word, 'strong'), theme.span(`  ${ENTRY_KINDS[kind]}`, 'dim')];
  return [
    ...wrapHanging([], name, columns),
    ...wrapHanging([], [theme.span(title, 'strong')], columns),
    [],
    ...wrapHanging([], [theme.span(meaning)], columns),
  ];
}

function list(
  items: readonly string[] | undefined,
  mark: string | undefined,
  theme: Theme,
  columns: number,
  style: Span['style'] = 'plain',
): Span[][] {
  const first = mark === undefined ? [theme.span('  ')] : [theme.span('  '), theme.span(mark, 'warn'), theme.span(' ')];
  return (items ?? []).flatMap((item) => wrapHanging(first, [theme.span(item, style)], columns));
}

function numbered(items: readonly string[] | undefined, theme: Theme, columns: number): Span[][] {
  return (items ?? []).flatMap((item, index) =>
    wrapHanging([theme.span(`${index + 1}. `.padStart(5), 'dim')], [theme.span(item)], columns),
  );
}

function checks(items: readonly Check[] | undefined, theme: Theme, columns: number): Span[][] {
  return (items ?? []).flatMap(({ statement, command }) => [
    ...wrapHanging([theme.span('  ')], [theme.span(statement)], columns),
    ...(command === undefined ? [] : [[theme.span('    '), theme.span(command, 'command')]]),
  ]);
}

function seeAlso(entry: GlossaryEntry, others: readonly GlossaryEntry[], theme: Theme, columns: number): Span[][] {
  const also = others.map(({ kind, word }) => `${kind}:${word}`);
  const words = [...also, ...(entry.seeAlso ?? []).filter((word) => !also.includes(word))];
  if (words.length === 0) return [];
  return wrapHanging(
    [theme.span('  synscope explain ', 'dim')],
    words.flatMap((word, index) => [...(index === 0 ? [] : [theme.span(' | ', 'dim')]), theme.span(word, 'command')]),
    columns,
  );
}

function boundedColumns({ columns }: ExplanationOptions): number {
  return Math.max(MIN_COLUMNS, Math.min(MAX_COLUMNS, columns));
}

function paintBlocks(blocks: readonly Span[][][], theme: Theme): string {
  return blocks
    .filter((block) => block.length > 0)
    .map((block) => block.map((line) => `${theme.paint(line)}\n`).join(''))
    .join('\n');
}
