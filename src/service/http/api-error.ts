/** Status codes with which a request can fail. */
export type FailureStatus = 400 | 401 | 403 | 404 | 405 | 409 | 413 | 421 | 429 | 500 | 501 | 503;

/** Thrown for a request that cannot be answered; `docs/api.md` lists the codes. */
export class ApiError extends Error {
  override readonly name: string = 'ApiError';
  readonly status: FailureStatus;
  readonly code: string;
  readonly hint: string | undefined;
  /** When to come back, in seconds. */
  readonly retryAfter: number | undefined;

  constructor(
    status: FailureStatus,
    code: string,
    message: string,
    { hint, retryAfter }: { readonly hint?: string | undefined; readonly retryAfter?: number } = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.hint = hint;
    this.retryAfter = retryAfter;
  }
}
