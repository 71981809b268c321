import { formatIpv4, formatIpv6, parseAddress } from '../formats/wire/address.ts';

/** linux/socket.h. */
export const AF_INET = 2;
export const AF_INET6 = 10;
/** Large enough for either structure. */
export const SOCKET_ADDRESS_BYTES: number = 28;

/**
 * Encodes `struct sockaddr_in` or `struct sockaddr_in6` (netinet/in.h, little-endian machine).
 * @param scopeIndex index of the interface of a link-local address.
 * @returns undefined when the text is no address.
 */
export function encodeSocketAddress(address: string, port: number, scopeIndex: number): Uint8Array | undefined {
  const bytes = parseAddress(address);
  if (bytes === undefined) return undefined;
  const encoded = new Uint8Array(bytes.length === 4 ? 16 : SOCKET_ADDRESS_BYTES);
  const view = new DataView(encoded.buffer);
  view.setUint16(0, bytes.length === 4 ? AF_INET : AF_INET6, true);
  view.setUint16(2, port);
  encoded.set(bytes, bytes.length === 4 ? 4 : 8);
  if (bytes.length === 16) view.setUint32(24, scopeIndex, true);
  return encoded;
}

/** Decodes either structure; undefined when the socket has no address yet. */
export function decodeSocketAddress(
  encoded: Uint8Array,
): { readonly address: string; readonly port: number } | undefined {
  const view = new DataView(encoded.buffer, encoded.byteOffset, encoded.byteLength);
  const port = view.getUint16(2);
  if (port === 0) return undefined;
  return { address: view.getUint16(0, true) === AF_INET ? formatIpv4(view, 4) : formatIpv6(view, 8), port };
}
