import { type Span, type Style, spansWidth, type Theme } from './style.ts';
import { displayWidth } from './width.ts';
import { hang, wrapSpans } from './wrap.ts';

/** A statement with a mark before it and its source at the right. */
export interface Item {
  readonly mark: string;
  readonly markStyle: Style;
  readonly text: readonly Span[];
  readonly source: string;
}

/** A heading with lines below it; nothing when there are no lines. */
export function section(title: string, lines: readonly Span[][], theme: Theme): Span[][] {
  return lines.length === 0 ? [] : [[theme.span(title, 'strong')], ...lines];
}

/** Sets statements at the left; their sources end at the right edge, on the last line of the statement or below it. */
export function renderItems(items: readonly Item[], theme: Theme, columns: number): Span[][] {
  return items.flatMap(({ mark, markStyle, text, source }) => {
    const first = [theme.span('  '), theme.span(mark, markStyle), theme.span(' ')];
    const indent = spansWidth(first);
    const lines = hang(first, wrapSpans(text, columns - indent));
    const span = theme.span(source, 'dim');
    const width = displayWidth(span.text);
    if (width === 0) return lines;
    const last = lines.at(-1) ?? [];
    const gap = columns - spansWidth(last) - width;
    if (gap >= 2) return [...lines.slice(0, -1), [...last, theme.span(' '.repeat(gap)), span]];
    const below = wrapSpans([span], columns - indent).map((line): Span[] => [
      theme.span(' '.repeat(columns - spansWidth(line))),
      ...line,
    ]);
    return [...lines, ...below];
  });
}
