/** One option of a command, in commander's notation. */
export interface CommandOption {
  /** For example `-v, --verbose` or `--port <number>`. */
  readonly flags: string;
  readonly description: string;
  /** Turns the text of one occurrence into a value; throws `UsageError` for what cannot be used. */
  readonly parse?: (text: string, previous: unknown) => unknown;
  /** For a flag that counts: called with each occurrence. */
  readonly initial?: unknown;
}

/** A subcommand: what it is called, what it takes, and what it does. */
export interface Command {
  readonly name: string;
  /** For example `<capture...>`; empty when it takes options only. */
  readonly argument: string;
  readonly argumentDescription: string;
  readonly summary: string;
  /** Whole command lines with what they do. */
  readonly examples: readonly (readonly [command: string, what: string])[];
  readonly options: readonly CommandOption[];
  /** Returns the exit code of `product.md`: 0 nothing wrong, 1 a cause found, 2 wrong usage, 3 could not see enough. */
  run(args: readonly string[], options: Readonly<Record<string, unknown>>): Promise<number>;
}

/** Thrown for a command line that cannot be used; the message says what, why and what to do. */
export class UsageError extends Error {
  override readonly name: string = 'UsageError';
}

/** Exit codes, a contract with scripts. */
export const EXIT_NOTHING_WRONG = 0;
export const EXIT_CAUSE_FOUND = 1;
export const EXIT_USAGE = 2;
export const EXIT_UNDECIDED = 3;
export const EXIT_BUG = 70;
