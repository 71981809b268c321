import { formatIpv4, formatIpv6, parseAddress } from '../wire/address.ts';
import { type Doubt, join, type Truth, UNKNOWN } from './truth.ts';

/** A number of which single bits may be unknown: an address, a port, flags, a mark. */
export interface Bits {
  /** Unknown bits are 0 here. */
  readonly value: bigint;
  readonly unknown: bigint;
  /** Why bits are unknown. */
  readonly doubt?: Doubt;
}

/** A number that is known. */
export function bits(value: number | bigint): Bits {
  return { value: BigInt(value), unknown: 0n };
}

/** A number of so many bits of which nothing is known. */
export function unknownBits(width: number, doubt: Doubt = UNKNOWN): Bits {
  return { value: 0n, unknown: (1n << BigInt(width)) - 1n, doubt };
}

/** A number of which the bits in `mask` are unknown. */
export function partlyUnknown(value: number | bigint, mask: number | bigint, doubt: Doubt): Bits {
  return mask === 0 || mask === 0n
    ? bits(value)
    : { value: BigInt(value) & ~BigInt(mask), unknown: BigInt(mask), doubt };
}

/** Whether all bits are known. */
export function isKnown({ unknown }: Bits): boolean {
  return unknown === 0n;
}

function doubtOf({ doubt }: Bits): Doubt {
  return doubt ?? UNKNOWN;
}

/** Whether it equals `constant` in the bits of `mask` (all, when absent). */
export function equalBits(a: Bits, constant: bigint, mask?: bigint): Truth {
  const differ = (a.value ^ constant) & ~a.unknown;
  if ((mask === undefined ? differ : differ & mask) !== 0n) return false;
  return (mask === undefined ? a.unknown : a.unknown & mask) === 0n ? true : doubtOf(a);
}

/** Whether one of the bits in `mask` is set. */
export function anyBit(a: Bits, mask: bigint): Truth {
  if ((a.value & mask) !== 0n) return true;
  return (a.unknown & mask) === 0n ? false : doubtOf(a);
}

/** Whether it lies between two numbers, both included. */
export function inRange(a: Bits, first: bigint, last: bigint): Truth {
  const low = a.value;
  const high = a.value | a.unknown;
  if (high < first || low > last) return false;
  return low >= first && high <= last ? true : doubtOf(a);
}

/** Whether it is smaller than `constant`. */
export function isBelow(a: Bits, constant: bigint): Truth {
  if ((a.value | a.unknown) < constant) return true;
  return a.value >= constant ? false : doubtOf(a);
}

/** Keeps the bits of `mask`. */
export function maskBits(a: Bits, mask: bigint): Bits {
  return withDoubt(a.value & mask, a.unknown & mask, a.doubt);
}

/** Combines bit by bit. */
export function combineBits(operator: '&' | '|' | '^', a: Bits, b: Bits): Bits {
  const doubt = join(a.doubt, b.doubt);
  if (operator === '&') {
    const zero = (~a.value & ~a.unknown) | (~b.value & ~b.unknown);
    return withDoubt(a.value & b.value, (a.unknown | b.unknown) & ~zero, doubt);
  }
  if (operator === '|') {
    const one = a.value | b.value;
    return withDoubt(one, (a.unknown | b.unknown) & ~one, doubt);
  }
  const unknown = a.unknown | b.unknown;
  return withDoubt((a.value ^ b.value) & ~unknown, unknown, doubt);
}

/** What is known when it is one or the other. */
export function eitherBits(a: Bits, b: Bits, doubt: Doubt | undefined): Bits {
  const differ = (a.value ^ b.value) | a.unknown | b.unknown;
  if (differ === 0n) return a;
  return withDoubt(a.value & ~differ, differ, join(join(a.doubt, b.doubt), doubt));
}

/** Whether both are known to the same bits. */
export function sameBits(a: Bits, b: Bits): boolean {
  return a.value === b.value && a.unknown === b.unknown;
}

function withDoubt(value: bigint, unknown: bigint, doubt: Doubt | undefined): Bits {
  return unknown === 0n ? { value, unknown } : { value: value & ~unknown, unknown, doubt: doubt ?? UNKNOWN };
}

/** An IPv4 or IPv6 address as a number; undefined for anything else. */
export function addressNumber(text: string): { readonly family: 4 | 6; readonly value: bigint } | undefined {
  const quad = quadNumber(text);
  if (quad !== undefined) return { family: 4, value: BigInt(quad) };
  const bytes = parseAddress(text);
  if (bytes === undefined) return undefined;
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return { family: bytes.length === 4 ? 4 : 6, value };
}

/** A dotted quad, as sets hold them by the hundred thousand. */
function quadNumber(text: string): number | undefined {
  let [value, part, digits, dots] = [0, 0, 0, 0];
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === 46 && digits > 0 && dots < 3) {
      value = value * 256 + part;
      [part, digits] = [0, 0];
      dots++;
    } else if (code >= 48 && code <= 57 && (digits === 0 || part > 0)) {
      part = part * 10 + code - 48;
      digits++;
      if (part > 255) return undefined;
    } else return undefined;
  }
  return dots === 3 && digits > 0 ? value * 256 + part : undefined;
}

/** Formats an address that {@link addressNumber} read. */
export function formatAddressNumber(value: bigint, family: 4 | 6): string {
  const view = new DataView(new ArrayBuffer(16));
  view.setBigUint64(0, BigInt.asUintN(64, value >> 64n));
  view.setBigUint64(8, BigInt.asUintN(64, value));
  return family === 4 ? formatIpv4(view, 12) : formatIpv6(view, 0);
}

/** First and last address of a prefix. */
export function prefixRange(
  address: bigint,
  prefixLength: number,
  family: 4 | 6,
): { readonly first: bigint; readonly last: bigint } {
  const width = family === 4 ? 32 : 128;
  const length = Math.max(0, Math.min(width, Math.trunc(prefixLength) || 0));
  const host = (1n << BigInt(width - length)) - 1n;
  return { first: address & ~host, last: address | host };
}
