import { UNSAFE_CHARACTERS } from '../model/unsafe-text.ts';

const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** Makes a foreign text harmless for a terminal: whatever could act or hide becomes a visible escape such as `\x1b`. */
export function forTerminal(text: string): string {
  return text.replace(UNSAFE_CHARACTERS, (character) => NAMED[character] ?? visible(character.codePointAt(0) ?? 0));
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Makes a foreign text harmless for HTML and SVG, in element content and in quoted attributes. */
export function forHtml(text: string): string {
  return forTerminal(text).replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}

function visible(codePoint: number): string {
  const hex = codePoint.toString(16);
  return codePoint <= 0xff ? `\\x${hex.padStart(2, '0')}` : `\\u{${hex}}`;
}
