import { existsSync, lstatSync, realpathSync, type Stats } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { isSystemError, systemReason } from '../../host/system-error.ts';
import { InputError } from '../../model/errors.ts';

/** What the service runs. */
export interface Programs {
  /** Absolute path of Node. */
  readonly node: string;
  /** Absolute path of bin/synscope.js. */
  readonly program: string;
}

const HINT = 'Install Node and synscope for all users, owned by root: npm install --global synscope.';
/** The service sees nothing of these (ProtectHome). */
const HOMES = /^\/(?:home|root|run\/user)(?:\/|$)/;

/** The programs that run now. @throws InputError when they cannot be found. */
export function ownPrograms(): Programs {
  const [, script = ''] = process.argv;
  try {
    return { node: realpathSync(process.execPath), program: realpathSync(script) };
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new InputError({ code: 'not-found', message: `The program itself is not found: ${systemReason(error)}.` });
  }
}

/**
 * Checks that the service can read its programs, and that nobody but root can change them: whoever can, has the rights of the service.
 * @throws InputError with the first that is wrong.
 */
export function checkPrograms({ node, program }: Programs): void {
  const code = join(dirname(dirname(program)), 'dist', 'cli', 'main.cjs');
  for (const path of [node, program, ...(existsSync(code) ? [code] : [])]) {
    if (HOMES.test(path)) throw problem(path, 'lies in the home of a user, which a service cannot see');
    for (let at = path; ; at = dirname(at)) {
      const wrong = whatIsWrong(at, at === path);
      if (wrong !== undefined) throw problem(path, at === path ? wrong : `is in ${at}, which ${wrong}`);
      if (at === '/') break;
    }
  }
}

function whatIsWrong(path: string, isFile: boolean): string | undefined {
  let status: Stats;
  try {
    status = lstatSync(path);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return `cannot be looked at: ${systemReason(error)}`;
  }
  if (status.uid !== 0) return `belongs to user id ${status.uid}, not to root`;
  if ((status.mode & 0o002) !== 0) return 'everybody may change';
  if ((status.mode & 0o020) !== 0 && status.gid !== 0) return `group id ${status.gid} may change`;
  if ((status.mode & (isFile ? 0o004 : 0o001)) === 0) return 'other users may not read';
  return undefined;
}

function problem(path: string, what: string): InputError {
  return new InputError({ code: 'unsafe-program', message: `${path} ${what}.`, hint: HINT });
}
