import { type Check, ENTRY_KINDS, type EntryKind, type GlossaryEntry } from '../model/glossary/entry.ts';
import { createTheme, type Span, spansWidth, type Theme } from './style.ts';
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
      ...(entry.details ?? []).map((paragraph) => details(paragraph, theme, columns)),
      text('What moves it', entry.kind === 'counter' ? entry.moves : undefined),
      text('Where it comes from', entry.kind === 'counter' ? undefined : entry.moves),
      text('On the wire', entry.wire),
      text('What the application sees', entry.application),
      section('Easily taken for', list(entry.lookalikes, theme.glyphs.hollow, theme, columns), theme),
      section('Beware', list(entry.traps, theme.glyphs.hollow, theme, columns), theme),
      section('Usual causes, most likely first', numbered(entry.causes, theme, columns), theme),
      section('How to be sure', checks(entry.checks, theme, columns), theme),
      section('See also (synscope explain WORD)', seeAlso(entry, others, theme, columns), theme),
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
    const words = entries.filter((entry) => entry.kind === kind).map(({ word }) => theme.span(word, 'command'));
    return section(ENTRY_KINDS[kind], fillLines(words, theme, columns), theme);
  });
  return paintBlocks(blocks, theme);
}

/** Sets words side by side, two columns apart; a word of several parts stays whole. */
function fillLines(words: readonly Span[], theme: Theme, columns: number): Span[][] {
  const lines: Span[][] = [];
  for (const word of words) {
    const line = lines.at(-1);
    if (line === undefined || spansWidth([...line, word]) + 2 > columns) lines.push([theme.span('  '), word]);
    else line.push(theme.span('  '), word);
  }
  return lines;
}

function heading({ kind, word, title, meaning }: GlossaryEntry, theme: Theme, columns: number): Span[][] {
  return [
    ...wrapHanging([], [theme.span(`${word}:`, 'strong'), theme.span(` ${title}`, 'strong')], columns),
    [theme.span(ENTRY_KINDS[kind], 'dim')],
    [],
    ...wrapHanging([], [theme.span(meaning)], columns),
  ];
}

/** One paragraph; lines that begin with a dash are items. */
function details(paragraph: string, theme: Theme, columns: number): Span[][] {
  return paragraph.split('\n').flatMap((line) => {
    const item = line.startsWith('- ');
    const first = item ? [theme.span(`  ${theme.glyphs.bullet} `, 'dim')] : [];
    return wrapHanging(first, [theme.span(item ? line.slice(2) : line)], columns);
  });
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
  const spans = words.flatMap((word, index) => [
    ...(index === 0 ? [] : [theme.span(', ')]),
    theme.span(word, 'command'),
  ]);
  return wrapHanging([theme.span('  ')], spans, columns);
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
