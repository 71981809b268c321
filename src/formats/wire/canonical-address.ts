import { formatIpv4, formatIpv6, parseAddress } from './address.ts';

/** An address in its one canonical spelling. */
export interface CanonicalAddress {
  /** IPv4 dotted quad, or RFC 5952; an IPv4-mapped address is the IPv4 address that it stands for. */
  readonly address: string;
  /** It was written as an IPv4-mapped IPv6 address: the socket is an IPv6 one. */
  readonly mapped: boolean;
}

/**
 * Parses an address as programs print it, and spells it in the one canonical way, so that it can be compared as text.
 * @returns undefined when it is no address.
 */
export function canonicalAddress(text: string): CanonicalAddress | undefined {
  const bytes = parseAddress(text);
  return bytes === undefined ? undefined : canonicalFromBytes(bytes);
}

/** Spells the 4 or 16 bytes of an address, in network order, in the canonical way. */
export function canonicalFromBytes(bytes: Uint8Array): CanonicalAddress {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length === 4) return { address: formatIpv4(view, 0), mapped: false };
  const mapped = view.getUint32(0) === 0 && view.getUint32(4) === 0 && view.getUint32(8) === 0xffff;
  return { address: mapped ? formatIpv4(view, 12) : formatIpv6(view, 0), mapped };
}
