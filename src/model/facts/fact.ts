/** Why something could not be read. */
export type UnavailableCode =
  | 'no-permission'
  | 'not-supported'
  | 'not-found'
  | 'timed-out'
  | 'malformed'
  | 'not-recorded';

/** A fact that could not be had: a value like any other, never an exception. */
export interface Unavailable {
  readonly unavailable: UnavailableCode;
  /** What could not be read and why, as the end of "not seen: ...". */
  readonly reason: string;
  /** What would make it available, for example "run as root". */
  readonly hint?: string;
}

/** A parsed value with its provenance, or why there is none. */
export type Fact<T> = { readonly value: T; readonly source: string } | Unavailable;

/** Whether a fact could not be had. */
export function isUnavailable<T>(fact: Fact<T>): fact is Unavailable {
  return 'unavailable' in fact;
}
