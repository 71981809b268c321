import { accessSync, constants, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import process from 'node:process';
import { outputTarget } from '../host/output-target.ts';
import { isSystemError, systemReason } from '../host/system-error.ts';
import { InputError } from '../model/errors.ts';
import { UsageError } from './command.ts';

/** The files that a command line asks for beside the report. */
interface OutputFiles {
  readonly html?: string;
  readonly annotate?: string;
}

/**
 * Refuses files that cannot be written, or that would replace a capture, before the long reading begins.
 * @throws UsageError, InputError
 */
export function checkOutputFiles({ html, annotate }: OutputFiles, captures: readonly string[]): void {
  if (annotate !== undefined && captures.includes('-')) {
    throw new UsageError(
      `--annotate reads ${captures.length === 1 ? 'the capture' : 'the captures'} a second time and cannot do so from standard input; save it to a file first`,
    );
  }
  if (html !== undefined) checkFile('--html', html, captures);
  if (annotate !== undefined) checkFile('--annotate', annotate, captures);
  if (html !== undefined && annotate !== undefined && resolve(html) === resolve(annotate)) {
    throw new UsageError(`--html and --annotate would both write ${html}; give one of them another name`);
  }
}

/**
 * Writes a file that appears under its name only when it is complete.
 * @throws InputError when it cannot be written.
 */
export function writeWhole(path: string, text: string): void {
  const isSpecial = statSync(path, { throwIfNoEntry: false })?.isFile() === false;
  const target = outputTarget(path);
  const partial = isSpecial ? path : `${target}.${process.pid}.partial`;
  try {
    writeFileSync(partial, text);
    if (!isSpecial) renameSync(partial, target);
  } catch (error) {
    if (!isSpecial) rmSync(partial, { force: true });
    throw isSystemError(error) ? notWritable(path, error) : error;
  }
}

function checkFile(option: string, path: string, captures: readonly string[]): void {
  if (path === '-' || path === '') throw new UsageError(`${option} takes the name of a file, and "${path}" is none`);
  const target = statSync(path, { throwIfNoEntry: false });
  if (target?.isDirectory()) throw notWritable(path, 'it is a directory');
  if (target !== undefined && isOneOf(captures, path)) {
    throw new UsageError(`${path} is one of the captures; give ${option} another name`);
  }
  if (target !== undefined && !target.isFile()) {
    if (option === '--annotate') throw notWritable(path, 'it is no ordinary file');
    return;
  }
  const folder = dirname(path);
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw notWritable(path, `there is no folder ${folder}`);
  }
  try {
    accessSync(folder, constants.W_OK);
  } catch (error) {
    throw notWritable(path, `folder ${folder}: ${systemReason(error as Error)}`);
  }
}

/** Whether the paths, or one of them, lead to the same file as another. */
export function isOneOf(paths: readonly string[], path: string): boolean {
  const wanted = statSync(path, { throwIfNoEntry: false });
  if (wanted === undefined) return false;
  return paths.some((other) => {
    const found = other === '-' ? undefined : statSync(other, { throwIfNoEntry: false });
    return found?.ino === wanted.ino && found.dev === wanted.dev;
  });
}

/** The error for a file that cannot be written, by a reason or what the system said. */
export function notWritable(path: string, why: string | Error): InputError {
  const reason = typeof why === 'string' ? why : systemReason(why);
  return new InputError({ code: 'not-writable', message: `${path} cannot be written: ${reason}.` });
}
