import type { Span, Style } from './style.ts';
import { displayWidth, splitGraphemes } from './width.ts';

interface Cell {
  readonly text: string;
  readonly style: Style;
}

const BLANK: Cell = { text: ' ', style: 'plain' };

/** One line of character cells that text is put on at columns; later text covers earlier text. */
export class CanvasLine {
  readonly #cells: Cell[] = [];

  /** Columns to which anything was put. */
  get width(): number {
    return this.#cells.length;
  }

  /** Puts a text at a column. Text is safe only when it comes from a span or from the glyphs of a theme. */
  put(column: number, text: string, style: Style = 'plain'): void {
    let at = Math.max(0, column);
    for (const part of splitGraphemes(text)) {
      const width = displayWidth(part);
      while (this.#cells.length < at) this.#cells.push(BLANK);
      this.#cells[at] = { text: part, style };
      for (let more = 1; more < width; more += 1) this.#cells[at + more] = { text: '', style };
      at += width;
    }
  }

  /** Puts a span at a column. */
  putSpan(column: number, span: Span): void {
    this.put(column, span.text, span.style);
  }

  /** Repeats one character from column `from` up to, not including, column `to`. */
  fill(from: number, to: number, text: string, style: Style = 'plain'): void {
    for (let at = from; at < to; at += 1) this.put(at, text, style);
  }

  /** The line as spans, one for each run of a style. */
  spans(): Span[] {
    const spans: { text: string; style: Style }[] = [];
    for (const { text, style } of this.#cells) {
      const last = spans.at(-1);
      if (last !== undefined && last.style === style) last.text += text;
      else spans.push({ text, style });
    }
    return spans;
  }
}
