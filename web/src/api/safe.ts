import { forTerminal } from '../../../src/report/escape.ts';

/** Longest text that the page takes from the watch; a sentence or a command is far below. */
const MAX_TEXT = 4000;

/**
 * Makes every text of an answer harmless to look at, at the only place through which answers come: control, bidirectional and
 * invisible characters become visible escapes. That none of it becomes HTML is Preact's part.
 */
export function safe<T>(value: T): T {
  if (typeof value === 'string') return safeText(value) as T;
  if (Array.isArray(value)) return value.map(safe) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [safeText(key), safe(part)])) as T;
}

function safeText(text: string): string {
  return forTerminal(text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)} …` : text);
}
