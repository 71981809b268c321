import { lookup } from 'node:dns/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseAddress } from '../../src/formats/wire/address.ts';
import type { ConnectResult } from '../../src/model/facts/attempt.ts';
import { forbidConnecting } from './landlock.ts';
import { C, CallError, check, errnoName, lastErrno, onReady } from './libc.ts';
import { limitOpenFiles } from './listen.ts';
import { encodeSocketAddress, familyOf, localEndpoint } from './socket-address.ts';
import { bindToDevice, closeSocket, pendingError, setMd5Key, setOption } from './socket-options.ts';
import type { ConnectTask } from './tasks.ts';

const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0x800;
const MSG_DONTWAIT = 0x40;
const MSG_FASTOPEN = 0x2000_0000;
/** What {@link ConnectResult.errno} says when our own patience ended first. */
const OUT_OF_PATIENCE = 'TIMEDOUT-LOCAL';

/** Connects as told, one connection after the other, and holds what it has until the process ends. */
export async function connect(task: ConnectTask): Promise<ConnectResult[]> {
  if (task.landlock) forbidConnecting();
  if (task.openFiles !== undefined) limitOpenFiles(task.openFiles);
  const results: ConnectResult[] = [];
  for (let index = 0; index < task.count; index++) results.push(...(await connectByName(task)));
  return results;
}

/** Tries the addresses of a name in the resolver's order until one answers, as programs do that know nothing better. */
async function connectByName(task: ConnectTask): Promise<ConnectResult[]> {
  if (parseAddress(task.address.replace(/%.*/, '')) !== undefined) return [await connectOnce(task)];
  const startMs = performance.now();
  const results: ConnectResult[] = [];
  try {
    for (const { address } of await lookup(task.address, { all: true, order: 'verbatim' })) {
      results.push(await connectOnce({ ...task, address }));
      if (results.at(-1)?.errno === undefined) break;
    }
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).code ?? String(error);
    return [{ remote: { address: task.address, port: task.port }, errno, elapsedMs: performance.now() - startMs }];
  }
  return results;
}

async function connectOnce(task: ConnectTask): Promise<ConnectResult> {
  const remote = { address: task.address, port: task.port };
  const startMs = performance.now();
  let fd = -1;
  try {
    const family = familyOf(task.address);
    fd = check('socket', C.socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0));
    prepare(fd, family, task);
    const failed = await startAndWait(fd, task);
    const elapsedMs = performance.now() - startMs;
    const local = localEndpoint(fd);
    const result = { remote, ...(local === undefined ? {} : { local }), elapsedMs };
    if (failed !== undefined) {
      C.close(fd);
      return { ...result, errno: failed };
    }
    const seen = task.readMs > 0 ? { ...result, afterwards: await waitAndSee(fd, task) } : result;
    if (task.afterwards !== 'hold') closeSocket(fd, task.afterwards);
    return seen;
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    if (fd >= 0) C.close(fd);
    return { remote, errno: error.errno, elapsedMs: performance.now() - startMs };
  }
}

function prepare(fd: number, family: number, task: ConnectTask): void {
  for (const option of task.options) setOption(fd, option);
  if (task.device !== undefined) bindToDevice(fd, task.device);
  if (task.md5 !== undefined) setMd5Key(fd, family, task.md5);
  if (task.sourcePort !== undefined) setOption(fd, { level: 1, option: 2, value: 1 });
  if (task.sourceAddress === undefined && task.sourcePort === undefined) return;
  const any = task.address.includes(':') ? '::' : '0.0.0.0';
  const source = encodeSocketAddress(task.sourceAddress ?? any, task.sourcePort ?? 0);
  check('bind', C.bind(fd, source, source.length));
}

/** Starts to connect and waits for the end. @returns why it failed, or nothing. @throws CallError when it failed at once. */
async function startAndWait(fd: number, task: ConnectTask): Promise<string | undefined> {
  const address = encodeSocketAddress(task.address, task.port);
  const data = Buffer.from(task.send ?? '');
  const started = task.fastOpen
    ? Number(C.sendto(fd, data, data.length, MSG_FASTOPEN | MSG_DONTWAIT, address, address.length))
    : C.connect(fd, address, address.length);
  if (started < 0 && lastErrno() !== 'EINPROGRESS') throw new CallError('connect', lastErrno());
  const errno = await whenReady(fd, 'writable', task.patienceMs, () => pendingError(fd));
  if (errno === undefined) return OUT_OF_PATIENCE;
  if (errno !== 0) return errnoName(errno);
  // Without a cookie the SYN of a fast open carried no data.
  if (data.length > 0 && (!task.fastOpen || started < 0)) C.sendto(fd, data, data.length, MSG_DONTWAIT, null, 0);
  return undefined;
}

/** What happens within `readMs` after it connected. */
async function waitAndSee(fd: number, { readMs }: ConnectTask): Promise<NonNullable<ConnectResult['afterwards']>> {
  const bytes = Buffer.alloc(256);
  const seen = await whenReady(fd, 'readable', readMs, () => {
    const read = Number(C.recv(fd, bytes, bytes.length, MSG_DONTWAIT));
    if (read > 0) return 'data';
    return read === 0 ? 'closed' : lastErrno() === 'ECONNRESET' ? 'reset' : 'silent';
  });
  return seen ?? 'silent';
}

/** Waits until a descriptor is ready and asks it then; undefined when the time is over first. */
async function whenReady<T>(
  fd: number,
  what: 'readable' | 'writable',
  timeoutMs: number | undefined,
  ask: () => T,
): Promise<T | undefined> {
  const stop = new AbortController();
  const { promise, resolve } = Promise.withResolvers<T>();
  const ready = onReady(fd, what, () => resolve(ask()));
  const waits =
    timeoutMs === undefined ? [] : [sleep(timeoutMs, undefined, { signal: stop.signal }).catch(() => undefined)];
  try {
    return await Promise.race([promise, ...waits]);
  } finally {
    stop.abort();
    ready.close();
  }
}
