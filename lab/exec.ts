import { spawn } from 'node:child_process';

/** What a command did. */
export interface Ran {
  /** Exit code; 127 when there is no such program. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command of the lab failed. */
export class LabError extends Error {
  override readonly name: string = 'LabError';
}

/** Filling a connection tracking table takes a minute on a busy machine. */
const LONGEST_COMMAND_MS = 180_000;

/** Runs a command to its end. Its exit code is data. */
export function run(argv: readonly string[], input = ''): Promise<Ran> {
  const [program = '', ...args] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { timeout: LONGEST_COMMAND_MS, killSignal: 'SIGKILL' });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') resolve({ code: 127, stdout: '', stderr: `${program}: no such program` });
      else reject(error);
    });
    child.on('close', (code, signal) => {
      resolve({ code: code ?? 128, stdout, stderr: signal === null ? stderr : `${stderr}ended by ${signal}` });
    });
    // A program that does not read its input closes it early.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}

/** Runs a command that must succeed. @throws LabError with what it wrote. */
export async function must(argv: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await run(argv, input);
  if (code !== 0) throw new LabError(`${argv.join(' ')}: ${(stderr || stdout).trim() || `exit code ${code}`}`);
  return stdout;
}

/** A command line that runs in a network namespace, with the file systems as they are (`ip netns exec` hides cgroups). */
export function inNamespace(namespace: string, argv: readonly string[]): string[] {
  return ['nsenter', `--net=/run/netns/${namespace}`, '--', ...argv];
}
