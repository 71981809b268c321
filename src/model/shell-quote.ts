import { isUnsafe } from './unsafe-text.ts';

/** Words that no POSIX shell reads as anything but themselves. */
const PLAIN: RegExp = /^[A-Za-z0-9_@%+=:,./-]+$/;

/** Words that would be read as an assignment when they came first. */
const ASSIGNMENT: RegExp = /^[A-Za-z_][A-Za-z0-9_]*=/;

/**
 * Quotes one word for a POSIX shell. A word with control or invisible characters is written as `$'...'` with octal
 * escapes (POSIX.1-2024 section 2.2.4; bash, zsh, ksh, busybox), so that it can be shown and pasted safely. With
 * `ascii`, the same goes for every word that is not ASCII.
 */
export function quoteWord(word: string, ascii: boolean = false): string {
  if (isUnsafe(word) || (ascii && /[^\x20-\x7e]/.test(word))) return `$'${octal(word)}'`;
  if (PLAIN.test(word)) return word;
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** Quotes the words of a command, one by one. */
export function quoteWords(words: readonly string[], ascii: boolean = false): string[] {
  return words.map((word, index) => {
    const quoted = quoteWord(word, ascii);
    return index === 0 && quoted === word && ASSIGNMENT.test(word) ? `'${word}'` : quoted;
  });
}

/** Quotes a whole command so that it can be pasted into a POSIX shell. */
export function quoteCommand(words: readonly string[]): string {
  return quoteWords(words).join(' ');
}

function octal(word: string): string {
  let text = '';
  for (const byte of new TextEncoder().encode(word)) {
    const character = String.fromCharCode(byte);
    text +=
      byte < 0x80 && PLAIN.test(character) ? character : byte === 0x20 ? ' ' : `\\${byte.toString(8).padStart(3, '0')}`;
  }
  return text;
}
