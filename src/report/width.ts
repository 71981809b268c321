/** Made when first needed: it loads tables that take tens of milliseconds. */
let graphemes: Intl.Segmenter | undefined;

/** Characters that a terminal draws over the one before them. */
const ZERO: RegExp = /^[\p{M}\p{Cf}]$/u;

/** East Asian Wide and Fullwidth (Unicode Standard Annex 11), by block, and emoji that are shown as pictures. */
const WIDE: RegExp =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{17000}-\u{18cff}\u{1b000}-\u{1b2ff}\u{20000}-\u{3fffd}\p{Emoji_Presentation}]$/u;

/**
 * Characters of one column each that never join with their neighbours: Latin, and the arrows, lines and marks of reports. Nearly all
 * texts are made of these, and they need no Unicode tables, which take tens of milliseconds to load.
 */
const SIMPLE: RegExp = /^[\x20-\x7e\u00a0-\u00ac\u00ae-\u024f\u2026\u2190-\u21ff\u2500-\u25fc\u2713\u2717]*$/;

/** Columns that a text takes in a terminal. Controls must have been escaped before. */
export function displayWidth(text: string): number {
  if (SIMPLE.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

/** Splits a text into what a reader takes for single characters. */
export function splitGraphemes(text: string): string[] {
  if (SIMPLE.test(text)) return text.split('');
  graphemes ??= new Intl.Segmenter('en', { granularity: 'grapheme' });
  return Array.from(graphemes.segment(text), (part) => part.segment);
}

/** The longest beginning of a text that fits into `columns`. */
export function takeColumns(text: string, columns: number): string {
  if (SIMPLE.test(text)) return text.slice(0, Math.max(0, columns));
  let taken = '';
  let width = 0;
  for (const part of splitGraphemes(text)) {
    width += displayWidth(part);
    if (width > columns) break;
    taken += part;
  }
  return taken;
}

/** Shortens a text in its middle, where names differ least, so that it fits into `columns`. */
export function shortenMiddle(text: string, columns: number, ellipsis: string): string {
  if (displayWidth(text) <= columns) return text;
  const room = columns - displayWidth(ellipsis);
  if (room < 2) return takeColumns(text, columns);
  const head = takeColumns(text, Math.ceil(room / 2));
  const parts = splitGraphemes(text);
  let tail = '';
  for (let index = parts.length - 1; index >= 0; index -= 1) {
    const longer = (parts[index] ?? '') + tail;
    if (displayWidth(longer) > room - displayWidth(head)) break;
    tail = longer;
  }
  return head + ellipsis + tail;
}

function characterWidth(character: string): number {
  if (SIMPLE.test(character)) return 1;
  if (ZERO.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}
