import { readdirSync } from 'node:fs';
import { C, check, lastErrno, onReady } from './libc.ts';
import { AF_INET6, encodeSocketAddress, familyOf } from './socket-address.ts';
import { attachDropFilter, bindToDevice, closeSocket, setMd5Key, setOption } from './socket-options.ts';
import type { ListenTask } from './tasks.ts';

const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0x800;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_REUSEPORT = 15;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const MSG_DONTWAIT = 0x40;
/** How long accept(2) rests after it failed, as with too many open files. */
const REST_MS = 100;
/** How long a server looks at a connection before it ends it: without, the client would hear of it before its connect() returns. */
const THINK_MS = 30;

/** Listens as told. What it accepts is held until the process ends, or the peer closes. @throws CallError */
export function listen(task: ListenTask): void {
  const family = familyOf(task.address);
  const fd = check('socket', C.socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0));
  setOption(fd, { level: SOL_SOCKET, option: SO_REUSEADDR, value: 1 });
  if (task.reusePort) setOption(fd, { level: SOL_SOCKET, option: SO_REUSEPORT, value: 1 });
  if (family === AF_INET6) setOption(fd, { level: IPPROTO_IPV6, option: IPV6_V6ONLY, value: task.v6only ? 1 : 0 });
  for (const option of task.options) setOption(fd, option);
  if (task.device !== undefined) bindToDevice(fd, task.device);
  if (task.md5 !== undefined) setMd5Key(fd, family, task.md5);
  if (task.dropFilter) attachDropFilter(fd);
  const address = encodeSocketAddress(task.address, task.port);
  check(`bind to ${task.address} port ${task.port}`, C.bind(fd, address, address.length));
  check('listen', C.listen(fd, task.backlog));
  if (task.openFiles !== undefined) limitOpenFiles(task.openFiles);
  if (task.accept !== 'never') acceptFrom(fd, task);
}

/** Leaves room for so many more open files, and for no others: RLIMIT_NOFILE bounds the numbers of descriptors. @throws CallError */
export function limitOpenFiles(more: number): void {
  const highest = Math.max(...readdirSync('/proc/self/fd').map(Number));
  // Holes below the highest number would be room as well.
  while (check('open', C.open('/dev/null', 0)) <= highest);
  const limit = Buffer.alloc(16);
  check('prlimit', C.prlimit(0, 7, null, limit));
  // The hard limit stays, as of programs that a service manager has started.
  limit.writeBigUInt64LE(BigInt(highest + 2 + more));
  check('prlimit', C.prlimit(0, 7, limit, null));
}

function acceptFrom(fd: number, task: ListenTask): void {
  let left = task.accept === 'always' ? Number.POSITIVE_INFINITY : Number(task.accept);
  const poll = (): void => {
    const ready = onReady(fd, 'readable', () => {
      while (left > 0) {
        const connection = C.accept4(fd, null, null, SOCK_NONBLOCK);
        if (connection < 0) {
          if (lastErrno() === 'EAGAIN') return;
          ready.close();
          setTimeout(poll, REST_MS);
          return;
        }
        left--;
        serve(connection, task.afterwards);
      }
      ready.close();
    });
  };
  if (left > 0) poll();
}

function serve(fd: number, afterwards: ListenTask['afterwards']): void {
  if (afterwards === 'close' || afterwards === 'reset') {
    setTimeout(() => closeSocket(fd, afterwards), THINK_MS);
    return;
  }
  const bytes = Buffer.alloc(4096);
  if (afterwards === 'greet') C.sendto(fd, Buffer.from('hello\r\n'), 7, MSG_DONTWAIT, null, 0);
  const ready = onReady(fd, 'readable', () => {
    const read = Number(C.recv(fd, bytes, bytes.length, MSG_DONTWAIT));
    if (read > 0 || (read < 0 && lastErrno() === 'EAGAIN')) return;
    ready.close();
    C.close(fd);
  });
}
