import { close, closeSync, openSync, read, readdirSync, readSync } from 'node:fs';
import { promisify } from 'node:util';
import { HostError } from './host.ts';
import { hostFailure } from './host-failure.ts';

const readAsync = promisify(read);
const closeAsync = promisify(close);

/** Files of /proc can be long, but not so long; anything longer is not what was meant to be read. */
const MAX_FILE_BYTES = 64 * 1024 * 1024;
const PIECE_BYTES = 64 * 1024;

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
      const buffer = Buffer.allocUnsafe(PIECE_BYTES);
      const count = readSync(fd, buffer);
      if (count === 0) return Buffer.concat(pieces).toString('utf8');
      pieces.push(buffer.subarray(0, count));
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
