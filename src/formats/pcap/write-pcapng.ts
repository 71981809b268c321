/** An interface of a pcapng file to write. */
export interface WrittenInterface {
  /** LINKTYPE_ value. */
  readonly linkType: number;
  /** Bytes of each packet that were kept; 0 or absent when unlimited. */
  readonly snapLength?: number;
  readonly name?: string;
  readonly description?: string;
}

/** A packet of a pcapng file to write. */
export interface WrittenPacket {
  /** Index of its interface in the header. */
  readonly interfaceId: number;
  /** Nanoseconds since 1970-01-01 UTC. */
  readonly timeNs: bigint;
  /** Captured bytes, beginning with the link layer. */
  readonly bytes: Uint8Array;
  /** Length on the wire; the captured length when absent. */
  readonly wireBytes?: number;
  /** Each one becomes an `opt_comment`; what is beyond 65535 bytes of UTF-8 is cut off at a character. */
  readonly comments?: readonly string[];
  /** `epb_flags`: 1 inbound, 2 outbound; nothing is written for 0. */
  readonly direction?: 0 | 1 | 2;
}

/** Codes of the options that are written. */
const COMMENT = 1;
const EPB_FLAGS = 2;
const IF_NAME = 2;
const IF_DESCRIPTION = 3;
const SHB_USERAPPL = 4;
const IF_TSRESOL = 9;

/** Most bytes that the value of an option can have. */
const MAX_OPTION_BYTES = 0xffff;

type Option = readonly [code: number, value: Uint8Array];

/**
 * Encodes the start of a pcapng file: its section header and its interfaces, with times in nanoseconds. Little-endian.
 * Source: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html
 */
export function encodePcapngHeader(interfaces: readonly WrittenInterface[]): Uint8Array<ArrayBuffer> {
  const section = new Uint8Array(16);
  const view = new DataView(section.buffer);
  view.setUint32(0, 0x1a2b3c4d, true);
  view.setUint16(4, 1, true);
  view.setBigInt64(8, -1n, true); // Section length: not given.
  const blocks = [encodeBlock(0x0a0d0d0a, section, new Uint8Array(0), [[SHB_USERAPPL, encodeText('synscope')]])];
  for (const { linkType, snapLength = 0, name, description } of interfaces) {
    const fixed = new Uint8Array(8);
    const fixedView = new DataView(fixed.buffer);
    fixedView.setUint16(0, linkType, true);
    fixedView.setUint32(4, snapLength, true);
    const options: Option[] = [];
    if (name) options.push([IF_NAME, encodeText(name)]);
    if (description) options.push([IF_DESCRIPTION, encodeText(description)]);
    options.push([IF_TSRESOL, Uint8Array.of(9)]);
    blocks.push(encodeBlock(1, fixed, new Uint8Array(0), options));
  }
  const whole = new Uint8Array(blocks.reduce((total, block) => total + block.length, 0));
  let at = 0;
  for (const block of blocks) {
    whole.set(block, at);
    at += block.length;
  }
  return whole;
}

/** Encodes one packet as an Enhanced Packet Block, to be appended to what {@link encodePcapngHeader} made. */
export function encodePcapngPacket(packet: WrittenPacket): Uint8Array<ArrayBuffer> {
  const { interfaceId, timeNs, bytes, wireBytes = bytes.length, comments = [], direction = 0 } = packet;
  const time = timeNs < 0n ? 0n : timeNs;
  const fixed = new Uint8Array(20);
  const view = new DataView(fixed.buffer);
  view.setUint32(0, interfaceId, true);
  view.setUint32(4, Number((time >> 32n) & 0xffff_ffffn), true);
  view.setUint32(8, Number(time & 0xffff_ffffn), true);
  view.setUint32(12, bytes.length, true);
  view.setUint32(16, wireBytes, true);
  const options: Option[] = comments.map((comment) => [COMMENT, encodeText(comment)]);
  if (direction !== 0) options.push([EPB_FLAGS, Uint8Array.of(direction, 0, 0, 0)]);
  return encodeBlock(6, fixed, bytes, options);
}

function encodeBlock(
  type: number,
  fixed: Uint8Array,
  data: Uint8Array,
  options: readonly Option[],
): Uint8Array<ArrayBuffer> {
  let total = 12 + fixed.length + padded(data.length);
  for (const [, value] of options) total += 4 + padded(value.length);
  if (options.length > 0) total += 4; // opt_endofopt
  const block = new Uint8Array(total);
  const view = new DataView(block.buffer);
  view.setUint32(0, type, true);
  view.setUint32(4, total, true);
  block.set(fixed, 8);
  let at = 8 + fixed.length;
  block.set(data, at);
  at += padded(data.length);
  for (const [code, value] of options) {
    view.setUint16(at, code, true);
    view.setUint16(at + 2, value.length, true);
    block.set(value, at + 4);
    at += 4 + padded(value.length);
  }
  view.setUint32(total - 4, total, true);
  return block;
}

/** UTF-8 of a text, cut at a character when it is longer than an option can be. Lone surrogates become U+FFFD. */
function encodeText(text: string): Uint8Array {
  const target = new Uint8Array(Math.min(text.length * 3, MAX_OPTION_BYTES));
  return target.subarray(0, new TextEncoder().encodeInto(text, target).written);
}

function padded(length: number): number {
  return length + (-length & 3);
}
