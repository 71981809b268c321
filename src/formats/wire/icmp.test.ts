import { describe, expect, test } from 'vitest';
import { formatIpv4, formatIpv6 } from './address.ts';
import {
  createIcmpError,
  decodeIcmpError,
  type IcmpError,
  icmpErrorImplication,
  icmpErrorName,
  isIcmpError,
} from './icmp.ts';
import { ICMP_ERRORS } from './icmp-registry.ts';
import { IPPROTO_TCP, IPPROTO_UDP } from './numbers.ts';
import { exactView } from './testing/bytes.ts';
import { cutEverywhere, flipEveryBit } from './testing/damage.ts';
import { type IcmpOptions, icmp, type PacketOptions, packet } from './testing/packets.ts';

const SYN4 = '0 10.0.0.1:1234 > 10.0.0.2:80 S 4000000000 win 64240 <mss 1460>';
const SYN6 = '0 [2001:db8::1]:1234 > [2001:db8::2]:80 S 4000000000 win 64240 <mss 1440>';

function message(
  line: string,
  type: number,
  code: number,
  icmpOptions: IcmpOptions = {},
  options: PacketOptions = {},
): Uint8Array {
  const version4 = line === SYN4 || !line.includes('[');
  const built = icmp(version4 ? '192.0.2.1' : 'fd00::1', type, code, packet(line, options), {
    ...icmpOptions,
    link: 'raw',
  });
  return built.bytes.subarray(version4 ? 20 : 40);
}

function decode(bytes: Uint8Array, version: number): IcmpError & { decoded: boolean } {
  const out = createIcmpError();
  const decoded = decodeIcmpError(exactView(bytes), 0, bytes.length, version, out);
  return { ...out, decoded };
}

describe('decodeIcmpError', () => {
  test('decodes ICMP and the whole segment that it quotes', () => {
    const bytes = message(SYN4, 3, 13);
    const out = decode(bytes, 4);
    expect(out).toMatchObject({
      decoded: true,
      type: 3,
      code: 13,
      mtuBytes: 0,
      quotedVersion: 4,
      quotedOffset: 8,
      ipProtocol: IPPROTO_TCP,
      transportOffset: 28,
      hasPorts: true,
      sourcePort: 1234,
      destinationPort: 80,
      hasSeq: true,
      seq: 4_000_000_000,
      hasFlags: true,
      flags: 2,
    });
    expect(formatIpv4(exactView(bytes), out.sourceOffset)).toBe('10.0.0.1');
    expect(formatIpv4(exactView(bytes), out.destinationOffset)).toBe('10.0.0.2');
  });

  test('decodes ICMPv6, through the extension headers of the quote', () => {
    const extension = [1, 4, 0, 0, 0, 0];
    const bytes = message(
      SYN6,
      1,
      3,
      {},
      {
        ipv6Extensions: [
          [0, extension],
          [60, extension],
        ],
      },
    );
    const out = decode(bytes, 6);
    expect(out).toMatchObject({ decoded: true, quotedVersion: 6, transportOffset: 64, seq: 4_000_000_000, flags: 2 });
    expect(formatIpv6(exactView(bytes), out.sourceOffset)).toBe('2001:db8::1');
    expect(formatIpv6(exactView(bytes), out.destinationOffset)).toBe('2001:db8::2');
  });

  test('knows the next-hop MTU of both versions', () => {
    expect(decode(message(SYN4, 3, 4, { mtuBytes: 1400 }), 4).mtuBytes).toBe(1400);
    expect(decode(message(SYN6, 2, 0, { mtuBytes: 1280 }), 6).mtuBytes).toBe(1280);
    expect(decode(message(SYN4, 3, 1, { mtuBytes: 1400 }), 4).mtuBytes).toBe(0);
  });

  test('the quote that RFC 792 guarantees has ports and sequence number, but no flags', () => {
    expect(decode(message(SYN4, 11, 0, { quoteBytes: 28 }), 4)).toMatchObject({
      hasPorts: true,
      hasSeq: true,
      hasFlags: false,
      seq: 4_000_000_000,
    });
  });

  test('a quote that is padded with zeros to 128 bytes (RFC 4884) has no flags', () => {
    const short = message(SYN4, 11, 0, { quoteBytes: 28 });
    const padded = new Uint8Array(8 + 128 + 12);
    padded.set(short);
    padded[5] = 128 / 4;
    expect(decode(padded, 4)).toMatchObject({ hasSeq: true, hasFlags: false });
  });

  test('what follows the length of RFC 4884 is no quote', () => {
    const bytes = message(SYN4, 11, 0);
    bytes[5] = 6;
    expect(decode(bytes, 4)).toMatchObject({ quotedVersion: 4, hasPorts: true, hasSeq: false });
    const bytes6 = message(SYN6, 1, 0);
    bytes6[4] = 5;
    expect(decode(bytes6, 6)).toMatchObject({ quotedVersion: 6, hasPorts: false });
  });

  test('a quoted datagram has ports only', () => {
    expect(decode(message('0 10.0.0.1:5 > 10.0.0.2:53 udp (4)', 3, 3), 4)).toMatchObject({
      ipProtocol: IPPROTO_UDP,
      hasPorts: true,
      destinationPort: 53,
      hasSeq: false,
    });
  });

  test('a quoted later fragment has no ports', () => {
    expect(decode(message(SYN4, 11, 1, {}, { fragmentOffsetBytes: 8 }), 4)).toMatchObject({
      quotedVersion: 4,
      laterFragment: true,
      hasPorts: false,
    });
    expect(decode(message(SYN6, 3, 1, {}, { fragmentOffsetBytes: 8 }), 6)).toMatchObject({
      quotedVersion: 6,
      laterFragment: true,
      hasPorts: false,
    });
  });

  test('a message that is no error is not decoded', () => {
    expect(decode(message(SYN4, 5, 1), 4).decoded).toBe(false);
    expect(decode(message(SYN4, 8, 0), 4).decoded).toBe(false);
    expect(decode(message(SYN6, 137, 0), 6).decoded).toBe(false);
    expect(isIcmpError(6, 0)).toBe(false);
  });

  test('decodes as much as there is, wherever the capture ends', () => {
    const out = createIcmpError();
    for (const [bytes, version, ip] of [
      [message(SYN4, 3, 1), 4, 20],
      [message(SYN6, 1, 0), 6, 40],
    ] as const) {
      cutEverywhere(bytes, (view, length) => {
        expect(decodeIcmpError(view, 0, length, version, out)).toBe(length >= 8);
        expect(out.quotedVersion).toBe(length >= 8 + ip ? version : 0);
        expect(out.hasPorts).toBe(length >= 8 + ip + 4);
        expect(out.hasSeq).toBe(length >= 8 + ip + 8);
        expect(out.hasFlags).toBe(length >= 8 + ip + 14);
        decodeIcmpError(exactView(bytes), 0, length, version, out);
        expect(out.hasSeq).toBe(length >= 8 + ip + 8);
      });
    }
  });

  test('survives every flipped bit', () => {
    const out = createIcmpError();
    const options = { ipv6Extensions: [[0, [1, 4, 0, 0, 0, 0]]] } as const;
    flipEveryBit(message(SYN4, 3, 1), (view) => decodeIcmpError(view, 0, view.byteLength, 4, out));
    flipEveryBit(message(SYN6, 1, 0, {}, options), (view) => decodeIcmpError(view, 0, view.byteLength, 6, out));
  });
});

describe('names and implications', () => {
  test('come from the registry', () => {
    expect(icmpErrorName(4, 3, 13)).toBe('Communication Administratively Prohibited');
    expect(icmpErrorName(6, 1, 3)).toBe('Address Unreachable');
    expect(icmpErrorImplication(4, 3, 1)).toContain('ARP');
    expect(icmpErrorImplication(6, 1, 3)).toContain('neighbour discovery');
  });

  test('unknown codes are named by type, unknown types by number', () => {
    expect(icmpErrorName(4, 3, 99)).toBe('Destination Unreachable, Code 99');
    expect(icmpErrorName(4, 200, 1)).toBe('Type 200, Code 1');
    expect(icmpErrorImplication(4, 3, 99)).toBe('');
  });

  test('exist for errors only, and read as clauses', () => {
    for (const [key, { name, implication }] of Object.entries(ICMP_ERRORS)) {
      const [version, type] = key.split('/').map(Number);
      expect(isIcmpError(version!, type!)).toBe(true);
      expect(name).not.toBe('');
      expect(implication).toMatch(/^[a-z].*[^.]$/);
    }
  });
});
