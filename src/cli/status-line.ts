import process from 'node:process';

/** One line on standard error that is drawn again and again; nothing at all where that is no terminal. */
export interface StatusLine {
  /** Writes a line that stays. */
  say(text: string): void;
  /** Replaces the line that is drawn. */
  draw(text: string): void;
  /** Removes it. */
  clear(): void;
}

/** Starts a status line. */
export function statusLine(): StatusLine {
  const { stderr } = process;
  let drawn = '';
  return {
    say(text) {
      if (stderr.isTTY) stderr.write(`${text}\n`);
    },
    draw(text) {
      if (!stderr.isTTY || text === drawn) return;
      stderr.write(`\r\x1b[K${text.slice(0, Math.max(20, (stderr.columns || 80) - 1))}`);
      drawn = text;
    },
    clear() {
      if (drawn !== '') stderr.write('\r\x1b[K');
      drawn = '';
    },
  };
}
