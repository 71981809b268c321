import { InputError } from '../model/errors.ts';
import { HostError, type HostErrorCode } from './host.ts';

/** An error on its way from another process or thread, where its class would get lost. */
export interface PassedFailure {
  readonly kind: 'host' | 'input' | 'bug';
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

/** An error as it can be passed on. */
export function failureOf(error: unknown): PassedFailure {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof HostError || error instanceof InputError) {
    const kind = error instanceof HostError ? 'host' : 'input';
    return { kind, code: error.code, message, ...(error.hint === undefined ? {} : { hint: error.hint }) };
  }
  return { kind: 'bug', code: 'bug', message: error instanceof Error ? (error.stack ?? message) : message };
}

/** The error that was passed on. */
export function errorOf({ kind, code, message, hint }: PassedFailure): Error {
  const more = hint === undefined ? {} : { hint };
  if (kind === 'input') return new InputError({ code, message, ...more });
  if (kind === 'host') return new HostError(code as HostErrorCode, message, more);
  return new Error(message);
}
