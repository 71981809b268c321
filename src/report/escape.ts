/**
 * What never goes out as it came in: control characters (C0, DEL, C1), format characters (bidirectional overrides,
 * zero-width characters, soft hyphens, tags), line and paragraph separators, invisible fillers and lone surrogates.
 */
const UNSAFE: RegExp = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]|\u034f|\u115f|\u1160|\u17b4|\u17b5|\u3164|\uffa0/gu;

const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** Whether a text holds a character that {@link forTerminal} would replace. */
export function isUnsafe(text: string): boolean {
  UNSAFE.lastIndex = 0;
  return UNSAFE.test(text);
}

/** Makes a foreign text harmless for a terminal: whatever could act or hide becomes a visible escape such as `\x1b`. */
export function forTerminal(text: string): string {
  return text.replace(UNSAFE, (character) => NAMED[character] ?? visible(character.codePointAt(0) ?? 0));
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
