import { type CommandResult, type Host, HostError, type RunOptions } from '../../host/host.ts';
import type { Change } from '../../model/cause.ts';
import type { RepairStep } from '../../model/repair.ts';

/** What a kind of change must know besides the change. */
export interface PrepareContext {
  /** Identity of the repair; marks what it adds where nothing else would tell it from what was there before. */
  readonly id: string;
}

/** One kind of change: how its element is read, changed, and brought back. Each knows the dangers of its own. */
export interface Kind<C extends Change = Change> {
  readonly kind: C['kind'];
  /**
   * Reads what is there and says how the change is made and undone. Changes nothing.
   * @throws HostError when it cannot be made, or could not be undone exactly.
   */
  prepare(host: Host, change: C, context: PrepareContext): Promise<RepairStep>;
  /**
   * The state of the element that the change is about, as text that is equal for equal states: it tells whether a change was made
   * and whether it was undone. @throws HostError
   */
  read(host: Host, change: C): Promise<string>;
}

/** Declares a kind; the type of its changes follows from the name. */
export function defineKind<const K extends Change['kind']>(kind: Kind<Extract<Change, { kind: K }>>): Kind {
  return kind as unknown as Kind;
}

/** Runs a command that must succeed, and gives what it printed. @throws HostError with what the command said. */
export async function mustRun(host: Host, argv: readonly string[], options?: RunOptions): Promise<string> {
  const result = await host.run(argv, options);
  if (result.exitCode !== 0) throw commandFailure(argv, result);
  return result.stdout;
}

/** What a command printed, or nothing where it failed: the element that it was asked for is not there. */
export async function tryRun(host: Host, argv: readonly string[]): Promise<string> {
  const { exitCode, stdout } = await host.run(argv);
  return exitCode === 0 ? stdout : '';
}

/** What it means that a command failed. */
export function commandFailure(argv: readonly string[], { exitCode, stderr, stdout }: CommandResult): HostError {
  const said = (stderr.trim() || stdout.trim()).split('\n').at(0)?.slice(0, 200);
  const message = `"${argv.join(' ')}" failed: ${said || `exit code ${exitCode}`}`;
  return /not permitted|ermission denied/.test(said ?? '')
    ? new HostError('no-permission', message, { hint: 'run as root' })
    : new HostError('failed', message);
}

/** Thrown when a change cannot be made as it was meant. */
export function cannot(message: string, hint?: string): HostError {
  return new HostError('failed', message, hint === undefined ? {} : { hint });
}
