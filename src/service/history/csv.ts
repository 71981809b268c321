import { forTerminal } from '../../report/escape.ts';

/** A value of a cell; undefined is an empty one. */
export type Cell = string | number | bigint | undefined;

/**
 * One line of CSV (RFC 4180), safe to print. A text that a spreadsheet would take for a formula gets a quote before it: names of processes and the like
 * come from anybody.
 */
export function csvRow(values: readonly Cell[]): string {
  return `${values.map(cell).join(',')}\r\n`;
}

function cell(value: Cell): string {
  if (value === undefined) return '';
  if (typeof value !== 'string') return String(value);
  const safe = forTerminal(value);
  const text = /^[=+\-@]/.test(safe) ? `'${safe}` : safe;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
