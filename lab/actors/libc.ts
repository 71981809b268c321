import { createRequire } from 'node:module';
import { constants } from 'node:os';
import type Koffi from 'koffi';

// Not an import: the build would take the package apart to join it to the program.
const koffi = createRequire(import.meta.url)('koffi') as typeof Koffi;

/** The C library, of glibc or musl. */
const libc = loadLibc();

/** The calls of the C library that the actors use; a negative result means that it failed. */
export const C = {
  socket: libc.func('int socket(int domain, int type, int protocol)') as Call,
  close: libc.func('int close(int fd)') as Call,
  bind: libc.func('int bind(int fd, void *address, uint32_t length)') as Call,
  listen: libc.func('int listen(int fd, int backlog)') as Call,
  accept4: libc.func('int accept4(int fd, void *address, void *length, int flags)') as Call,
  connect: libc.func('int connect(int fd, void *address, uint32_t length)') as Call,
  getsockname: libc.func('int getsockname(int fd, void *address, void *length)') as Call,
  setsockopt: libc.func('int setsockopt(int fd, int level, int option, void *value, uint32_t length)') as Call,
  getsockopt: libc.func('int getsockopt(int fd, int level, int option, void *value, void *length)') as Call,
  recv: libc.func('int64_t recv(int fd, void *bytes, size_t length, int flags)') as Call,
  recvfrom: libc.func(
    'int64_t recvfrom(int fd, void *bytes, size_t length, int flags, void *address, void *addressLength)',
  ) as Call,
  sendto: libc.func(
    'int64_t sendto(int fd, void *bytes, size_t length, int flags, void *address, uint32_t addressLength)',
  ) as Call,
  ifNameToIndex: libc.func('uint32_t if_nametoindex(const char *name)') as Call,
  dup: libc.func('int dup(int fd)') as Call,
  open: libc.func('int open(const char *path, int flags)') as Call,
  prctl: libc.func('int prctl(int option, uint64_t a, uint64_t b, uint64_t c, uint64_t d)') as Call,
  prlimit: libc.func('int prlimit(int pid, int resource, void *limit, void *old)') as Call,
  syscall: libc.func('int64_t syscall(int64_t number, int64_t a, int64_t b, int64_t c, int64_t d)') as Call,
} as const;

type Call = (...args: readonly (number | bigint | string | Uint8Array | null)[]) => number;

/** A system call failed. */
export class CallError extends Error {
  override readonly name: string = 'CallError';
  /** Symbolic, for example `EADDRNOTAVAIL`. */
  readonly errno: string;

  constructor(call: string, errno: string) {
    super(`${call}: ${errno}`);
    this.errno = errno;
  }
}

const ERRNO_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.errno)
    .reverse()
    .map(([name, number]) => [number, name]),
);

/** The name of an error number: `ECONNREFUSED`. */
export function errnoName(number: number): string {
  return ERRNO_NAMES.get(number) ?? `errno ${number}`;
}

/** The name of the error of the last call. */
export function lastErrno(): string {
  return errnoName(koffi.errno());
}

/** Hands a result through. @throws CallError when it is negative. */
export function check(call: string, result: number | bigint): number {
  const number = Number(result);
  if (number < 0) throw new CallError(call, lastErrno());
  return number;
}

/** Where bytes lie in memory, for structures that point to others. They must be kept by the caller until the call is over. */
export function addressOf(bytes: Uint8Array): bigint {
  return koffi.address(bytes);
}

/** Calls back whenever a descriptor can be read (or written), until it is closed. */
export function onReady(fd: number, what: 'readable' | 'writable', call: () => void): { close(): void } {
  const handle = koffi.node.poll(fd, { [what]: true }, call);
  polled.add(handle);
  return {
    close() {
      polled.delete(handle);
      handle.close();
    },
  };
}

/** koffi ends the poll of a handle that is garbage. */
const polled = new Set<ReturnType<typeof koffi.node.poll>>();

function loadLibc(): ReturnType<typeof koffi.load> {
  try {
    return koffi.load('libc.so.6');
  } catch {
    return koffi.load('libc.so');
  }
}
