import { close as closeInThread, constants as fileConstants } from 'node:fs';
import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';
import type { node } from 'koffi';
import { HostError } from './host.ts';
import { type Koffi, loadKoffi } from './load-koffi.ts';

/** A file descriptor that tells when it can be read or written. */
export interface DescriptorWatch {
  /** Calls back as long as the descriptor is ready, again and again, until {@link pause}. */
  resume(): void;
  pause(): void;
  close(): void;
}

/**
 * The system calls that Node does not offer. Structures are Buffers in the byte order of the machine (little endian on all machines
 * that are supported). Sockets must never wait: a call that blocks, blocks the whole process.
 *
 * Each throws a `NodeJS.ErrnoException` with `code` and `syscall` when the kernel refuses, as the functions of `node:fs` do.
 */
export interface SystemCalls {
  /** setns(2): moves the calling thread into a namespace. */
  setns(fd: number, kind: number): void;
  /** socket(2). */
  socket(domain: number, type: number, protocol: number): number;
  /** bind(2). */
  bind(fd: number, address: Uint8Array): void;
  /** connect(2), of a socket that does not wait (`EINPROGRESS`). */
  connect(fd: number, address: Uint8Array): void;
  /** getsockname(2): fills `address`. */
  getsockname(fd: number, address: Uint8Array): void;
  /** if_nametoindex(3), in the namespace of the thread; 0 when there is no such interface. */
  interfaceIndex(name: string): number;
  /** setsockopt(2). */
  setsockopt(fd: number, level: number, option: number, value: Uint8Array): void;
  /** setsockopt(2) that takes the kernel a while, in another thread. */
  setsockoptSlowly(fd: number, level: number, option: number, value: Uint8Array): Promise<void>;
  /** getsockopt(2): fills `value` and returns how many bytes of it are used. */
  getsockopt(fd: number, level: number, option: number, value: Uint8Array): number;
  /** recv(2): returns how many bytes came. */
  recv(fd: number, buffer: Uint8Array, flags: number): number;
  /**
   * recvfrom(2) with MSG_TRUNC, without waiting: fills `address`, and returns how long what came was before it was cut to the buffer; undefined
   * when there is nothing.
   */
  receive(fd: number, buffer: Uint8Array, address: Uint8Array): number | undefined;
  /** sendto(2): returns how many bytes went. */
  sendto(fd: number, bytes: Uint8Array, flags: number, address?: Uint8Array): number;
  /** listen(2). */
  listen(fd: number, backlog: number): void;
  /** accept4(2) of a socket that does not wait: undefined when nobody waits to be accepted. */
  accept(fd: number): number | undefined;
  /** ioctl(2) with a structure, which the kernel may fill. */
  ioctl(fd: number, request: number, value: Uint8Array): void;
  /** read(2) of a descriptor that does not wait: 0 when there is nothing. Does not throw: it is called very often. */
  readReady(fd: number, buffer: Uint8Array): number;
  /** write(2) of something that is taken whole or not at all, as a frame is; false when it was not. */
  writeWhole(fd: number, bytes: Uint8Array): boolean;
  /** A copy of a descriptor of another process: pidfd_open(2), pidfd_getfd(2). */
  borrow(pid: number, fd: number): number;
  /** Has the kernel kill this process when the one that started it is gone: prctl(2), PR_SET_PDEATHSIG. */
  dieWithParent(): void;
  /**
   * openat2(2), for reading, without waiting: opens a file below a directory that is taken for the root, so that no symbolic link leads out
   * of it.
   */
  openInRoot(root: number, path: string): number;
  /** close(2). */
  close(fd: number): void;
  /** close(2) of a descriptor whose end takes the kernel a while, in another thread. */
  closeSlowly(fd: number): void;
  /** mmap(2) of a whole descriptor, shared, for reading and writing. Nobody may touch the memory after `unmap`. */
  map(fd: number, lengthBytes: number): { readonly memory: ArrayBuffer; unmap(): void };
  /**
   * madvise(2) with MADV_DONTFORK: processes that are started do not get this memory. It only saves time, so that a kernel that
   * refuses is no error.
   */
  keepFromChildren(memory: ArrayBuffer): void;
  /** madvise(2) with MADV_HUGEPAGE: pages of 2 MiB where the kernel has some. It only saves time, as above. */
  preferHugePages(memory: Uint8Array): void;
  /** madvise(2) with MADV_DOFORK: takes that back. */
  shareWithChildren(memory: ArrayBuffer): void;
  /** Address of the first byte of a buffer, for pointers inside structures; the buffer must live as long as the pointer. */
  addressOf(bytes: Uint8Array): bigint;
  /** Watches a descriptor by the event loop; begins paused. */
  watch(fd: number, what: 'readable' | 'writable', onReady: () => void): DescriptorWatch;
}

let calls: SystemCalls | undefined;

/**
 * The system calls of this machine. The library behind them is loaded by the first call of this function.
 * @throws HostError where they cannot be had: another system than Linux, or a platform without the library.
 */
export function systemCalls(): SystemCalls {
  calls ??= load();
  return calls;
}

/**
 * Keeps memory from the processes that are started from now on: Node starts each as a copy of this process, which takes
 * milliseconds for every few megabytes. Does nothing where the system calls were not loaded, or the memory may be part of a heap that others
 * use as well (what malloc() maps by itself is never smaller, see M_MMAP_THRESHOLD in mallopt(3)).
 * @returns gives it back, which must be done before the memory is let go: malloc() may have taken even large memory from its heap, where
 * a part of it becomes something else, which a process that is started needs.
 */
export function keepFromChildren(memory: ArrayBuffer): () => void {
  if (memory.byteLength <= LARGEST_MMAP_THRESHOLD) return () => {};
  calls?.keepFromChildren(memory);
  return () => calls?.shareWithChildren(memory);
}

/**
 * Asks for large pages for memory that is about to be used all over: with those of 4 KiB, the processor mostly has to look up first where a
 * page is. Does nothing where the system calls cannot be had.
 */
export function preferHugePages(memory: Uint8Array): void {
  try {
    systemCalls().preferHugePages(memory);
  } catch {
    // It only saves time.
  }
}

function load(): SystemCalls {
  if (process.platform !== 'linux') {
    throw new HostError(
      'failed',
      `packets and namespaces of ${process.platform} cannot be reached, only those of Linux`,
      {
        hint: 'run synscope on Linux, or look at a Linux machine with --on ssh:HOST',
      },
    );
  }
  let koffi: Koffi;
  try {
    koffi = loadKoffi();
  } catch (cause) {
    throw new HostError('failed', `the package koffi, through which system calls go, cannot be loaded here`, {
      cause,
      hint: 'install synscope with its optional packages (npm without --omit=optional), on a platform that koffi knows',
    });
  }
  return bindCalls(koffi);
}

function bindCalls(koffi: Koffi): SystemCalls {
  // The process itself has the C library, whichever it is.
  const libc = koffi.load(null);
  const setns = libc.func('int setns(int fd, int kind)');
  const socket = libc.func('int socket(int domain, int type, int protocol)');
  const bind = libc.func('int bind(int fd, const void *address, uint32_t length)');
  const connect = libc.func('int connect(int fd, const void *address, uint32_t length)');
  const getsockname = libc.func('int getsockname(int fd, void *address, void *length)');
  const nameToIndex = libc.func('uint32_t if_nametoindex(const char *name)');
  const setsockopt = libc.func('int setsockopt(int fd, int level, int option, const void *value, uint32_t length)');
  const getsockopt = libc.func('int getsockopt(int fd, int level, int option, void *value, void *length)');
  const recv = libc.func('intptr_t recv(int fd, void *buffer, size_t length, int flags)');
  const recvfrom = libc.func(
    'intptr_t recvfrom(int fd, void *buffer, size_t length, int flags, void *address, void *addressLength)',
  );
  const sendto = libc.func(
    'intptr_t sendto(int fd, const void *bytes, size_t length, int flags, const void *address, uint32_t addressLength)',
  );
  const listen = libc.func('int listen(int fd, int backlog)');
  const accept = libc.func('int accept4(int fd, void *address, void *length, int flags)');
  const ioctl = libc.func('int ioctl(int fd, unsigned long request, void *value)');
  const read = libc.func('intptr_t read(int fd, void *buffer, size_t length)');
  const write = libc.func('intptr_t write(int fd, const void *bytes, size_t length)');
  const prctl = libc.func('int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)');
  const openat2 = libc.func('long syscall(long number, int root, const char *path, const void *how, size_t length)');
  const syscall = libc.func('long syscall(long number, long a, long b, long c)');
  const close = libc.func('int close(int fd)');
  const mmap = libc.func('void *mmap(void *at, size_t length, int access, int flags, int fd, long offset)');
  const madvise = libc.func('int madvise(void *at, size_t length, int advice)');
  const munmap = libc.func('int munmap(void *at, size_t length)');

  const checked = (syscall: string, result: number | bigint): number => {
    if (result < 0) throw systemError(syscall, koffi.errno());
    return Number(result);
  };
  const advise = (memory: Uint8Array, advice: number): void => {
    const start = koffi.address(memory);
    const first = (start + PAGE_BYTES - 1n) & -PAGE_BYTES;
    const end = (start + BigInt(memory.byteLength)) & -PAGE_BYTES;
    if (end > first) madvise(first, Number(end - first), advice);
  };
  return {
    setns(fd, kind) {
      checked('setns', setns(fd, kind));
    },
    socket: (domain, type, protocol) => checked('socket', socket(domain, type | SOCK_CLOEXEC, protocol)),
    bind(fd, address) {
      checked('bind', bind(fd, address, address.length));
    },
    connect(fd, address) {
      checked('connect', connect(fd, address, address.length));
    },
    getsockname(fd, address) {
      checked('getsockname', getsockname(fd, address, Uint32Array.of(address.length)));
    },
    interfaceIndex: (name) => nameToIndex(name) as number,
    setsockopt(fd, level, option, value) {
      checked('setsockopt', setsockopt(fd, level, option, value, value.length));
    },
    setsockoptSlowly: (fd, level, option, value) =>
      new Promise((resolve, reject) => {
        setsockopt.async(fd, level, option, value, value.length, (failure: unknown, result: number) => {
          if (failure === null && result === 0) resolve();
          // The error of another thread is not known here; asking again gives it.
          else
            attempt(() => checked('setsockopt', setsockopt(fd, level, option, value, value.length)), resolve, reject);
        });
      }),
    getsockopt(fd, level, option, value) {
      const length = Uint32Array.of(value.length);
      checked('getsockopt', getsockopt(fd, level, option, value, length));
      return length[0] as number;
    },
    recv: (fd, buffer, flags) => checked('recv', recv(fd, buffer, buffer.length, flags)),
    receive(fd, buffer, address) {
      const room = Uint32Array.of(address.length);
      const length = recvfrom(fd, buffer, buffer.length, MSG_DONTWAIT | MSG_TRUNC, address, room);
      return length < 0 ? undefined : Number(length);
    },
    sendto: (fd, bytes, flags, address) =>
      checked('sendto', sendto(fd, bytes, bytes.length, flags, address ?? null, address?.length ?? 0)),
    listen(fd, backlog) {
      checked('listen', listen(fd, backlog));
    },
    accept(fd) {
      const accepted = accept(fd, null, null, SOCK_CLOEXEC) as number;
      if (accepted >= 0) return accepted;
      const errno = koffi.errno();
      if (errno === constants.errno.EAGAIN) return undefined;
      throw systemError('accept4', errno);
    },
    ioctl(fd, request, value) {
      checked('ioctl', ioctl(fd, request, value));
    },
    readReady: (fd, buffer) => Math.max(0, Number(read(fd, buffer, buffer.length))),
    writeWhole: (fd, bytes) => Number(write(fd, bytes, bytes.length)) === bytes.length,
    borrow(pid, fd) {
      const process = checked('pidfd_open', syscall(SYS_PIDFD_OPEN, pid, 0, 0));
      try {
        return checked('pidfd_getfd', syscall(SYS_PIDFD_GETFD, process, fd, 0));
      } finally {
        close(process);
      }
    },
    dieWithParent() {
      checked('prctl', prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0));
    },
    openInRoot(root, path) {
      const flags = fileConstants.O_NONBLOCK | fileConstants.O_NOCTTY | SOCK_CLOEXEC;
      const how = BigUint64Array.of(BigInt(flags), 0n, RESOLVE_IN_ROOT_WITHOUT_MAGIC_LINKS);
      return checked('openat2', openat2(SYS_OPENAT2, root, path, how, how.byteLength));
    },
    close(fd) {
      checked('close', close(fd));
    },
    closeSlowly(fd) {
      closeInThread(fd, () => {});
    },
    map(fd, lengthBytes) {
      const at = mmap(null, lengthBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) as bigint;
      if (BigInt.asIntN(64, BigInt(at)) === -1n) throw systemError('mmap', koffi.errno());
      return {
        memory: koffi.view(at, lengthBytes),
        unmap: () => {
          munmap(at, lengthBytes);
        },
      };
    },
    keepFromChildren: (memory) => advise(new Uint8Array(memory), MADV_DONTFORK),
    shareWithChildren: (memory) => advise(new Uint8Array(memory), MADV_DOFORK),
    preferHugePages: (memory) => advise(memory, MADV_HUGEPAGE),
    addressOf: (bytes) => koffi.address(bytes),
    watch: (fd, what, onReady) => watchWith(koffi.node, fd, { [what]: true }, onReady),
  };
}

function attempt(run: () => void, resolve: () => void, reject: (error: unknown) => void): void {
  try {
    run();
    resolve();
  } catch (error) {
    reject(error);
  }
}

function watchWith(
  loop: typeof node,
  fd: number,
  events: { readonly readable?: boolean; readonly writable?: boolean },
  onReady: () => void,
): DescriptorWatch {
  const handle = loop.poll(fd, events, onReady);
  handle.stop();
  return {
    resume: () => handle.start(events, onReady),
    pause: () => handle.stop(),
    close() {
      handle.stop();
      handle.close();
    },
  };
}

/** The name of an error of the kernel, by its number: `ECONNREFUSED`. */
export function errnoName(errno: number): string {
  names ??= new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));
  // EAGAIN has two names, and Node does not know the others.
  return { 11: 'EAGAIN', 64: 'ENONET', 112: 'EHOSTDOWN' }[errno] ?? names.get(errno) ?? `E${errno}`;
}

let names: ReadonlyMap<number, string> | undefined;

function systemError(syscall: string, errno: number): NodeJS.ErrnoException {
  const code = errnoName(errno);
  const message = getSystemErrorMap().get(-errno)?.[1] ?? 'system error';
  return Object.assign(new Error(`${code}: ${message}, ${syscall}`), { code, errno: -errno, syscall });
}

/** linux/socket.h. */
const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
const SOCK_CLOEXEC = 0o2000000;
/** The same number on all machines; linux/openat2.h. */
const SYS_OPENAT2 = 437;
const RESOLVE_IN_ROOT_WITHOUT_MAGIC_LINKS = 0x12n;
/** The same number on all machines (asm-generic/unistd.h). */
const SYS_PIDFD_OPEN = 434;
const SYS_PIDFD_GETFD = 438;
const PR_SET_PDEATHSIG = 1;
const SIGKILL = 9;
const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;
const MADV_DONTFORK = 10;
const MADV_DOFORK = 11;
const MADV_HUGEPAGE = 14;
/** DEFAULT_MMAP_THRESHOLD_MAX of glibc on 64-bit machines. */
const LARGEST_MMAP_THRESHOLD = 32 * 1024 * 1024;
/** A page of whatever size the kernel has lies within whole pages of the largest. */
const PAGE_BYTES = 65_536n;
