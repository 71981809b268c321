import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

/** The folder of the checkout. */
export const root: string = fileURLToPath(new URL('..', import.meta.url));

/** What one run of the command line left. */
export interface CliRun {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command line from the sources, in the folder of the checkout. */
export function runCli(args: readonly string[], env: NodeJS.ProcessEnv = {}): CliRun {
  return run(process.execPath, [`${root}src/cli/main.ts`, ...args], root, env);
}

/** Runs a program to its end, for at most five minutes. */
export function run(program: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = {}): CliRun {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd,
    env: { ...process.env, NO_COLOR: '1', ...env },
    encoding: 'utf8',
    timeout: 300_000,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (error !== undefined) throw error;
  return { status, stdout, stderr };
}
