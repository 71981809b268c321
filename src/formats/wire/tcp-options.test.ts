import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  createTcpOptions,
  decodeTcpOptions,
  FAST_OPEN_COOKIE,
  FAST_OPEN_REQUEST,
  MPTCP_CAPABLE,
  MPTCP_JOIN,
  MPTCP_OTHER,
  type TcpOptions,
} from './tcp-options.ts';
import { exactView, hex } from './testing/bytes.ts';
import { cutEverywhere, flipEveryBit } from './testing/damage.ts';
import { packet } from './testing/packets.ts';

const NONE = createTcpOptions();

function segment(options: string): Uint8Array {
  const line = `0 10.0.0.1:1 > 10.0.0.2:2 S 0 win 1 <${options}>`;
  return packet(line, { link: 'raw' }).bytes.subarray(20);
}

function decode(options: string): TcpOptions {
  const out = createTcpOptions();
  const bytes = segment(options);
  decodeTcpOptions(exactView(bytes), 0, bytes.length, out);
  return out;
}

describe('decodeTcpOptions', () => {
  test('decodes the SYN of Linux', () => {
    expect(decode('mss 1460,sackOK,TS val 4294967295 ecr 7,nop,wscale 7')).toEqual({
      ...NONE,
      hasMss: true,
      mssBytes: 1460,
      sackPermitted: true,
      hasTimestamps: true,
      tsval: 0xffff_ffff,
      tsecr: 7,
      hasWindowScale: true,
      windowScaleShift: 7,
    });
  });

  test.each<[string, Partial<TcpOptions>]>([
    ['', {}],
    ['FO', { fastOpen: FAST_OPEN_REQUEST }],
    ['FO 0011223344556677', { fastOpen: FAST_OPEN_COOKIE }],
    ['FOEXP', { fastOpen: FAST_OPEN_REQUEST }],
    ['FOEXP 00112233', { fastOpen: FAST_OPEN_COOKIE }],
    ['raw fe04 1234', {}],
    ['mp_capable', { mptcp: MPTCP_CAPABLE }],
    ['mp_join', { mptcp: MPTCP_JOIN }],
    ['raw 1e03 20', { mptcp: MPTCP_OTHER }],
    ['md5', { md5: true }],
    ['ao', { ao: true }],
    ['sack 1:2 3:4', {}],
    ['eol,mss 1460', {}],
    ['raw 63 04 0000,mss 536', { hasMss: true, mssBytes: 536 }],
  ])('%s', (options, expected) => {
    expect(decode(options)).toEqual({ ...NONE, ...expected });
  });

  test.each<[string, Partial<TcpOptions>]>([
    ['raw 0203 05,mss 9', { hasMss: true, mssBytes: 9 }],
    ['raw 0300', {}],
    ['raw 0301', {}],
    ['nop,nop,nop,raw 02', {}],
    ['nop,nop,raw 0204', {}],
    ['raw 0803 00', {}],
    ['raw 2205 aabbcc', {}],
    ['raw 1302', {}],
    ['raw 1d03 00', {}],
    ['raw 1e02', {}],
    ['raw 0506 00000000', {}],
  ])('%s is malformed', (options, expected) => {
    expect(decode(options)).toEqual({ ...NONE, ...expected, malformed: true });
  });

  test('a data offset below five is malformed and leaves no room for options', () => {
    const bytes = segment('mss 1460');
    bytes[12] = 0x40;
    const out = createTcpOptions();
    decodeTcpOptions(exactView(bytes), 0, bytes.length, out);
    expect(out).toEqual({ ...NONE, malformed: true });
  });

  test('says that it was cut wherever the capture ends, and keeps what came before', () => {
    const bytes = segment('mss 1460,sackOK,TS val 1 ecr 2,nop,wscale 7');
    const out = createTcpOptions();
    cutEverywhere(bytes, (view, length) => {
      decodeTcpOptions(view, 0, length, out);
      expect(out.cut).toBe(true);
      expect(out.malformed).toBe(false);
      expect(out.hasMss).toBe(length >= 24);
      expect(out.sackPermitted).toBe(length >= 26);
      expect(out.hasTimestamps).toBe(length >= 36);
      // `end` alone bounds it as well.
      decodeTcpOptions(exactView(bytes), 0, length, out);
      expect(out.cut).toBe(true);
    });
  });

  test('survives every flipped bit, and bytes that nobody meant', () => {
    const out = createTcpOptions();
    flipEveryBit(segment('mss 1460,sackOK,TS val 1 ecr 2,nop,wscale 7,FO 00112233,mp_capable'), (view) =>
      decodeTcpOptions(view, 0, view.byteLength, out),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(70), (bytes, offset) => {
        decodeTcpOptions(exactView(bytes), offset, bytes.length, out);
      }),
    );
  });

  test('reads back what the builder wrote', () => {
    const u32 = fc.nat(0xffff_ffff);
    fc.assert(
      fc.property(fc.nat(0xffff), fc.nat(255), u32, u32, fc.boolean(), (mssBytes, shift, tsval, tsecr, sack) => {
        const text = `mss ${mssBytes},wscale ${shift},TS val ${tsval} ecr ${tsecr}${sack ? ',sackOK' : ''}`;
        const out = decode(text);
        expect(out).toMatchObject({ mssBytes, windowScaleShift: shift, tsval, tsecr, sackPermitted: sack, cut: false });
      }),
    );
  });

  test('an empty buffer is cut', () => {
    const out = createTcpOptions();
    decodeTcpOptions(exactView(hex('')), 0, 0, out);
    expect(out).toEqual({ ...NONE, cut: true });
  });
});
