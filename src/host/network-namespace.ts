import { closeSync, openSync } from 'node:fs';
import { InputError } from '../model/errors.ts';
import { HostError } from './host.ts';
import { hostFailure } from './host-failure.ts';
import { systemCalls } from './system.ts';
import { isSystemError, systemReason } from './system-error.ts';

/** sched.h: the kind of namespace for setns(2). */
const CLONE_NEWNET = 0x4000_0000;

/** A network namespace of this machine that is held open. */
export interface NetworkNamespace {
  /**
   * Runs a function with this thread inside the namespace. It must not wait: whatever else ran on the thread meanwhile would be
   * in the namespace as well. Sockets, open files and processes that it starts stay there.
   * @throws HostError when the namespace cannot be entered.
   */
  enter<T>(run: () => T): T;
  close(): void;
}

/**
 * Path of what `--on netns:` names: a name that `ip netns` knows, `/run/netns/NAME`, or `pid:1234` for the one of a process.
 * @throws InputError when it is none of these.
 */
function namespacePath(name: string): string {
  const pid = /^pid:([1-9]\d{0,9})$/.exec(name)?.[1];
  if (pid !== undefined) return `/proc/${pid}/ns/net`;
  const bare = /^\/(?:var\/)?run\/netns\/([^/]+)$/.exec(name)?.[1] ?? name;
  if (bare === '' || bare === '.' || bare === '..' || /[/\0]/.test(bare) || Buffer.byteLength(bare) > 255) {
    throw new InputError({
      code: 'bad-host',
      message: `netns: takes a name that "ip netns list" shows, or pid:NUMBER, and "${name}" is neither.`,
    });
  }
  return `/run/netns/${bare}`;
}

/**
 * Opens a network namespace.
 * @param name as {@link namespacePath} takes it.
 * @throws InputError when there is no such namespace.
 */
export function openNamespace(name: string): NetworkNamespace {
  const path = namespacePath(name);
  const calls = systemCalls();
  const own = openSync('/proc/thread-self/ns/net', 'r');
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    closeSync(own);
    throw isSystemError(error) ? cannotOpen(name, path, error) : error;
  }
  const leave = (): void => {
    try {
      calls.setns(own, CLONE_NEWNET);
    } catch (cause) {
      // Whatever followed would be seen in the wrong namespace: nobody may take this for a question that failed.
      throw new Error(`cannot leave network namespace ${name}`, { cause });
    }
  };
  return {
    enter(run) {
      try {
        calls.setns(fd, CLONE_NEWNET);
      } catch (error) {
        throw enterFailure(name, error);
      }
      try {
        return run();
      } finally {
        leave();
      }
    },
    close() {
      closeSync(fd);
      closeSync(own);
    },
  };
}

function cannotOpen(name: string, path: string, error: NodeJS.ErrnoException): InputError {
  const isProcess = path.startsWith('/proc/');
  if (error.code === 'ENOENT') {
    return new InputError({
      code: 'not-found',
      message: isProcess ? `There is no process ${name.slice(4)}.` : `There is no network namespace ${name}.`,
      ...(isProcess ? {} : { hint: 'See: ip netns list' }),
    });
  }
  const denied = error.code === 'EACCES' || error.code === 'EPERM';
  return new InputError({
    code: denied ? 'no-permission' : 'not-readable',
    message: `Network namespace ${name} cannot be opened: ${systemReason(error)}.`,
    ...(denied ? { hint: 'Run as root.' } : {}),
  });
}

function enterFailure(name: string, error: unknown): unknown {
  const failure = hostFailure(error, `network namespace ${name} cannot be entered`);
  return failure instanceof HostError && isSystemError(error) && error.code === 'EINVAL'
    ? new HostError('failed', `${name} is no network namespace`, { cause: error })
    : failure;
}
