import type { NotSeen } from '../../model/diagnosis.ts';

/** Why a history cannot be used. */
export type HistoryProblem = 'full' | 'in-use' | 'no-permission' | 'newer' | 'damaged' | 'failed';

/** Thrown when the history cannot be read or written; the message is one sentence that says what and why. */
export class HistoryError extends Error {
  override readonly name: string = 'HistoryError';
  readonly problem: HistoryProblem;
  readonly hint: string | undefined;

  constructor(problem: HistoryProblem, message: string, hint?: string, options?: ErrorOptions) {
    super(message, options);
    this.problem = problem;
    this.hint = hint;
  }
}

/** What a status says of an error. */
export function troubleOf({ message, hint }: HistoryError): NotSeen {
  return hint === undefined ? { reason: message } : { reason: message, hint };
}

/** Makes a {@link HistoryError} of whatever a file or DuckDB threw. */
export function historyError(error: unknown, path: string): HistoryError {
  if (error instanceof HistoryError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const cause = { cause: error };
  if (/No space left|ENOSPC|EDQUOT|quota exceeded|file size limit|EFBIG/i.test(text)) {
    return new HistoryError(
      'full',
      `there is no room on the disk to write the history ${path}`,
      'make room; nothing that was written before is lost, and writing goes on by itself',
      cause,
    );
  }
  if (/Could not set lock/i.test(text)) {
    return new HistoryError(
      'in-use',
      `the history ${path} is in use by another process`,
      'one process at a time can write it',
      cause,
    );
  }
  if (/Permission denied|EACCES|EPERM|Read-only file system|EROFS/i.test(text)) {
    return new HistoryError(
      'no-permission',
      `there is no permission to use the history ${path}`,
      'run it as the user of the watch, or with sudo',
      cause,
    );
  }
  if (isDamage(text)) return new HistoryError('damaged', `the history ${path} is damaged`, undefined, cause);
  return new HistoryError('failed', `the history ${path} cannot be used: ${firstLine(text)}`, undefined, cause);
}

/** Messages of DuckDB 1.5 about files that are cut, overwritten or no database at all. */
function isDamage(text: string): boolean {
  return /not a valid DuckDB database|Corrupt|checksum|Could not read enough bytes|Serialization Error|deseriali[sz]e|INTERNAL Error/i.test(
    text,
  );
}

function firstLine(text: string): string {
  const line = text.split('\n')[0] ?? '';
  return line.length > 300 ? `${line.slice(0, 300)}…` : line;
}
