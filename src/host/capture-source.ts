import { closeSync, constants, createReadStream, fstatSync, open, openSync, type Stats, statSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { isatty } from 'node:tty';
import { InputError } from '../model/errors.ts';
import { systemReason } from './system-error.ts';

/** Where the bytes of a capture come from: a file that can be read at once, or a stream whose bytes come when they come. */
export type CaptureSource =
  | { readonly kind: 'file'; readonly fd: number; readonly totalBytes: number; close(): void }
  | { readonly kind: 'stream'; readonly stream: Readable };

/**
 * Opens a capture.
 * @param name a path, or `-` for standard input.
 * @returns undefined when `signal` was raised while a named pipe waited for its writer.
 * @throws InputError when there is nothing that can be read.
 */
export async function openCaptureSource(name: string, signal?: AbortSignal): Promise<CaptureSource | undefined> {
  try {
    if (name === '-') return standardInput();
    const stats = statSync(name);
    rejectDirectory(name, stats);
    if (stats.isFIFO()) return await namedPipe(name, signal);
    const fd = openSync(name, 'r');
    if (stats.isFile()) return { kind: 'file', fd, totalBytes: stats.size, close: () => closeSync(fd) };
    return { kind: 'stream', stream: createReadStream(name, { fd }) };
  } catch (error) {
    throw inputError(name, error);
  }
}

/** Names an input in a message. */
export function inputLabel(name: string): string {
  return name === '-' ? 'Standard input' : name;
}

/** Says in one sentence why an input cannot be read. Errors that are no system errors are handed back as they are. */
export function inputError(name: string, error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof InputError || !('code' in error)) return error;
  const label = inputLabel(name);
  const known = KNOWN_ERRORS[String(error.code)];
  if (known === undefined) {
    return new InputError(
      { code: 'read-failed', message: `${label} cannot be read: ${systemReason(error)}.` },
      { cause: error },
    );
  }
  const { code, says, hint } = known;
  return new InputError({ code, message: `${label} ${says}.`, ...(hint ? { hint } : {}) }, { cause: error });
}

const KNOWN_ERRORS: Readonly<Record<string, { code: string; says: string; hint?: string }>> = {
  ENOENT: { code: 'not-found', says: 'does not exist', hint: 'Check the path; - means standard input.' },
  ENOTDIR: { code: 'not-found', says: 'does not exist: a part of its path is no directory' },
  EACCES: {
    code: 'no-permission',
    says: 'may not be read by you',
    hint: 'Captures that root made are often readable by root only: use sudo, or change the owner of the file.',
  },
  EPERM: { code: 'no-permission', says: 'may not be read by you' },
  EISDIR: { code: 'is-directory', says: 'is a directory', hint: 'Name the captures in it.' },
  ENXIO: { code: 'not-readable', says: 'is a socket or device that cannot be read' },
  EBADF: {
    code: 'closed',
    says: 'is closed',
    hint: 'Give a path, or pipe a capture in: tcpdump -U -w - | synscope read -',
  },
};

function rejectDirectory(name: string, stats: Stats): void {
  if (stats.isDirectory()) throw inputError(name, Object.assign(new Error('is a directory'), { code: 'EISDIR' }));
}

function standardInput(): CaptureSource {
  const stats = fstatSync(0);
  rejectDirectory('-', stats);
  if (stats.isFile()) return { kind: 'file', fd: 0, totalBytes: stats.size, close: () => {} };
  if (isatty(0)) {
    throw new InputError({
      code: 'is-terminal',
      message: 'Standard input is the terminal, and a capture cannot be typed.',
      hint: 'Pipe one in: tcpdump -U -w - | synscope read -',
    });
  }
  return { kind: 'stream', stream: process.stdin };
}

/** Opens a named pipe. That waits for a writer, in a thread of its own, so that the signal can end it. */
function namedPipe(name: string, signal: AbortSignal | undefined): Promise<CaptureSource | undefined> {
  return new Promise((resolve, reject) => {
    // A writer that comes and goes releases the waiting thread; without it the process could not end.
    const release = (): void => closeSync(openSync(name, constants.O_WRONLY | constants.O_NONBLOCK));
    signal?.addEventListener('abort', release, { once: true });
    open(name, 'r', (error, fd) => {
      signal?.removeEventListener('abort', release);
      if (error) return reject(error);
      if (signal?.aborted) {
        closeSync(fd);
        return resolve(undefined);
      }
      resolve({ kind: 'stream', stream: new Socket({ fd, readable: true, writable: false }) });
    });
  });
}
