import { parseAddress } from '../../src/formats/wire/address.ts';
import type { LabSocketOption } from '../../src/model/scenario.ts';
import { addressOf, C, check } from './libc.ts';
import { AF_INET } from './socket-address.ts';

const SOL_SOCKET = 1;
const SO_LINGER = 13;
const SO_BINDTODEVICE = 25;
const SO_ATTACH_FILTER = 26;
const IPPROTO_TCP = 6;
const TCP_MD5SIG = 14;
const TCP_REPAIR = 19;

/** Sets a socket option given by numbers. @throws CallError */
export function setOption(fd: number, { level, option, value }: LabSocketOption): void {
  setBytes(fd, level, option, typeof value === 'string' ? Buffer.from(value, 'hex') : int(value));
}

/** SO_BINDTODEVICE. @throws CallError */
export function bindToDevice(fd: number, device: string): void {
  setBytes(fd, SOL_SOCKET, SO_BINDTODEVICE, Buffer.from(`${device}\0`));
}

/**
 * Gives the socket a TCP-MD5 key (RFC 2385) for a peer: `struct tcp_md5sig` of linux/tcp.h, a sockaddr_storage (128 bytes),
 * flags, prefix length, key length (16 bits), interface, key (80 bytes). A socket of both families takes IPv4 peers as mapped.
 */
export function setMd5Key(
  fd: number,
  family: number,
  { peer, key }: { readonly peer: string; readonly key: string },
): void {
  const address = parseAddress(peer);
  if (address === undefined) throw new Error(`${peer} is no address`);
  const bytes = Buffer.alloc(128 + 8 + 80);
  bytes.writeUInt16LE(family);
  if (family === AF_INET) bytes.set(address, 4);
  else
    bytes.set(address.length === 4 ? Buffer.concat([Buffer.alloc(10), Buffer.from([255, 255]), address]) : address, 8);
  const secret = Buffer.from(key);
  bytes.writeUInt16LE(secret.length, 130);
  bytes.set(secret, 136);
  setBytes(fd, IPPROTO_TCP, TCP_MD5SIG, bytes);
}

/** Attaches a classic BPF filter that drops every packet: one instruction, `ret #0`. */
export function attachDropFilter(fd: number): void {
  const program = Buffer.alloc(8);
  program.writeUInt16LE(0x06);
  // struct sock_fprog: number of instructions, then (aligned) where they are.
  const header = Buffer.alloc(16);
  header.writeUInt16LE(1);
  header.writeBigUInt64LE(addressOf(program), 8);
  setBytes(fd, SOL_SOCKET, SO_ATTACH_FILTER, header);
}

/** SO_ERROR: why the last connect failed; 0 when it did not. */
export function pendingError(fd: number): number {
  const value = int(0);
  check('getsockopt', C.getsockopt(fd, SOL_SOCKET, 4, value, int(4)));
  return value.readInt32LE();
}

/** Ends a connection: with FIN, with RST (SO_LINGER 0), or without any packet (TCP_REPAIR), as a host that crashed. */
export function closeSocket(fd: number, how: 'close' | 'reset' | 'vanish'): void {
  if (how === 'reset') setOption(fd, { level: SOL_SOCKET, option: SO_LINGER, value: '0100000000000000' });
  if (how === 'vanish') setOption(fd, { level: IPPROTO_TCP, option: TCP_REPAIR, value: 1 });
  C.close(fd);
}

function setBytes(fd: number, level: number, option: number, value: Buffer): void {
  check(`setsockopt(${level}, ${option})`, C.setsockopt(fd, level, option, value, value.length));
}

function int(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}
