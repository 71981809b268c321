import { close, closeSync, openSync, read, readdirSync, readSync } from 'node:fs';
import { promisify } from 'node:util';
import { HostError } from './host.ts';
import { hostFailure } from './host-failure.ts';
import { isSystemError } from './system-error.ts';

const readAsync = promisify(read);
const closeAsync = promisify(close);

/** Files of /proc can be long, but not so long; anything longer is not what was meant to be read. */
const MAX_FILE_BYTES = 64 * 1024 * 1024;
const PIECE_BYTES = 64 * 1024;
/** What {@link readAtOnce} reads into. */
const shared: Buffer = Buffer.allocUnsafeSlow(PIECE_BYTES);

/** Runs what is to happen inside a namespace. */
export type Enter = <T>(run: () => T) => T;

/**
 * Reads a whole text file, of unknown length as files of /proc are.
 * @param enter surrounds the system calls whose answer depends on the namespace of the thread.
 * @throws HostError
 */
export async function readText(path: string, enter: Enter): Promise<string> {
  try {
    // The values of /proc/sys belong to the namespace of the thread that reads; other files to that of the one that opened them.
    if (path.startsWith('/proc/sys/')) return enter(() => readAtOnce(path));
    const fd = enter(() => openSync(path, 'r'));
    try {
      return await readPieces(path, (buffer) => readAsync(fd, buffer, 0, buffer.length, null).then((r) => r.bytesRead));
    } finally {
      await closeAsync(fd);
    }
  } catch (error) {
    throw hostFailure(error, `${path} cannot be read`);
  }
}

/**
 * Reads small text files one after the other, without waiting in between: a file of /proc takes microseconds, a command to read it
 * milliseconds. What cannot be read is absent, and so is an empty file; the last line end of each is left out.
 * @throws HostError when the namespace cannot be entered.
 */
export function readTexts(paths: readonly string[], enter: Enter): ReadonlyMap<string, string> {
  try {
    return enter(() => new Map(paths.flatMap((path) => readIfAny(path))));
  } catch (error) {
    throw hostFailure(error, 'files cannot be read');
  }
}

function readIfAny(path: string): [path: string, text: string][] {
  try {
    const text = readAtOnce(path);
    return text === '' ? [] : [[path, text.endsWith('\n') ? text.slice(0, -1) : text]];
  } catch (error) {
    if (error instanceof HostError || isSystemError(error)) return [];
    throw error;
  }
}

/** Names in a directory, sorted. @throws HostError */
export function readNames(path: string, enter: Enter): readonly string[] {
  try {
    return enter(() => readdirSync(path)).sort();
  } catch (error) {
    throw hostFailure(error, `${path} cannot be listed`);
  }
}

function readAtOnce(path: string): string {
  const fd = openSync(path, 'r');
  try {
    const pieces: Buffer[] = [];
    for (let bytes = 0; ; ) {
      const count = readSync(fd, shared);
      if (count === 0) return Buffer.concat(pieces).toString('utf8');
      pieces.push(Buffer.from(shared.subarray(0, count)));
      bytes += count;
      if (bytes > MAX_FILE_BYTES) throw tooLong(path);
    }
  } finally {
    closeSync(fd);
  }
}

async function readPieces(path: string, fill: (buffer: Buffer) => Promise<number>): Promise<string> {
  const pieces: Buffer[] = [];
  for (let bytes = 0; ; ) {
    const buffer = Buffer.allocUnsafe(PIECE_BYTES);
    const count = await fill(buffer);
    if (count === 0) return Buffer.concat(pieces).toString('utf8');
    pieces.push(buffer.subarray(0, count));
    bytes += count;
    if (bytes > MAX_FILE_BYTES) throw tooLong(path);
  }
}

function tooLong(path: string): HostError {
  return new HostError('failed', `${path} is longer than ${MAX_FILE_BYTES / 2 ** 20} MiB`);
}
