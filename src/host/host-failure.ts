import { HostError, type HostErrorCode } from './host.ts';
import { isSystemError, systemReason } from './system-error.ts';

const CODES: Readonly<Record<string, HostErrorCode>> = {
  ENOENT: 'not-found',
  ENOTDIR: 'not-found',
  ENODEV: 'not-found',
  ESRCH: 'not-found',
  EACCES: 'no-permission',
  EPERM: 'no-permission',
  ETIMEDOUT: 'timed-out',
};

/**
 * The error of a host for a failed system call; any other error is a bug and is handed back as it is.
 * @param doing what was tried, as the beginning of a sentence: `/proc/net/netstat cannot be read`.
 */
export function hostFailure(error: unknown, doing: string): unknown {
  if (!isSystemError(error) || error instanceof HostError) return error;
  const code = CODES[error.code ?? ''] ?? 'failed';
  return new HostError(code, `${doing}: ${systemReason(error)}`, {
    cause: error,
    ...(code === 'no-permission' && process.getuid?.() !== 0 ? { hint: 'run as root' } : {}),
  });
}
