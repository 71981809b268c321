import { forTerminal } from './escape.ts';
import { displayWidth } from './width.ts';

/** How a piece of text looks. */
export type Style = 'plain' | 'strong' | 'dim' | 'bad' | 'bad-strong' | 'good' | 'good-strong' | 'warn' | 'command';

/** A piece of text in one style. Its text is safe for a terminal: only {@link Theme.span} makes one. */
export interface Span {
  readonly text: string;
  readonly style: Style;
}

/** The characters that drawings are made of. */
interface Glyphs {
  readonly cross: string;
  readonly check: string;
  readonly bullet: string;
  readonly hollow: string;
  readonly horizontal: string;
  readonly vertical: string;
  readonly crossing: string;
  readonly fromLeft: string;
  readonly fromRight: string;
  readonly origin: string;
  readonly headRight: string;
  readonly headLeft: string;
  readonly ellipsis: string;
  readonly times: string;
  readonly hint: string;
}

/** How a report is written on one terminal. */
export interface Theme {
  readonly glyphs: Glyphs;
  /** Makes a span: escapes what is hostile and, on an ASCII terminal, spells out what is not ASCII. */
  span(text: string, style?: Style): Span;
  /** Turns spans into one line of output without trailing spaces. */
  paint(spans: readonly Span[]): string;
}

const UNICODE: Glyphs = {
  cross: '✗',
  check: '✓',
  bullet: '●',
  hollow: '○',
  horizontal: '─',
  vertical: '│',
  crossing: '┼',
  fromLeft: '├',
  fromRight: '┤',
  origin: '◆',
  headRight: '▶',
  headLeft: '◀',
  ellipsis: '…',
  times: '×',
  hint: '→',
};

const ASCII: Glyphs = {
  cross: 'x',
  check: '+',
  bullet: '*',
  hollow: 'o',
  horizontal: '-',
  vertical: '|',
  crossing: '+',
  fromLeft: '|',
  fromRight: '|',
  origin: '@',
  headRight: '>',
  headLeft: '<',
  ellipsis: '...',
  times: 'x',
  hint: '->',
};

const SPELLED: Readonly<Record<string, string>> = {
  '…': '...',
  '→': '->',
  '←': '<-',
  '–': '-',
  '—': '-',
  '‘': "'",
  '’': "'",
  '“': '"',
  '”': '"',
  '×': 'x',
  '±': '+-',
  µ: 'u',
  '≥': '>=',
  '≤': '<=',
  '\u00a0': ' ',
};

/** Select Graphic Rendition parameters (ECMA-48 section 8.3.117). */
const SGR: Readonly<Record<Style, string>> = {
  plain: '',
  strong: '1',
  dim: '2',
  bad: '31',
  'bad-strong': '1;31',
  good: '32',
  'good-strong': '1;32',
  warn: '33',
  command: '36',
};

/** Makes the theme for a terminal with or without colours and with or without Unicode. */
export function createTheme({ color, unicode }: { readonly color: boolean; readonly unicode: boolean }): Theme {
  return {
    glyphs: unicode ? UNICODE : ASCII,
    span: (text, style = 'plain') => ({ text: unicode ? forTerminal(text) : spell(forTerminal(text)), style }),
    paint: (spans) => (color ? paintColored(spans) : spans.map((span) => span.text).join('')).trimEnd(),
  };
}

/** Columns that spans take together. */
export function spansWidth(spans: readonly Span[]): number {
  return spans.reduce((sum, span) => sum + displayWidth(span.text), 0);
}

function paintColored(spans: readonly Span[]): string {
  let last = spans.length;
  while (last > 0 && spans[last - 1]?.text.trim() === '') last -= 1;
  return spans
    .slice(0, last)
    .map(({ text, style }) => (SGR[style] === '' || text.trim() === '' ? text : `\x1b[${SGR[style]}m${text}\x1b[0m`))
    .join('');
}

function spell(text: string): string {
  return text.replace(
    /[^\x20-\x7e]/gu,
    (character) => SPELLED[character] ?? `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
}
