import { formatIpv4, formatIpv6, parseAddress } from '../../src/formats/wire/address.ts';
import type { Endpoint } from '../../src/model/flow.ts';
import { C } from './libc.ts';

export const AF_INET = 2;
export const AF_INET6 = 10;

/** The family of an address: AF_INET or AF_INET6. */
export function familyOf(address: string): 2 | 10 {
  return address.includes(':') ? AF_INET6 : AF_INET;
}

/** A sockaddr_in or sockaddr_in6; `%eth0` behind a link-local address is its scope. @throws Error when it is no address. */
export function encodeSocketAddress(address: string, port: number): Buffer {
  const [bare = '', scope] = address.split('%');
  const bytes = parseAddress(bare);
  if (bytes === undefined) throw new Error(`${address} is no address`);
  const encoded = Buffer.alloc(bytes.length === 4 ? 16 : 28);
  encoded.writeUInt16LE(bytes.length === 4 ? AF_INET : AF_INET6);
  encoded.writeUInt16BE(port, 2);
  encoded.set(bytes, bytes.length === 4 ? 4 : 8);
  if (scope !== undefined) encoded.writeUInt32LE(/^\d+$/.test(scope) ? Number(scope) : C.ifNameToIndex(scope), 24);
  return encoded;
}

/** Where a socket is bound; undefined when it is not. */
export function localEndpoint(fd: number): Endpoint | undefined {
  const bytes = Buffer.alloc(28);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  if (C.getsockname(fd, bytes, length) < 0) return undefined;
  const port = bytes.readUInt16BE(2);
  if (port === 0) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const address = bytes.readUInt16LE() === AF_INET ? formatIpv4(view, 4) : formatIpv6(view, 8);
  return { address: address.replace(/^::ffff:(?=\d+\.)/, ''), port };
}
