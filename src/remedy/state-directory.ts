import { mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { isSystemError, systemReason } from '../host/system-error.ts';
import { InputError } from '../model/errors.ts';

/**
 * The directory in which synscope keeps what must outlive it: `/var/lib/synscope` of root, `$XDG_STATE_HOME/synscope` of others
 * (XDG Base Directory Specification 0.8); `SYNSCOPE_STATE_DIR` names another one. Nobody else may look into it.
 */
export function stateDirectory(): string {
  const { SYNSCOPE_STATE_DIR: own = '', XDG_STATE_HOME: xdg = '' } = process.env;
  if (own !== '') return own;
  if (process.getuid?.() === 0) return '/var/lib/synscope';
  return join(xdg.startsWith('/') ? xdg : join(homedir(), '.local', 'state'), 'synscope');
}

/** Makes the directory. @throws InputError when it cannot be made. */
export function makeStateDirectory(path: string = stateDirectory()): string {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return path;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new InputError({
      code: 'not-writable',
      message: `The state directory ${path} cannot be made: ${systemReason(error)}.`,
      hint: 'SYNSCOPE_STATE_DIR names another one.',
    });
  }
}
