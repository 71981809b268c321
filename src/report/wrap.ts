import { type Span, spansWidth } from './style.ts';
import { displayWidth, takeColumns } from './width.ts';

/** A word of the text, possibly of several styles, that is kept together where it can be. */
interface Word {
  readonly spans: Span[];
  width: number;
}

/** Stands for the space between a number and its unit, which no line break may part. Spans never hold it. */
const GLUE = '\u0001';
const BEFORE_UNIT: RegExp = /(\d) (?=(?:h|min|s|ms|µs|us|ns|B)\b)/g;

/**
 * Breaks spans into lines of at most `columns`, between words, and inside a word only when it alone is too long. Spaces
 * at the ends of lines are dropped.
 */
export function wrapSpans(spans: readonly Span[], columns: number): Span[][] {
  const room = Math.max(1, columns);
  const lines: Span[][] = [];
  let line: Span[] = [];
  let used = 0;
  for (const word of splitWords(spans)) {
    if (used > 0 && used + 1 + word.width > room) {
      lines.push(line);
      line = [];
      used = 0;
    }
    if (used > 0) {
      line.push({ text: ' ', style: sharedStyle(line, word) });
      used += 1;
    }
    for (const span of word.spans) {
      let rest = span.text;
      while (used + displayWidth(rest) > room) {
        const head = takeColumns(rest, room - used) || (used === 0 ? firstCharacter(rest) : '');
        if (head !== '') line.push({ text: head, style: span.style });
        rest = rest.slice(head.length);
        lines.push(line);
        line = [];
        used = 0;
      }
      if (rest !== '') line.push({ text: rest, style: span.style });
      used += displayWidth(rest);
    }
  }
  if (line.length > 0 || lines.length === 0) lines.push(line);
  return lines.map(mergeSpans);
}

/** Puts `first` before the first line and as many spaces before the others: a hanging indent. */
export function hang(first: readonly Span[], lines: readonly (readonly Span[])[]): Span[][] {
  const indent = ' '.repeat(spansWidth(first));
  return lines.map((line, index) => [...(index === 0 ? first : [{ text: indent, style: 'plain' as const }]), ...line]);
}

/** Wraps spans with a hanging indent behind `first`. */
export function wrapHanging(first: readonly Span[], spans: readonly Span[], columns: number): Span[][] {
  return hang(first, wrapSpans(spans, columns - spansWidth(first)));
}

function splitWords(spans: readonly Span[]): Word[] {
  const words: Word[] = [];
  let open = false;
  for (const span of spans) {
    for (const part of span.text.replace(BEFORE_UNIT, `$1${GLUE}`).split(/( +)/)) {
      if (part === '') continue;
      if (part.trim() === '') {
        open = false;
        continue;
      }
      const piece: Span = { text: part, style: span.style };
      const last = words.at(-1);
      if (open && last !== undefined) {
        last.spans.push(piece);
        last.width += displayWidth(part);
      } else {
        words.push({ spans: [piece], width: displayWidth(part) });
      }
      open = true;
    }
  }
  return words;
}

function sharedStyle(line: readonly Span[], word: Word): Span['style'] {
  const before = line.at(-1)?.style;
  return before !== undefined && before === word.spans[0]?.style ? before : 'plain';
}

function mergeSpans(line: readonly Span[]): Span[] {
  const merged: Span[] = [];
  for (const { text: glued, style } of line) {
    const text = glued.replaceAll(GLUE, ' ');
    const last = merged.at(-1);
    if (last?.style === style) merged[merged.length - 1] = { text: last.text + text, style };
    else merged.push({ text, style });
  }
  return merged;
}

function firstCharacter(text: string): string {
  return String.fromCodePoint(text.codePointAt(0) ?? 0x20);
}
