import { closeSync, openSync } from 'node:fs';
import { InputError } from '../model/errors.ts';
import { HostError } from './host.ts';
import { hostFailure } from './host-failure.ts';
import { systemCalls } from './system.ts';
import { isSystemError, systemReason } from './system-error.ts';

/** sched.h: kinds of namespaces for setns(2). */
const KINDS = { net: 0x4000_0000, uts: 0x0400_0000 } as const;

/** A network namespace of this machine that is held open (and what else belongs to it). */
export interface NetworkNamespace {
  /**
   * Runs a function with this thread inside the namespace. It must not wait: whatever else ran on the thread meanwhile would be
   * in the namespace as well. Sockets, open files and processes that it starts stay there.
   * @throws HostError when the namespace cannot be entered.
   */
  enter<T>(run: () => T): T;
  close(): void;
}

/** A file that stands for a namespace. */
export interface NamespaceFile {
  readonly kind: keyof typeof KINDS;
  readonly path: string;
}

/**
 * The name that `ip netns` knows a namespace by, from what `--on netns:` takes: that name, or `/run/netns/NAME`.
 * @throws InputError when it is none of these.
 */
export function namespaceName(name: string): string {
  const bare = /^\/(?:var\/)?run\/netns\/([^/]+)$/.exec(name)?.[1] ?? name;
  if (bare === '' || bare === '.' || bare === '..' || /[/\0]/.test(bare) || Buffer.byteLength(bare) > 255) {
    throw new InputError({
      code: 'bad-host',
      message: `netns: takes a name that "ip netns list" shows, or pid:NUMBER, and "${name}" is neither.`,
    });
  }
  return bare;
}

/**
 * Opens the network namespace of a name.
 * @param name as {@link namespaceName} gives it.
 * @throws InputError when there is no such namespace.
 */
export function openNamespace(name: string): NetworkNamespace {
  try {
    return holdNamespaces(`network namespace ${name}`, [{ kind: 'net', path: `/run/netns/${name}` }]);
  } catch (error) {
    if (!isSystemError(error) || error.code !== 'ENOENT') throw cannotOpen(`Network namespace ${name}`, error);
    throw new InputError({
      code: 'not-found',
      message: `There is no network namespace ${name}.`,
      hint: 'See: ip netns list',
    });
  }
}

/**
 * Holds namespaces open, to be entered together.
 * @param what they are called in messages: `network namespace web`.
 * @throws NodeJS.ErrnoException when one cannot be opened.
 */
export function holdNamespaces(what: string, files: readonly NamespaceFile[]): NetworkNamespace {
  const calls = systemCalls();
  const held: { readonly kind: number; readonly own: number; readonly other: number }[] = [];
  let closed = false;
  const close = (): void => {
    // The numbers of the descriptors soon stand for other files, maybe for other namespaces: they must never be used again.
    if (closed) return;
    closed = true;
    for (const fd of held.flatMap(({ own, other }) => [own, other])) closeSync(fd);
  };
  try {
    for (const { kind, path } of files) {
      const own = openSync(`/proc/thread-self/ns/${kind}`, 'r');
      try {
        held.push({ kind: KINDS[kind], own, other: openSync(path, 'r') });
      } catch (error) {
        closeSync(own);
        throw error;
      }
    }
  } catch (error) {
    close();
    throw error;
  }
  const leave = (entered: typeof held): void => {
    try {
      for (const { kind, own } of entered) calls.setns(own, kind);
    } catch (cause) {
      // Whatever followed would be seen in the wrong namespace: nobody may take this for a question that failed.
      throw new Error(`cannot leave ${what}`, { cause });
    }
  };
  return {
    enter(run) {
      if (closed) throw new HostError('failed', `${what} was left: it is gone, or nobody asks it any more`);
      const entered: typeof held = [];
      try {
        for (const one of held) {
          calls.setns(one.other, one.kind);
          entered.push(one);
        }
      } catch (error) {
        leave(entered);
        throw enterFailure(what, error);
      }
      try {
        return run();
      } finally {
        leave(entered);
      }
    },
    close,
  };
}

/** Why a namespace cannot be opened; any error that is not of the system is handed back as it is. */
export function cannotOpen(what: string, error: unknown): unknown {
  if (!isSystemError(error)) return error;
  const denied = error.code === 'EACCES' || error.code === 'EPERM';
  return new InputError(
    {
      code: denied ? 'no-permission' : 'not-readable',
      message: `${what} cannot be opened: ${systemReason(error)}.`,
      ...(denied ? { hint: 'Run as root.' } : {}),
    },
    { cause: error },
  );
}

function enterFailure(what: string, error: unknown): unknown {
  const failure = hostFailure(error, `${what} cannot be entered`);
  return failure instanceof HostError && isSystemError(error) && error.code === 'EINVAL'
    ? new HostError('failed', `${what} is none`, { cause: error })
    : failure;
}
