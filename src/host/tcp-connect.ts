import { type ConnectOutcome, type ConnectRequest, HostError } from './host.ts';
import { hostFailure } from './host-failure.ts';
import type { Enter } from './read-text.ts';
import { AF_INET, AF_INET6, decodeSocketAddress, encodeSocketAddress, SOCKET_ADDRESS_BYTES } from './socket-address.ts';
import { errnoName, type SystemCalls, systemCalls } from './system.ts';
import { isSystemError } from './system-error.ts';

const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOL_SOCKET = 1;
const SO_ERROR = 4;
const IPPROTO_IP = 0;
const IP_TTL = 2;
const IPPROTO_IPV6 = 41;
const IPV6_UNICAST_HOPS = 16;
const MSG_PEEK = 2;
const MSG_DONTWAIT = 0x40;

type Afterwards = NonNullable<ConnectOutcome['afterwards']>;

/**
 * Opens a TCP connection from the network namespace that `enter` leads into, waits for what becomes of it, and closes it.
 * @param signal ends it before its time, as if the time were over.
 * @throws HostError when no socket can be made at all; what connect() itself answers is data.
 */
export async function connectTcp(request: ConnectRequest, enter: Enter, signal?: AbortSignal): Promise<ConnectOutcome> {
  const [address = '', scope] = request.address.split('%');
  const isV6 = address.includes(':');
  let calls: SystemCalls;
  let fd: number;
  let target: Uint8Array | undefined;
  try {
    calls = systemCalls();
    fd = enter(() => calls.socket(isV6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    const scopeIndex =
      scope === undefined ? 0 : /^\d+$/.test(scope) ? Number(scope) : enter(() => calls.interfaceIndex(scope));
    target = encodeSocketAddress(address, request.port, scopeIndex);
  } catch (error) {
    throw hostFailure(error, 'a connection cannot be opened');
  }
  try {
    if (target === undefined) throw new HostError('failed', `${request.address} is no address to connect to`);
    if (request.ttl !== undefined) {
      const value = new Uint8Array(Uint32Array.of(request.ttl).buffer);
      calls.setsockopt(fd, isV6 ? IPPROTO_IPV6 : IPPROTO_IP, isV6 ? IPV6_UNICAST_HOPS : IP_TTL, value);
    }
    return await attempt(calls, fd, target, request, signal);
  } finally {
    calls.close(fd);
  }
}

async function attempt(
  calls: SystemCalls,
  fd: number,
  target: Uint8Array,
  { timeoutMs, holdMs = 0, onLocal, onConnected }: ConnectRequest,
  signal: AbortSignal | undefined,
): Promise<ConnectOutcome> {
  const startedMs = performance.now();
  let errno = attemptErrno(() => calls.connect(fd, target));
  const local = ownAddress(calls, fd);
  if (local !== undefined) onLocal?.(local);
  if (errno === 'EINPROGRESS') {
    const isDecided = await becomesReady(calls, fd, 'writable', timeoutMs, () => true, signal);
    errno = isDecided === undefined ? 'TIMEDOUT-LOCAL' : pendingErrno(calls, fd);
  }
  const elapsedMs = performance.now() - startedMs;
  const outcome = { ...(local === undefined ? {} : { local }), elapsedMs };
  if (errno !== undefined) return { ...outcome, errno };
  onConnected?.();
  if (holdMs === 0) return outcome;
  const seen = await becomesReady(calls, fd, 'readable', holdMs, () => afterwards(calls, fd), signal);
  return { ...outcome, afterwards: seen ?? 'silent' };
}

/** Waits until `look` sees something; undefined when the time is over before that. */
function becomesReady<T>(
  calls: SystemCalls,
  fd: number,
  what: 'readable' | 'writable',
  timeoutMs: number,
  look: () => T | undefined,
  signal: AbortSignal | undefined,
): Promise<T | undefined> {
  return new Promise((resolve) => {
    const end = (seen: T | undefined): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', giveUp);
      watch.close();
      resolve(seen);
    };
    const giveUp = (): void => end(undefined);
    const timer = setTimeout(giveUp, timeoutMs);
    const watch = calls.watch(fd, what, () => {
      const seen = look();
      if (seen !== undefined) end(seen);
    });
    watch.resume();
    if (signal?.aborted === true) giveUp();
    else signal?.addEventListener('abort', giveUp, { once: true });
  });
}

function afterwards(calls: SystemCalls, fd: number): Afterwards | undefined {
  let count = 0;
  const errno = attemptErrno(() => {
    count = calls.recv(fd, new Uint8Array(1), MSG_PEEK | MSG_DONTWAIT);
  });
  if (errno === 'EAGAIN') return undefined;
  if (errno !== undefined) return 'reset';
  return count > 0 ? 'data' : 'closed';
}

function pendingErrno(calls: SystemCalls, fd: number): string | undefined {
  const value = new Uint32Array(1);
  calls.getsockopt(fd, SOL_SOCKET, SO_ERROR, new Uint8Array(value.buffer));
  const number = value[0] as number;
  return number === 0 ? undefined : errnoName(number);
}

function ownAddress(calls: SystemCalls, fd: number): ConnectOutcome['local'] {
  const address = new Uint8Array(SOCKET_ADDRESS_BYTES);
  calls.getsockname(fd, address);
  const local = decodeSocketAddress(address);
  return local === undefined || /^(0\.0\.0\.0|::)$/.test(local.address) ? undefined : local;
}

function attemptErrno(run: () => void): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return error.code ?? 'EIO';
  }
}
