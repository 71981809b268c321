import { parseAddress } from '../formats/wire/address.ts';

/** Length of a prefix in bits: of `192.0.2.0/24` 24, of a bare address that of its family; undefined when it is none. */
export function prefixBits(prefix: string): number | undefined {
  const [address = '', length] = prefix.split('/');
  const bytes = parseAddress(address);
  if (bytes === undefined) return undefined;
  if (length === undefined) return bytes.length * 8;
  const bits = /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN;
  return bits <= bytes.length * 8 ? bits : undefined;
}

/** Whether an address lies in a prefix (`192.0.2.0/24`, `2001:db8::/32`, a bare address); false when either is none. */
export function prefixContains(prefix: string, address: string): boolean {
  const bits = prefixBits(prefix);
  const network = parseAddress(prefix.split('/')[0] ?? '');
  const bytes = parseAddress(address);
  if (bits === undefined || network === undefined || bytes === undefined || bytes.length !== network.length)
    return false;
  return network.every((byte, index) => {
    const mask = (0xff00 >> Math.min(8, Math.max(0, bits - index * 8))) & 0xff;
    return ((byte ^ (bytes[index] ?? 0)) & mask) === 0;
  });
}
