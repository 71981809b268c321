/** What is known of bytes or text that cannot be read as the format they should have. */
export interface ParseProblem {
  /** Stable name, for scripts. */
  readonly code: string;
  /** The format that was expected, for example `pcapng`. */
  readonly format: string;
  /** Offset in bytes of the place that could not be read. */
  readonly offset: number;
  /** One or two sentences: what, why, what to do. */
  readonly message: string;
}

/** Thrown when the framing of a file is so bad that nothing of it can be used. Bad bytes within a packet are data instead. */
export class ParseError extends Error {
  override readonly name: string = 'ParseError';
  readonly code: string;
  readonly format: string;
  /** Offset in bytes of the place that could not be read. */
  readonly offset: number;

  constructor(problem: ParseProblem) {
    super(problem.message);
    this.code = problem.code;
    this.format = problem.format;
    this.offset = problem.offset;
  }
}
