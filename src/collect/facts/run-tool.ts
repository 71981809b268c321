import { type CommandResult, type Host, HostError, type RunOptions } from '../../host/host.ts';

/** Packages that the programs come from, for a hint. */
const PACKAGES: Readonly<Record<string, string>> = { ip: 'iproute2', tc: 'iproute2', bpftool: 'bpftool' };
/** Output of one listing that is kept, in bytes: some hundred thousand routes. */
const MAX_BYTES = 32 * 1024 * 1024;

/**
 * Runs a program that lists something, and gives what it printed.
 * @throws HostError when it is not there, may not look, does not know the question, or printed too much.
 */
export async function listWith(host: Host, argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const result = await runTool(host, argv, options);
  if (result.exitCode !== 0) throw toolError(argv, result);
  return result.stdout;
}

/** Runs a program; its exit code is data. @throws HostError `not-found`, with the package to install. */
export async function runTool(host: Host, argv: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
  try {
    return await host.run(argv, { maxBytes: MAX_BYTES, ...options });
  } catch (error) {
    const missing = PACKAGES[argv[0] ?? ''];
    if (!(error instanceof HostError) || error.code !== 'not-found' || missing === undefined) throw error;
    throw new HostError('not-found', `${argv[0]} is not installed`, { cause: error, hint: `install ${missing}` });
  }
}

/** What it means that a program failed. */
export function toolError(argv: readonly string[], { stdout, stderr, exitCode }: CommandResult): HostError {
  const command = argv.join(' ');
  const printed = stderr.trim() || stdout.trim();
  // bpftool wraps its errors in JSON.
  const message = /"error":"([^"]+)"/.exec(printed)?.[1] ?? printed.split('\n')[0];
  const said = message?.slice(0, 200) || `exit code ${exitCode}`;
  if (/not permitted|[Pp]ermission denied/.test(said)) {
    return new HostError('no-permission', `"${command}" may not look: ${said}`, { hint: 'run as root' });
  }
  if (/Option .* is unknown|invalid option|unrecognized option/.test(said)) {
    return new HostError('failed', `${argv[0]} is too old for "${command}": ${said}`, {
      hint: `install a newer ${PACKAGES[argv[0] ?? ''] ?? argv[0]}`,
    });
  }
  return new HostError('failed', `"${command}" failed: ${said}`);
}

/** An answer that is not what the program should have printed: an old version without JSON, or an output that was cut. */
export function unreadable(argv: readonly string[]): HostError {
  return new HostError('failed', `what "${argv.join(' ')}" printed cannot be read`, {
    hint: `install a newer ${PACKAGES[argv[0] ?? ''] ?? argv[0]}`,
  });
}
