import { parseAddress } from '../wire/address.ts';

/** A prefix of IPv4 or IPv6 addresses. */
export interface Prefix {
  /** 4 or 16, in network order. */
  readonly bytes: Uint8Array;
  /** In bits. */
  readonly length: number;
}

/** A prefix that covers every address of a family, as iproute2 should spell it. */
export const EVERYTHING: Readonly<Record<4 | 6, string>> = { 4: '0.0.0.0/0', 6: '::/0' };

/**
 * Parses `192.0.2.0/24`, `2001:db8::/32`, or an address alone, which is a prefix of its full length.
 * @returns undefined for anything else.
 */
export function parsePrefix(text: string): Prefix | undefined {
  const slash = text.indexOf('/');
  const bytes = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (bytes === undefined) return undefined;
  if (slash < 0) return { bytes, length: bytes.length * 8 };
  const length = text.slice(slash + 1);
  if (!/^\d{1,3}$/.test(length) || Number(length) > bytes.length * 8) return undefined;
  return { bytes, length: Number(length) };
}

/** Whether an address, in network order, lies within a prefix. Addresses of the other family never do. */
export function prefixCovers({ bytes, length }: Prefix, address: Uint8Array): boolean {
  if (address.length !== bytes.length) return false;
  const whole = length >>> 3;
  for (let i = 0; i < whole; i++) if (bytes[i] !== address[i]) return false;
  const rest = length & 7;
  return rest === 0 || ((bytes[whole]! ^ address[whole]!) & (0xff << (8 - rest)) & 0xff) === 0;
}

/** Whether the text of a prefix covers the text of an address; false when either is neither. */
export function covers(prefix: string, address: string): boolean {
  const parsed = parsePrefix(prefix);
  const bytes = parseAddress(address);
  return parsed !== undefined && bytes !== undefined && prefixCovers(parsed, bytes);
}
