import { systemCalls } from './system.ts';

/** linux/socket.h, linux/net.h. */
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
/** `sun_path` of struct sockaddr_un, with its final zero. */
const MAX_PATH_BYTES = 108;

/**
 * Sends one datagram to a Unix socket such as `/dev/log`, which Node cannot. Does not wait: a receiver that is full is an error.
 * @throws NodeJS.ErrnoException
 */
export function sendUnixDatagram(path: string, bytes: Uint8Array): void {
  const name = Buffer.from(`${path}\0`);
  if (name.length > MAX_PATH_BYTES) throw Object.assign(new Error('the path is too long'), { code: 'ENAMETOOLONG' });
  const address = new Uint8Array(2 + name.length);
  new DataView(address.buffer).setUint16(0, AF_UNIX, true);
  address.set(name, 2);
  const calls = systemCalls();
  const fd = calls.socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  try {
    calls.sendto(fd, bytes, 0, address);
  } finally {
    calls.close(fd);
  }
}
