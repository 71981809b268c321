import type { SystemCalls } from '../host/system.ts';
import { isSystemError } from '../host/system-error.ts';
import { bytesOf } from './frames.ts';
import type { SocketState } from './state.ts';

const SOL_SOCKET = 1;
const IPPROTO_IP = 0;
const IPPROTO_TCP = 6;
const IPPROTO_IPV6 = 41;

/** Level and name of the options that are single numbers (asm-generic/socket.h, linux/in.h, linux/in6.h, linux/tcp.h). */
const NUMBERS: Readonly<Record<NumberOption, readonly [level: number, option: number]>> = {
  reuseAddress: [SOL_SOCKET, 2],
  reusePort: [SOL_SOCKET, 15],
  mark: [SOL_SOCKET, 36],
  freeBind: [IPPROTO_IP, 15],
  minTtl: [IPPROTO_IP, 21],
  v6Only: [IPPROTO_IPV6, 26],
  minHopCount: [IPPROTO_IPV6, 73],
  freeBindV6: [IPPROTO_IPV6, 78],
  deferAccept: [IPPROTO_TCP, 9],
};

type NumberOption =
  | 'reuseAddress'
  | 'reusePort'
  | 'mark'
  | 'freeBind'
  | 'minTtl'
  | 'v6Only'
  | 'minHopCount'
  | 'freeBindV6'
  | 'deferAccept';

const SO_BINDTODEVICE = 25;
const SO_ATTACH_FILTER = 26;
const SO_LINGER = 13;
const SO_ATTACH_REUSEPORT_CBPF = 51;
const SO_DETACH_REUSEPORT_BPF = 68;
/** linux/filter.h: return a constant. */
const BPF_RET_K = 0x06;
const TCP_MD5SIG_EXT = 32;
const TCP_MD5SIG_FLAG_PREFIX = 1;
/** `struct tcp_md5sig`: address (128 bytes), flags, prefix length, key length, interface, key (80 bytes). */
const MD5_BYTES = 216;
/** Any key will do: the SYN under test is not signed. */
const MD5_KEY = 'synscope';

/** SOMAXCONN: the backlog of a listener where its source does not tell it. */
export const DEFAULT_BACKLOG = 4096;

/** Sets one option. @throws NodeJS.ErrnoException when the kernel refuses it. */
export function setOption(
  calls: SystemCalls,
  fd: number,
  option: NumberOption | 'device',
  value: number | string,
): void {
  if (option === 'device') {
    calls.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, Buffer.from(`${value}\0`));
    return;
  }
  const [level, name] = NUMBERS[option];
  calls.setsockopt(fd, level, name, new Uint8Array(Int32Array.of(Number(value)).buffer));
}

/** Gives a socket what it had on the host, before it is bound. @throws NodeJS.ErrnoException */
export function setListenerOptions(calls: SystemCalls, fd: number, socket: SocketState, isShared: boolean): void {
  const { family, device, mark, options } = socket;
  setOption(calls, fd, 'reuseAddress', 1);
  if (isShared) setOption(calls, fd, 'reusePort', 1);
  if (family === 6) {
    setOption(calls, fd, 'v6Only', socket.v6only === true ? 1 : 0);
    setOption(calls, fd, 'freeBindV6', 1);
  }
  setOption(calls, fd, 'freeBind', 1);
  if (device !== undefined) setOption(calls, fd, 'device', device);
  if (mark !== undefined && mark !== 0) setOption(calls, fd, 'mark', mark);
  if (options === undefined) return;
  if ((options.minTtl ?? 0) > 0)
    setOption(calls, fd, family === 4 ? 'minTtl' : 'minHopCount', options.minTtl as number);
  if ((options.deferAcceptSeconds ?? 0) > 0) setOption(calls, fd, 'deferAccept', options.deferAcceptSeconds as number);
  if (options.filter !== undefined) attachFilter(calls, fd, options.filter);
  for (const peer of options.md5Peers ?? []) setMd5(calls, fd, peer, family);
}

/** Makes the close of a socket send nothing but a reset (SO_LINGER of 0 seconds). */
export function closeHard(calls: SystemCalls, fd: number): void {
  calls.setsockopt(fd, SOL_SOCKET, SO_LINGER, new Uint8Array(Int32Array.of(1, 0).buffer));
  calls.close(fd);
}

/** `struct sock_fprog`: the number of instructions, and where they are. */
function attachFilter(calls: SystemCalls, fd: number, hex: string): void {
  attach(calls, fd, SO_ATTACH_FILTER, Buffer.from(hex, 'hex'));
}

/** The group of SO_REUSEPORT of a socket hands everything to its member `index`; false when the kernel refuses that. */
export function steerGroup(calls: SystemCalls, fd: number, index: number): boolean {
  const program = Buffer.alloc(8);
  program.writeUInt16LE(BPF_RET_K, 0);
  program.writeUInt32LE(index, 4);
  try {
    attach(calls, fd, SO_ATTACH_REUSEPORT_CBPF, program);
    return true;
  } catch (error) {
    if (isSystemError(error)) return false;
    throw error;
  }
}

/** Undoes {@link steerGroup}. */
export function releaseGroup(calls: SystemCalls, fd: number): void {
  calls.setsockopt(fd, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, new Uint8Array(4));
}

function attach(calls: SystemCalls, fd: number, option: number, program: Buffer): void {
  const head = Buffer.alloc(16);
  head.writeUInt16LE(program.length / 8, 0);
  head.writeBigUInt64LE(calls.addressOf(program), 8);
  calls.setsockopt(fd, SOL_SOCKET, option, head);
}

function setMd5(calls: SystemCalls, fd: number, peer: string, family: 4 | 6): void {
  const [address = '', length] = peer.split('/');
  const bytes = bytesOf(address);
  const isV4 = bytes.length === 4;
  const value = Buffer.alloc(MD5_BYTES);
  if (isV4 && family === 4) {
    value.writeUInt16LE(2, 0);
    value.set(bytes, 4);
  } else {
    value.writeUInt16LE(10, 0);
    if (isV4) value.set([0xff, 0xff], 18);
    value.set(bytes, isV4 ? 20 : 8);
  }
  value[128] = TCP_MD5SIG_FLAG_PREFIX;
  value[129] = Number(length ?? bytes.length * 8) + (isV4 && family === 6 ? 96 : 0);
  value.writeUInt16LE(MD5_KEY.length, 130);
  value.write(MD5_KEY, 136);
  calls.setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG_EXT, value);
}
