import process from 'node:process';

/** How text is to be written to standard output. */
export interface OutputStyle {
  readonly columns: number;
  readonly color: boolean;
  readonly unicode: boolean;
}

const PLAIN_COLUMNS = 100;
const BUFFER_CHARACTERS = 64 * 1024;

/** What the terminal can show, by its own word and by `NO_COLOR`, `FORCE_COLOR`, `TERM` and the locale. */
export function outputStyle(): OutputStyle {
  const { stdout, env } = process;
  const dumb = env.TERM === 'dumb';
  const forced = env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== '0';
  const refused = (env.NO_COLOR ?? '') !== '';
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || '';
  return {
    columns: stdout.isTTY ? stdout.columns || 80 : Number(env.COLUMNS) || PLAIN_COLUMNS,
    color: !refused && !dumb && (stdout.isTTY || forced),
    unicode: !dumb && (locale === '' || /utf-?8/i.test(locale)) && !/^(C|POSIX)$/.test(locale),
  };
}

/** Collects text and writes it in large pieces. */
export class OutputBuffer {
  private text = '';

  /** Adds text; it may stay in the buffer until {@link flush}. */
  write(text: string): void {
    this.text += text;
    if (this.text.length >= BUFFER_CHARACTERS) this.pass();
  }

  /** Resolves when everything is with the operating system, or nobody is left to take it. */
  async flush(): Promise<void> {
    this.pass();
    if (process.stdout.writableLength === 0) return;
    await new Promise<void>((resolve) => process.stdout.write('', () => resolve()));
  }

  private pass(): void {
    if (this.text !== '') process.stdout.write(this.text);
    this.text = '';
  }
}
