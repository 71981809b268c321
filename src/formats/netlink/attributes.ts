import { formatIpv4, formatIpv6 } from '../wire/address.ts';
import { align4 } from './message.ts';

/** One attribute (`struct nlattr`): unknown ones are kept as they are. */
export interface Attribute {
  /** Without the two flags. */
  readonly type: number;
  /** NLA_F_NESTED, NLA_F_NET_BYTEORDER, or 0. */
  readonly flags: number;
  readonly value: Uint8Array;
}

/** The value holds attributes. The kernel does not set it everywhere. */
const NLA_F_NESTED = 0x8000;

/**
 * The attributes from `offset` to the end, in their order. Bad bytes are data: from a length that cannot be on, nothing is given.
 * The values are views into `bytes`.
 */
export function decodeAttributes(bytes: Uint8Array, offset: number = 0): Attribute[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const list: Attribute[] = [];
  let at = offset;
  while (at + 4 <= bytes.length) {
    const length = view.getUint16(at, true);
    if (length < 4 || at + length > bytes.length) break;
    const type = view.getUint16(at + 2, true);
    list.push({ type: type & 0x3fff, flags: type & 0xc000, value: bytes.subarray(at + 4, at + length) });
    at += align4(length);
  }
  return list;
}

/** The bytes of attributes, after `head`: the fixed part of a message. */
export function encodeAttributes(list: readonly Attribute[], head: Uint8Array = EMPTY): Uint8Array {
  const start = align4(head.length);
  const bytes = new Uint8Array(list.reduce((sum, { value }) => sum + 4 + align4(value.length), start));
  const view = new DataView(bytes.buffer);
  bytes.set(head);
  let at = start;
  for (const { type, flags, value } of list) {
    view.setUint16(at, 4 + value.length, true);
    view.setUint16(at + 2, type | flags, true);
    bytes.set(value, at + 4);
    at += 4 + align4(value.length);
  }
  return bytes;
}

/** An attribute to send. */
export function attribute(type: number, value: Uint8Array): Attribute {
  return { type, flags: 0, value };
}

/** An attribute that holds others. */
export function nested(type: number, list: readonly Attribute[]): Attribute {
  return { type, flags: NLA_F_NESTED, value: encodeAttributes(list) };
}

/** The value of the first attribute of a type. */
export function find(list: readonly Attribute[], type: number): Uint8Array | undefined {
  return list.find((one) => one.type === type)?.value;
}

/** The attributes within the first attribute of a type; none when there is none. */
export function findNested(list: readonly Attribute[], type: number): Attribute[] {
  const value = find(list, type);
  return value === undefined ? [] : decodeAttributes(value);
}

/** An unsigned number of one, two or four bytes in the order of the machine; undefined when it has another length, or is not there. */
export function findNumber(list: readonly Attribute[], type: number): number | undefined {
  const value = find(list, type);
  if (value === undefined) return undefined;
  const view = viewOf(value);
  if (value.length === 4) return view.getUint32(0, true);
  if (value.length === 2) return view.getUint16(0, true);
  return value.length === 1 ? view.getUint8(0) : undefined;
}

/** An unsigned number of two, four or eight bytes in network order, as nfnetlink has them. */
export function findNetworkNumber(list: readonly Attribute[], type: number): number | undefined {
  const value = find(list, type);
  if (value === undefined) return undefined;
  const view = viewOf(value);
  if (value.length === 4) return view.getUint32(0);
  if (value.length === 2) return view.getUint16(0);
  return value.length === 8 ? Number(view.getBigUint64(0)) : undefined;
}

/** A text that a zero byte ends. */
export function findText(list: readonly Attribute[], type: number): string | undefined {
  const value = find(list, type);
  return value === undefined ? undefined : textOf(value);
}

/** An address in text; undefined when it has neither 4 nor 16 bytes. */
export function findAddress(list: readonly Attribute[], type: number): string | undefined {
  const value = find(list, type);
  return value === undefined ? undefined : addressOf(value);
}

/** The address of 4 or 16 bytes in text. */
export function addressOf(value: Uint8Array): string | undefined {
  if (value.length === 4) return formatIpv4(viewOf(value), 0);
  return value.length === 16 ? formatIpv6(viewOf(value), 0) : undefined;
}

/** A link-layer address of six bytes: `02:00:00:00:00:01`. */
export function findMac(list: readonly Attribute[], type: number): string | undefined {
  const value = find(list, type);
  return value?.length === 6 ? [...value].map((byte) => byte.toString(16).padStart(2, '0')).join(':') : undefined;
}

/** The text before the first zero byte. Bytes that are no UTF-8 become U+FFFD. */
function textOf(value: Uint8Array): string {
  const end = value.indexOf(0);
  return DECODER.decode(end < 0 ? value : value.subarray(0, end));
}

/** A text with the zero byte that ends it. */
export function zeroEnded(text: string): Uint8Array {
  return ENCODER.encode(`${text}\0`);
}

/** The one byte of a number. */
export function u8(value: number): Uint8Array {
  return Uint8Array.of(value);
}

/** The two bytes of a number in the order of the machine. */
export function u16(value: number): Uint8Array {
  return Uint8Array.of(value & 255, value >>> 8);
}

/** The four bytes of a number in the order of the machine. */
export function u32(value: number): Uint8Array {
  return Uint8Array.of(value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24);
}

/** The four bytes of a number in network order. */
export function be32(value: number): Uint8Array {
  return u32(value).reverse();
}

/** The eight bytes of a number in network order. */
export function be64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value);
  return bytes;
}

/** A view of exactly these bytes. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

const EMPTY = new Uint8Array(0);
const DECODER = new TextDecoder();
const ENCODER = new TextEncoder();
