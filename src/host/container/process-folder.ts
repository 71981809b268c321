import { closeSync, constants, fstatSync, openSync, read, readFileSync, statSync } from 'node:fs';
import { promisify } from 'node:util';
import { InputError } from '../../model/errors.ts';
import { HostError } from '../host.ts';
import { hostFailure } from '../host-failure.ts';
import { systemCalls } from '../system.ts';
import { isSystemError } from '../system-error.ts';

const readAsync = promisify(read);
/** asm-generic/fcntl.h. */
const O_PATH = 0o10000000;
/** Nobody has a longer hosts file. */
const MAX_FILE_BYTES = 2 ** 20;

/**
 * The folder of one process in /proc, held open: unlike a process id, it never stands for another process that came later.
 */
export class ProcessFolder {
  readonly pid: number;
  private readonly fd: number;

  /** @throws InputError when there is no such process. */
  constructor(pid: number) {
    this.pid = pid;
    try {
      this.fd = openSync(`/proc/${pid}`, constants.O_RDONLY | constants.O_DIRECTORY);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      throw new InputError({ code: 'not-found', message: `There is no process ${pid}.` }, { cause: error });
    }
  }

  /** Path of a file in the folder. */
  path(name: string): string {
    return `/proc/self/fd/${this.fd}/${name}`;
  }

  /** Whether the process has the same files as we: the same mounts, and the same root. */
  sharesFiles(): boolean {
    const same = (name: string): boolean => {
      const [theirs, ours] = [statSync(this.path(name)), statSync(`/proc/self/${name}`)];
      return theirs.ino === ours.ino && theirs.dev === ours.dev;
    };
    return same('ns/mnt') && same('root/.');
  }

  /** Text of a file of the folder; undefined when it cannot be read. */
  readIfAny(name: string): string | undefined {
    try {
      return readFileSync(this.path(name), 'utf8');
    } catch (error) {
      if (isSystemError(error)) return undefined;
      throw error;
    }
  }

  /** Whether there is a file below the root of the process. @throws HostError `not-found` when the process has ended. */
  hasBelowRoot(path: string): boolean {
    try {
      closeSync(this.openBelowRoot(path));
      return true;
    } catch (error) {
      // A socket cannot be opened, but it is there.
      if (isSystemError(error)) return error.code === 'ENXIO';
      throw error;
    }
  }

  /**
   * Reads a text file as the process sees it. No symbolic link leads out of its root, nothing but a file is read, and not more than a
   * mebibyte: what lies there may have been made by anybody.
   * @throws HostError
   */
  async readBelowRoot(path: string): Promise<string> {
    let fd: number;
    try {
      fd = this.openBelowRoot(path);
    } catch (error) {
      throw hostFailure(error, `${path} of process ${this.pid} cannot be read`);
    }
    try {
      if (!fstatSync(fd).isFile()) throw new HostError('failed', `${path} of process ${this.pid} is no file`);
      const buffer = Buffer.allocUnsafe(MAX_FILE_BYTES + 1);
      let length = 0;
      for (let count = -1; count !== 0 && length < buffer.length; length += count) {
        ({ bytesRead: count } = await readAsync(fd, buffer, length, buffer.length - length, null));
      }
      if (length < buffer.length) return buffer.toString('utf8', 0, length);
      throw new HostError('failed', `${path} of process ${this.pid} is longer than ${MAX_FILE_BYTES / 2 ** 20} MiB`);
    } finally {
      closeSync(fd);
    }
  }

  close(): void {
    closeSync(this.fd);
  }

  private openBelowRoot(path: string): number {
    let root: number;
    try {
      root = openSync(this.path('root'), O_PATH | constants.O_DIRECTORY);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      throw new ProcessEnded(this.pid, error);
    }
    try {
      return systemCalls().openInRoot(root, path.replace(/^\/+/, ''));
    } finally {
      closeSync(root);
    }
  }
}

/** The process has ended, or its files may not be seen. */
export class ProcessEnded extends HostError {
  constructor(pid: number, cause: unknown) {
    super('not-found', `the files of process ${pid} are gone: it has ended`, { cause });
  }
}
