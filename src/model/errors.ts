/** What is known of an input that cannot be used. */
export interface InputProblem {
  /** Stable name, for scripts: `not-found`, `is-directory`, `no-permission`, ... */
  readonly code: string;
  /** One sentence: what cannot be used and why. */
  readonly message: string;
  /** What to do about it. */
  readonly hint?: string;
}

/** Thrown when what the user named cannot be used: a missing file, a directory, no permission. The command ends with exit code 2. */
export class InputError extends Error {
  override readonly name: string = 'InputError';
  readonly code: string;
  readonly hint: string | undefined;

  constructor(problem: InputProblem, options?: ErrorOptions) {
    super(problem.message, options);
    this.code = problem.code;
    this.hint = problem.hint;
  }
}
