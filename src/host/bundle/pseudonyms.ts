import { createHmac } from 'node:crypto';
import { formatIpv4, formatIpv6, parseAddress } from '../../formats/wire/address.ts';

/** A range of addresses that is told from others by its first bits. */
interface Range {
  readonly prefix: Uint8Array;
  readonly bits: number;
  /** Its addresses mean the same everywhere and stay as they are; of others only the first bits stay. */
  readonly whole: boolean;
}

const RANGES: Readonly<Record<4 | 16, readonly Range[]>> = {
  // IANA IPv4 Special-Purpose Address Registry; from 224.0.0.0 on: multicast, broadcast, and what masks look like.
  4: [
    range('0.0.0.0', 8, true),
    range('127.0.0.0', 8, true),
    range('224.0.0.0', 3, true),
    range('10.0.0.0', 8, false),
    range('100.64.0.0', 10, false),
    range('169.254.0.0', 16, false),
    range('172.16.0.0', 12, false),
    range('192.168.0.0', 16, false),
  ],
  // RFC 4291, RFC 4193, RFC 6052 (IPv4 addresses behind ::ffff:0:0/96 and 64:ff9b::/96 are replaced as such).
  16: [
    range('::', 96, true),
    range('::ffff:0:0', 96, false),
    range('64:ff9b::', 96, false),
    range('2000::', 3, false),
    range('fc00::', 7, false),
    range('fe80::', 64, false),
    range('ff00::', 8, true),
  ],
};

/** Solicited-node multicast addresses (RFC 4291 section 2.7.1) end in 24 bits of an address. */
const SOLICITED_NODE = range('ff02::1:ff00:0', 104, false);

/**
 * Replaces addresses by others, always the same for the same one and so that addresses that share their first bits still do, and
 * others do not (the method of Crypto-PAn: Xu, Fan, Ammar, Moon 2002). So routes still cover what they covered. Loopback,
 * unspecified, multicast and mask-like addresses stay; private, link-local and global addresses stay private, link-local and
 * global.
 */
export class Pseudonyms {
  private readonly key: Uint8Array;
  /** Addresses whose last bits, all one, say that they are those of a broadcast. */
  private readonly broadcasts: readonly Uint8Array[];
  /** For the bytes before a byte: one bit for each of the 255 inner nodes of the tree of its eight bits. */
  private readonly flips = new Map<string, Uint8Array>();
  private readonly replaced = new Map<string, string>();

  /**
   * @param key secret that nobody keeps.
   * @param broadcasts IPv4 broadcast addresses, which will still be ones.
   */
  constructor(key: Uint8Array, broadcasts: readonly string[] = []) {
    this.key = key;
    this.broadcasts = broadcasts.flatMap((text) => parseAddress(text) ?? []);
  }

  /** The pseudonym of an IPv4 or IPv6 address, canonical. What is no address stays. */
  address(text: string): string {
    const known = this.replaced.get(text);
    if (known !== undefined) return known;
    const bytes = parseAddress(text);
    if (bytes === undefined) return text;
    this.addressBytes(bytes);
    const view = new DataView(bytes.buffer);
    const pseudonym = bytes.length === 4 ? formatIpv4(view, 0) : formatIpv6(view, 0);
    this.replaced.set(text, pseudonym);
    return pseudonym;
  }

  /** The pseudonym of a network: bits behind the prefix that are zero stay zero. */
  network(text: string, prefixLength: number): string {
    const bytes = parseAddress(text);
    if (bytes === undefined || !isZeroFrom(bytes, prefixLength)) return this.address(text);
    this.addressBytes(bytes);
    clearFrom(bytes, prefixLength);
    const view = new DataView(bytes.buffer);
    return bytes.length === 4 ? formatIpv4(view, 0) : formatIpv6(view, 0);
  }

  /** Replaces the address in its 4 or 16 bytes. */
  addressBytes(bytes: Uint8Array): void {
    if (bytes.length === 16 && (starts(bytes, RANGES[16][1]!) || starts(bytes, RANGES[16][2]!))) {
      this.addressBytes(bytes.subarray(12));
      return;
    }
    const original = Uint8Array.from(bytes);
    let before = bytes.length === 4 ? 'v4' : 'v6';
    for (let index = 0; index < bytes.length; index++) {
      bytes[index] = this.replaceByte(original, index, before);
      before += `.${original[index]}`;
    }
  }

  /** Replaces a MAC address in its six bytes: groups, all zeros and all ones stay. */
  macBytes(bytes: Uint8Array): void {
    if (bytes.every((byte) => byte === 0)) return;
    const digest = createHmac('sha256', this.key).update('mac').update(bytes).digest();
    if (((bytes[0] as number) & 1) !== 0) {
      // 33:33:ff and three bytes of an address (RFC 2464 section 7).
      if (bytes[0] === 0x33 && bytes[1] === 0x33 && bytes[2] === 0xff) bytes.set(digest.subarray(0, 3), 3);
      return;
    }
    const kind = (bytes[0] as number) & 0x03;
    bytes.set(digest.subarray(0, 6));
    bytes[0] = ((bytes[0] as number) & ~0x03) | kind;
  }

  /** The pseudonym of a host name or a domain: `host-1a2b3c.example`. */
  name(text: string): string {
    const digest = createHmac('sha256', this.key).update('name').update(text.toLowerCase()).digest('hex');
    return `host-${digest.slice(0, 8)}${text.includes('.') ? '.example' : ''}`;
  }

  /** What the byte at `index` becomes, after the bytes before it. */
  private replaceByte(original: Uint8Array, index: number, before: string): number {
    let flips = this.flips.get(before);
    if (flips === undefined) {
      flips = createHmac('sha256', this.key).update(before).digest();
      this.flips.set(before, flips);
    }
    const value = original[index] as number;
    let result = 0;
    for (let bit = 0; bit < 8; bit++) {
      const node = (1 << bit) | (value >>> (8 - bit));
      const flip = ((flips[node >>> 3] as number) >>> (node & 7)) & 1;
      const own = (value >>> (7 - bit)) & 1;
      result = (result << 1) | (flip === 1 && !this.stays(original, index * 8 + bit) ? own ^ 1 : own);
    }
    return result;
  }

  /** Whether the bit that follows the first `depth` bits of an address stays as it is. */
  private stays(address: Uint8Array, depth: number): boolean {
    if (address.length === 16 && depth >= SOLICITED_NODE.bits && starts(address, SOLICITED_NODE)) return false;
    for (const known of RANGES[address.length as 4 | 16]) {
      const shared = Math.min(depth, known.bits);
      if ((known.whole || depth < known.bits) && sharesBits(address, known.prefix, shared)) return true;
    }
    return this.broadcasts.some(
      (broadcast) =>
        broadcast.length === address.length && sharesBits(address, broadcast, depth) && isOneFrom(broadcast, depth),
    );
  }
}

function range(text: string, bits: number, whole: boolean): Range {
  return { prefix: parseAddress(text) as Uint8Array, bits, whole };
}

function starts(address: Uint8Array, { prefix, bits }: Range): boolean {
  return sharesBits(address, prefix, bits);
}

function sharesBits(a: Uint8Array, b: Uint8Array, bits: number): boolean {
  const whole = bits >>> 3;
  for (let index = 0; index < whole; index++) if (a[index] !== b[index]) return false;
  const rest = bits & 7;
  return rest === 0 || (((a[whole] as number) ^ (b[whole] as number)) & (0xff00 >>> rest) & 0xff) === 0;
}

function bitAt(bytes: Uint8Array, bit: number): number {
  return ((bytes[bit >>> 3] as number) >>> (7 - (bit & 7))) & 1;
}

function isOneFrom(bytes: Uint8Array, bit: number): boolean {
  for (let at = bit; at < bytes.length * 8; at++) if (bitAt(bytes, at) === 0) return false;
  return true;
}

function isZeroFrom(bytes: Uint8Array, bit: number): boolean {
  for (let at = bit; at < bytes.length * 8; at++) if (bitAt(bytes, at) === 1) return false;
  return true;
}

function clearFrom(bytes: Uint8Array, bit: number): void {
  for (let at = bit; at < bytes.length * 8; at++) {
    bytes[at >>> 3] = (bytes[at >>> 3] as number) & ~(0x80 >>> (at & 7));
  }
}
