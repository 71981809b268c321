import { closeSync, openSync } from 'node:fs';
import { loadKoffi } from './load-koffi.ts';

/** LOCK_EX and LOCK_NB of flock(2). */
const EXCLUSIVE_WITHOUT_WAITING = 2 | 4;

/** Holds a lock until `release`, or until the process ends, however it ends. */
export interface FileLock {
  release(): void;
}

/**
 * Locks a file, which is made if need be, for this process alone: flock(2).
 * @returns undefined when another process holds it.
 * @throws NodeJS.ErrnoException when the file cannot be opened.
 */
export function lockFile(path: string): FileLock | undefined {
  const koffi = loadKoffi();
  const flock = koffi.load(null).func('int flock(int fd, int operation)');
  const fd = openSync(path, 'a', 0o600);
  if (flock(fd, EXCLUSIVE_WITHOUT_WAITING) === 0) return { release: () => closeSync(fd) };
  closeSync(fd);
  return undefined;
}
