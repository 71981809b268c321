import { accessSync, constants as fileConstants } from 'node:fs';
import { constants } from 'node:os';
import { type Koffi, loadKoffi } from './load-koffi.ts';
import { errnoName } from './system.ts';

/** How a process ended: by itself, or by a signal. */
export type ProcessEnd = { readonly exitCode: number } | { readonly signal: string };

/** The system calls that start a process without copying this one first. */
export interface SpawnCalls {
  /**
   * posix_spawn(3) of the leader of a session of its own, with all signals as they are by default, in the namespaces of the calling thread.
   * @param stdio descriptors for standard input, output and error.
   * @returns its process id.
   */
  spawn(path: string, argv: readonly string[], environment: readonly string[], stdio: readonly number[]): number;
  /** pipe2(2): its two ends, neither of which is inherited. */
  pipe(): { readonly readEnd: number; readonly writeEnd: number };
  /** memfd_create(2). */
  memory(): number;
  /** pidfd_open(2): can be read when the process has ended. */
  processDescriptor(pid: number): number;
  /** waitpid(2) of a process that has ended; undefined when it has not. */
  reap(pid: number): ProcessEnd | undefined;
  /** poll(2) of one descriptor, while the process waits: false when nothing could be read for so long. */
  waitReadable(fd: number, timeoutMs: number): boolean;
}

const O_CLOEXEC = 0o2000000;
const MFD_CLOEXEC = 1;
const SYS_PIDFD_OPEN = 434;
const WNOHANG = 1;
const POLLIN = 1;
/** spawn.h: POSIX_SPAWN_SETSIGDEF, POSIX_SPAWN_SETSIGMASK, POSIX_SPAWN_SETSID. */
const SPAWN_FLAGS = 0x04 | 0x08 | 0x80;
/** More than any C library needs for its structures. */
const STRUCTURE_BYTES = 1024;

let calls: SpawnCalls | null | undefined;

/** Undefined where the library or the kernel has not what it takes. */
export function spawnCalls(): SpawnCalls | undefined {
  calls ??= load() ?? null;
  return calls ?? undefined;
}

function load(): SpawnCalls | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    const bound = bindCalls(loadKoffi());
    // Linux 5.3.
    const own = bound.processDescriptor(process.pid);
    closeQuietly(own);
    return bound;
  } catch {
    return undefined;
  }
}

let closeQuietly: (fd: number) => void = () => {};

function bindCalls(koffi: Koffi): SpawnCalls {
  const libc = koffi.load(null);
  const spawn = libc.func(
    'int posix_spawn(void *pid, const char *path, void *actions, void *attributes, const char **argv, const char **environment)',
  );
  const actionsInit = libc.func('int posix_spawn_file_actions_init(void *actions)');
  const actionsDup = libc.func('int posix_spawn_file_actions_adddup2(void *actions, int from, int to)');
  const actionsDestroy = libc.func('int posix_spawn_file_actions_destroy(void *actions)');
  const attributesInit = libc.func('int posix_spawnattr_init(void *attributes)');
  const setFlags = libc.func('int posix_spawnattr_setflags(void *attributes, short flags)');
  const setDefault = libc.func('int posix_spawnattr_setsigdefault(void *attributes, const void *signals)');
  const setMask = libc.func('int posix_spawnattr_setsigmask(void *attributes, const void *signals)');
  const pipe2 = libc.func('int pipe2(void *ends, int flags)');
  const memfd = libc.func('int memfd_create(const char *name, unsigned int flags)');
  const syscall = libc.func('long syscall(long number, long a, long b)');
  const waitpid = libc.func('int waitpid(int pid, void *status, int options)');
  const poll = libc.func('int poll(void *descriptors, unsigned long count, int timeout)');
  const close = libc.func('int close(int fd)');
  closeQuietly = (fd) => void close(fd);

  const checked = (name: string, result: number | bigint): number => {
    if (result < 0) throw failure(name, koffi.errno());
    return Number(result);
  };
  const attributes = new Uint8Array(STRUCTURE_BYTES);
  attributesInit(attributes);
  setFlags(attributes, SPAWN_FLAGS);
  setDefault(attributes, new Uint8Array(STRUCTURE_BYTES).fill(0xff));
  setMask(attributes, new Uint8Array(STRUCTURE_BYTES));
  return {
    spawn(path, argv, environment, stdio) {
      const actions = new Uint8Array(STRUCTURE_BYTES);
      actionsInit(actions);
      try {
        stdio.forEach((fd, target) => void actionsDup(actions, fd, target));
        const pid = new Int32Array(1);
        const errno: number = spawn(pid, path, actions, attributes, [...argv, null], [...environment, null]);
        if (errno !== 0) throw failure('posix_spawn', errno);
        return pid[0] as number;
      } finally {
        actionsDestroy(actions);
      }
    },
    pipe() {
      const ends = new Int32Array(2);
      checked('pipe2', pipe2(ends, O_CLOEXEC));
      return { readEnd: ends[0] as number, writeEnd: ends[1] as number };
    },
    memory: () => checked('memfd_create', memfd('synscope', MFD_CLOEXEC)),
    processDescriptor: (pid) => checked('pidfd_open', syscall(SYS_PIDFD_OPEN, pid, 0)),
    reap(pid) {
      const status = new Int32Array(1);
      if (checked('waitpid', waitpid(pid, status, WNOHANG)) === 0) return undefined;
      const value = status[0] as number;
      const signal = value & 0x7f;
      return signal === 0 ? { exitCode: (value >>> 8) & 0xff } : { signal: signalName(signal) };
    },
    waitReadable(fd, timeoutMs) {
      const descriptor = new Uint8Array(8);
      const view = new DataView(descriptor.buffer);
      view.setInt32(0, fd, true);
      view.setInt16(4, POLLIN, true);
      const deadline = performance.now() + timeoutMs;
      for (;;) {
        const left = Math.max(0, Math.ceil(deadline - performance.now()));
        const ready: number = poll(descriptor, 1, left);
        // A signal may cut it short.
        if (ready > 0 || left === 0) return ready > 0;
      }
    },
  };
}

/** Where a program is, as execvp(3) looks for it; undefined when it is nowhere. */
export function findProgram(name: string, path: string): string | undefined {
  if (name.includes('/')) return name;
  return path
    .split(':')
    .map((directory) => `${directory || '.'}/${name}`)
    .find((candidate) => {
      try {
        accessSync(candidate, fileConstants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

function signalName(number: number): string {
  return Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? `signal ${number}`;
}

function failure(syscall: string, errno: number): NodeJS.ErrnoException {
  const code = errnoName(errno);
  return Object.assign(new Error(`${syscall} ${code}`), { code, errno: -errno, syscall });
}
