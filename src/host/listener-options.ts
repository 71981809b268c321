import { readdirSync, readlinkSync } from 'node:fs';
import {
  type DiagSocket,
  decodeDiagSocket,
  encodeDiagDump,
  SOCK_DIAG_BY_FAMILY,
  TCP_STATES,
} from '../formats/netlink/inet-diag.ts';
import { AF_INET } from '../formats/netlink/rtnetlink.ts';
import type { ListenerOptions } from './host.ts';
import { NETLINK_SOCK_DIAG, openNetlink } from './netlink-socket.ts';
import type { Enter } from './read-text.ts';
import { type SystemCalls, systemCalls } from './system.ts';
import { isSystemError } from './system-error.ts';

const SOL_SOCKET = 1;
const SO_REUSEPORT = 15;
const SO_GET_FILTER = 26;
const IPPROTO_IP = 0;
const IP_MINTTL = 21;
const IPPROTO_TCP = 6;
const TCP_DEFER_ACCEPT = 9;
const IPPROTO_IPV6 = 41;
const IPV6_MINHOPCOUNT = 73;
const INSTRUCTION_BYTES = 8;

/**
 * Asks the sockets that listen on a port for what the kernel tells only their own process, by a copy of their descriptors; peers of
 * TCP-MD5 by sock_diag. What may not be asked is absent.
 * @throws HostError where the kernel cannot be asked at all.
 */
export function readListenerOptions(port: number, enter: Enter): ReadonlyMap<number, ListenerOptions> {
  const listeners = new Map(listenersOf(port, enter).map((socket) => [socket.inode, socket]));
  const options = new Map<number, ListenerOptions>();
  const wanted = new Set(listeners.keys());
  const calls = systemCalls();
  for (const { pid, fd, inode } of descriptorsOf(wanted)) {
    const socket = listeners.get(inode);
    if (socket === undefined) continue;
    wanted.delete(inode);
    const found = ask(calls, pid, fd, socket.family === AF_INET ? 4 : 6);
    if (found !== undefined) options.set(inode, found);
  }
  for (const [inode, { md5Peers }] of listeners) {
    if (md5Peers.length === 0) continue;
    const peers = md5Peers.map(({ address, prefixLength }) => `${address}/${prefixLength}`);
    options.set(inode, { ...options.get(inode), md5Peers: peers });
  }
  return options;
}

function listenersOf(port: number, enter: Enter): readonly DiagSocket[] {
  const netlink = openNetlink(NETLINK_SOCK_DIAG, enter);
  try {
    return ([4, 6] as const)
      .flatMap((family) => netlink.dump(SOCK_DIAG_BY_FAMILY, encodeDiagDump(family, [TCP_STATES.listen])))
      .flatMap((message) => decodeDiagSocket(message) ?? [])
      .filter(({ local }) => local.port === port);
  } finally {
    netlink.close();
  }
}

/** Which process has which of the sockets, as long as any is wanted. */
function* descriptorsOf(wanted: ReadonlySet<number>): Generator<{ pid: number; fd: number; inode: number }> {
  for (const pid of namesIn('/proc').filter((name) => /^\d+$/.test(name))) {
    for (const fd of namesIn(`/proc/${pid}/fd`)) {
      if (wanted.size === 0) return;
      const inode = Number(/^socket:\[(\d+)\]$/.exec(linkAt(`/proc/${pid}/fd/${fd}`))?.[1]);
      if (wanted.has(inode)) yield { pid: Number(pid), fd: Number(fd), inode };
    }
  }
}

function ask(calls: SystemCalls, pid: number, number: number, family: 4 | 6): ListenerOptions | undefined {
  let fd: number;
  try {
    fd = calls.borrow(pid, number);
  } catch (error) {
    if (isSystemError(error)) return undefined;
    throw error;
  }
  try {
    const minTtl =
      family === 4 ? askNumber(calls, fd, IPPROTO_IP, IP_MINTTL) : askNumber(calls, fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT);
    const deferAcceptSeconds = askNumber(calls, fd, IPPROTO_TCP, TCP_DEFER_ACCEPT);
    return {
      ...(minTtl > 0 ? { minTtl } : {}),
      ...(deferAcceptSeconds > 0 ? { deferAcceptSeconds } : {}),
      ...(askNumber(calls, fd, SOL_SOCKET, SO_REUSEPORT) > 0 ? { reuseport: true } : {}),
      ...askFilter(calls, fd),
    };
  } finally {
    calls.close(fd);
  }
}

/** 0 where the kernel does not know the option. */
function askNumber(calls: SystemCalls, fd: number, level: number, option: number): number {
  const value = new Int32Array(1);
  try {
    calls.getsockopt(fd, level, option, new Uint8Array(value.buffer));
  } catch (error) {
    if (isSystemError(error)) return 0;
    throw error;
  }
  return value[0] as number;
}

/** The kernel counts a filter in instructions, also where it says how long it is (sk_get_filter()). */
function askFilter(calls: SystemCalls, fd: number): Pick<ListenerOptions, 'filter' | 'hasForeignFilter'> {
  try {
    const count = calls.getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, new Uint8Array(0));
    if (count === 0) return {};
    const program = Buffer.alloc(count * INSTRUCTION_BYTES);
    calls.getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, program);
    return { filter: program.toString('hex') };
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return error.code === 'EACCES' ? { hasForeignFilter: true } : {};
  }
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (isSystemError(error)) return [];
    throw error;
  }
}

function linkAt(path: string): string {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (isSystemError(error)) return '';
    throw error;
  }
}
