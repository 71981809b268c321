import { closeSync, constants, fstatSync, fsyncSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isSystemError, systemReason } from '../../host/system-error.ts';
import { InputError } from '../../model/errors.ts';
import { makeStateDirectory, stateDirectory } from '../state-directory.ts';
import type { JournalEntry, JournalEvent } from './entry.ts';
import { stopForTest } from './stop-for-test.ts';

const FILE_NAME = 'repairs.jsonl';
/** The whole file is read; a repair takes a few kilobytes. */
const MAX_BYTES = 256 * 1024 * 1024;

/**
 * The journal of repairs: JSON Lines, each on the disk before what it announces is done. A last line that was cut off is skipped,
 * and does not spoil the next one.
 */
export class Journal {
  readonly path: string;
  private written = 0;

  constructor(directory: string = stateDirectory()) {
    this.path = join(directory, FILE_NAME);
  }

  /** Writes one entry, and waits until it is on the disk. @throws InputError when it cannot be written. */
  append(id: string, event: JournalEvent): void {
    stopForTest(this.written, undefined, event);
    const entry: JournalEntry = { v: 1, at: new Date().toISOString(), id, ...event };
    try {
      makeStateDirectory(dirname(this.path));
      const fd = openSync(this.path, constants.O_RDWR | constants.O_APPEND | constants.O_CREAT, 0o600);
      try {
        const isNew = fstatSync(fd).size === 0;
        writeSync(fd, `${isCutOff(fd) ? '\n' : ''}${JSON.stringify(entry)}\n`);
        fsyncSync(fd);
        if (isNew) syncDirectory(dirname(this.path));
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      if (!isSystemError(error)) throw error;
      throw new InputError({
        code: 'not-writable',
        message: `The journal ${this.path} cannot be written, and without it nothing is changed: ${systemReason(error)}.`,
      });
    }
    this.written += 1;
    stopForTest(this.written, event);
  }

  /** All entries that can be read, in their order; none when there is no journal. @throws InputError */
  read(): readonly JournalEntry[] {
    let text: string;
    try {
      text = readFileSync(this.path, 'utf8').slice(-MAX_BYTES);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      if (error.code === 'ENOENT') return [];
      throw new InputError({
        code: 'not-readable',
        message: `The journal ${this.path} cannot be read: ${systemReason(error)}.`,
        ...(error.code === 'EACCES' ? { hint: 'Run as root.' } : {}),
      });
    }
    return text.split('\n').flatMap((line) => parseEntry(line));
  }
}

function parseEntry(line: string): JournalEntry[] {
  try {
    const entry = JSON.parse(line) as JournalEntry;
    return entry?.v === 1 && typeof entry.id === 'string' && typeof entry.entry === 'string' ? [entry] : [];
  } catch {
    return [];
  }
}

/** Whether the file ends within a line: the machine went down while it was written. */
function isCutOff(fd: number): boolean {
  const { size } = fstatSync(fd);
  if (size === 0) return false;
  const last = Buffer.alloc(1);
  readSync(fd, last, 0, 1, size - 1);
  return last[0] !== 0x0a;
}

/** The name of a new file is on the disk only when its directory is. */
function syncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
