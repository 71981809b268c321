import { chmodSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { isSystemError, systemReason } from '../../host/system-error.ts';
import { InputError } from '../../model/errors.ts';

const NAME = 'control.sock';
/** What systemd makes for the service; its group may enter. */
const SERVICE_FOLDER = '/run/synscope';

/** Where a watch puts its control socket: in the folder that systemd made for it, else in its state folder. */
export function controlSocketPath(stateFolder: string): string {
  const [runtime = ''] = (process.env.RUNTIME_DIRECTORY ?? '').split(':');
  return join(runtime === '' ? stateFolder : runtime, NAME);
}

/** The control socket in a state folder. */
export function controlSocketIn(folder: string): string {
  return join(folder, NAME);
}

/** Where the control socket of a watch may be, most likely first. */
export function controlSocketCandidates(stateFolder: string): readonly string[] {
  return [...new Set([join(stateFolder, NAME), join(SERVICE_FOLDER, NAME), join('/var/lib/synscope', NAME)])];
}

/**
 * Lets a server listen on a socket that only its user may open; in the folder of the service, its group as well. A socket that a watch left
 * behind that was killed is replaced.
 * @throws InputError when another watch listens there, or it cannot be made
 */
export async function listenOnSocket(server: Server, path: string): Promise<void> {
  if (await answers(path)) {
    throw new InputError({
      code: 'in-use',
      message: `Another synscope watch listens on ${path}.`,
      hint: 'End it, or set another state folder.',
    });
  }
  let folder: string | undefined;
  try {
    // Made where nobody else can reach it, and put in its place when only those may open it who shall.
    folder = mkdtempSync(join(dirname(path), '.c-'));
    const made = join(folder, 's');
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(made, resolve);
    });
    chmodSync(made, path.startsWith(`${SERVICE_FOLDER}/`) ? 0o660 : 0o600);
    renameSync(made, path);
    // Node would remove it where it was made.
    server.once('close', () => rmSync(path, { force: true }));
  } catch (error) {
    const reason = isSystemError(error) ? systemReason(error) : String(error);
    throw new InputError({ code: 'not-writable', message: `The control socket ${path} cannot be made: ${reason}.` });
  } finally {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
