/** Why the system refused something, without the names of error and call: `no such file or directory`. */
export function systemReason(error: Error): string {
  return /^E[A-Z0-9]+: (.+?)(?:, \w+(?: '.*')?)?$/s.exec(error.message)?.[1] ?? error.message;
}

/** Whether an error came from a system call. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}
