import { createWriteStream, renameSync, rmSync } from 'node:fs';
import process from 'node:process';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { outputTarget } from '../host/output-target.ts';
import { isSystemError } from '../host/system-error.ts';
import { notWritable } from './output-files.ts';

/**
 * Writes a stream to a file that appears under its name only when it is complete.
 * @throws InputError when it cannot be written
 */
export async function saveStream(from: Readable, path: string): Promise<void> {
  const target = outputTarget(path);
  const partial = `${target}.${process.pid}.partial`;
  try {
    await pipeline(from, createWriteStream(partial));
    renameSync(partial, target);
  } catch (error) {
    rmSync(partial, { force: true });
    throw isSystemError(error) ? notWritable(path, error) : error;
  }
}
