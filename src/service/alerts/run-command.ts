import { spawn } from 'node:child_process';
import process from 'node:process';
import { AlertError } from './send-http.ts';

/** What a command says is kept up to here, for messages. */
const MAX_SAID = 2000;

/**
 * Runs a program with a text on its standard input; no shell takes part. It and what it started end after the timeout.
 * @throws AlertError when it cannot be started, fails or takes too long
 */
export function runAlertCommand(command: readonly string[], input: string, timeoutMs: number): Promise<void> {
  const [program = '', ...args] = command;
  return new Promise((resolve, reject) => {
    // Of its own group, so that its children can be ended with it; with nothing of the watch's environment but what programs need.
    const child = spawn(program, args, { stdio: ['pipe', 'ignore', 'pipe'], detached: true, env: environment() });
    let said = '';
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      if (child.pid !== undefined) killGroup(child.pid);
    }, timeoutMs);
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-MAX_SAID);
    });
    // A program need not read its input.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    child.once('error', (cause) => {
      clearTimeout(timer);
      reject(new AlertError(`${program} cannot be started: ${cause.message}`, false, undefined, { cause }));
    });
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      if (code === 0) return resolve();
      const last = said.trim().split('\n').at(-1) ?? '';
      const why = late ? `took more than ${timeoutMs} ms` : `ended with ${signal ?? code}`;
      reject(new AlertError(`${program} ${why}${last === '' ? '' : ` (${last})`}`, true));
    });
  });
}

function environment(): NodeJS.ProcessEnv {
  const { PATH, HOME, LANG, TZ } = process.env;
  return { PATH: PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin', HOME, LANG, TZ };
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
