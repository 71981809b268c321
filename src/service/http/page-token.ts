import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isSystemError, systemReason } from '../../host/system-error.ts';
import { InputError } from '../../model/errors.ts';

/** File in the state folder that holds the token of a page for which none is configured. */
const FILE = 'page-token';

/**
 * The token of the page in a state folder, readable by the user of the watch only; made when there is none.
 * @throws InputError when it can be neither read nor made
 */
export function pageToken(folder: string): { readonly token: string; readonly path: string } {
  const path = join(folder, FILE);
  try {
    const token = readFileSync(path, 'utf8').trim();
    if (token.length >= 16) return { token, path };
  } catch (error) {
    if (!isSystemError(error) || error.code !== 'ENOENT') throw unusable(path, error);
  }
  const token = randomBytes(32).toString('base64url');
  try {
    writeFileSync(path, `${token}\n`, { mode: 0o600 });
  } catch (error) {
    throw unusable(path, error);
  }
  return { token, path };
}

function unusable(path: string, error: unknown): InputError {
  const reason = isSystemError(error) ? systemReason(error) : String(error);
  return new InputError({
    code: 'not-writable',
    message: `The token of the page, ${path}, cannot be used: ${reason}.`,
  });
}
