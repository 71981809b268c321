import { writeSync } from 'node:fs';
import process from 'node:process';
import { isSystemError, systemReason } from '../host/system-error.ts';
import { InputError } from '../model/errors.ts';
import { interrupt, withDefaultSignals } from './interrupt.ts';

/** How text is to be written to standard output. */
export interface OutputStyle {
  readonly columns: number;
  readonly color: boolean;
  readonly unicode: boolean;
}

const PLAIN_COLUMNS = 100;
const BUFFER_CHARACTERS = 64 * 1024;
const STANDARD_OUTPUT = 1;
/** How long a full pipe is given before it is tried again. */
const FULL_PIPE_MS = 2;

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

/**
 * Collects text and writes it in large pieces. A report can be larger than memory, so each piece waits until whoever reads standard
 * output has room for it.
 */
export class OutputBuffer {
  private text = '';

  /** Adds text; it may stay in the buffer until {@link flush}. */
  write(text: string): void {
    this.text += text;
    if (this.text.length >= BUFFER_CHARACTERS) this.flush();
  }

  /**
   * Hands everything to the operating system; what nobody is left to take is dropped.
   * @throws InputError when it cannot be written.
   */
  flush(): void {
    const bytes = Buffer.from(this.text);
    this.text = '';
    for (let at = 0; at < bytes.length && !readerLeft; ) at += writeSome(bytes.subarray(at));
  }
}

/** Whether the reader of a pipe has left (`| head`). */
let readerLeft = false;

/** The error to end with when standard output takes nothing: a full disk, most often. */
export function outputError(error: NodeJS.ErrnoException): InputError {
  const message = `standard output cannot be written: ${systemReason(error)}; what is there is not the whole report.`;
  return new InputError({ code: 'not-writable', message });
}

/** Writes the first of some bytes; returns how many, which may be none. */
function writeSome(bytes: Uint8Array): number {
  try {
    return writeSync(STANDARD_OUTPUT, bytes);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    if (error.code === 'EAGAIN') {
      // A full pipe that does not wait by itself.
      withDefaultSignals(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FULL_PIPE_MS));
      return 0;
    }
    if (error.code !== 'EPIPE') throw outputError(error);
    // Nobody is there to be told, but files that were asked for are still written.
    readerLeft = true;
    interrupt();
    return 0;
  }
}
