import type { NextStep, RemedyOffer } from '../model/diagnosis.ts';
import { quoteWords } from '../model/shell-quote.ts';
import { type Span, spansWidth, type Theme } from './style.ts';
import { displayWidth } from './width.ts';
import { wrapHanging } from './wrap.ts';

const INDENT = 4;

/** Renders what to do next: a sentence, and below it the command to paste. */
export function renderNextSteps(steps: readonly NextStep[], theme: Theme, columns: number): Span[][] {
  return steps.flatMap(({ statement, command }) => [
    ...wrapHanging([theme.span('  ')], [theme.span(statement)], columns),
    ...(command === undefined ? [] : renderCommand(command, theme, columns)),
  ]);
}

/** Renders repairs: title and risk, and below them the commands to paste. */
export function renderFix(remedies: readonly RemedyOffer[], theme: Theme, columns: number): Span[][] {
  return remedies.flatMap(({ title, risk, commands }) => [
    ...wrapHanging([theme.span('  ')], [theme.span(title), theme.span(` (${risk} risk)`, 'dim')], columns),
    ...commands.map((command): Span[] => [theme.span(' '.repeat(INDENT)), theme.span(command, 'command')]),
  ]);
}

/** Renders a command so that it can be pasted even where it takes several lines. */
export function renderCommand(
  words: readonly string[],
  theme: Theme,
  columns: number,
  indent: number = INDENT,
): Span[][] {
  const ascii = theme.glyphs.ellipsis === '...';
  const lines: Span[][] = [];
  let line: Span[] = [theme.span(' '.repeat(indent))];
  for (const word of quoteWords(words, ascii)) {
    const first = line.length === 1;
    if (!first && spansWidth(line) + 1 + displayWidth(word) + 2 > columns) {
      lines.push([...line, theme.span(' \\', 'dim')]);
      line = [theme.span(' '.repeat(indent + 2)), theme.span(word, 'command')];
    } else {
      line.push(theme.span(first ? word : ` ${word}`, 'command'));
    }
  }
  return [...lines, line];
}
