import { addressNumber, type Bits, equalBits, inRange, prefixRange } from '../netfilter/bits.ts';
import { anyOf, type Truth, UNKNOWN } from '../netfilter/truth.ts';

/** A number as iptables writes it: `80`, `0x1`; undefined for anything else. */
export function parseNumber(text: string | undefined): bigint | undefined {
  return text !== undefined && /^(0x[0-9a-f]{1,32}|\d{1,20})$/i.test(text) ? BigInt(text) : undefined;
}

/** Whether a number lies in `80`, `80:90` or `80-90`; an end that is missing is the smallest or largest. */
export function inNumbers(value: Bits, text: string | undefined, separator: ':' | '-' = ':'): Truth {
  if (text === undefined) return UNKNOWN;
  const [low = '', high = low] = text.split(separator);
  const first = low === '' ? 0n : parseNumber(low);
  const last = high === '' ? 0xffff_ffffn : parseNumber(high);
  return first === undefined || last === undefined ? UNKNOWN : inRange(value, first, last);
}

/** Whether a number lies in one of `22,80:90`. */
export function inNumberList(value: Bits, text: string | undefined): Truth {
  return text === undefined ? UNKNOWN : anyOf(text.split(',').map((part) => inNumbers(value, part)));
}

/** Whether an address lies in `10.0.0.0/8`, `10.0.0.0/255.0.0.0`, `2001:db8::/32` or is the address itself. */
export function inNetwork(value: Bits, text: string | undefined, family: 4 | 6): Truth {
  const [address = '', length] = (text ?? '').split('/');
  const parsed = addressNumber(address);
  if (parsed === undefined) return UNKNOWN;
  if (parsed.family !== family) return false;
  if (length === undefined) return equalBits(value, parsed.value);
  if (/^\d{1,3}$/.test(length)) {
    const { first, last } = prefixRange(parsed.value, Number(length), family);
    return inRange(value, first, last);
  }
  const mask = addressNumber(length);
  return mask?.family === family ? equalBits(value, parsed.value & mask.value, mask.value) : UNKNOWN;
}

/** Whether an address lies in `10.0.0.1-10.0.0.9`. */
export function inAddressRange(value: Bits, text: string | undefined, family: 4 | 6): Truth {
  const [low, high] = (text ?? '').split('-').map(addressNumber);
  const last = high ?? low;
  if (low === undefined || last === undefined) return UNKNOWN;
  return low.family === family && last.family === family ? inRange(value, low.value, last.value) : false;
}

/** Whether a mark equals `0x1`, or `0x1/0xff` in the bits of the mask. */
export function hasMark(value: Bits, text: string | undefined): Truth {
  const [mark, mask] = (text ?? '').split('/');
  const wanted = parseNumber(mark);
  if (wanted === undefined) return UNKNOWN;
  if (mask === undefined) return equalBits(value, wanted);
  const bits = parseNumber(mask);
  if (bits === undefined) return UNKNOWN;
  return (wanted & ~bits) === 0n && equalBits(value, wanted, bits);
}
