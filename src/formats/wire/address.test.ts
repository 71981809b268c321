import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatIpv4, formatIpv6, parseAddress } from './address.ts';
import { exactView, hex } from './testing/bytes.ts';

const format6 = (text: string): string => formatIpv6(exactView(hex(text)), 0);

describe('formatIpv4', () => {
  test('writes a dotted quad, also above 127', () => {
    expect(formatIpv4(exactView(hex('00 c0a80001')), 1)).toBe('192.168.0.1');
    expect(formatIpv4(exactView(hex('ffffffff')), 0)).toBe('255.255.255.255');
  });
});

describe('formatIpv6 (RFC 5952 section 4)', () => {
  test.each([
    ['00000000000000000000000000000000', '::'],
    ['00000000000000000000000000000001', '::1'],
    ['20010db8000000000000000000000000', '2001:db8::'],
    ['20010db8000000000001000000000001', '2001:db8::1:0:0:1'],
    ['20010db8000000000000000100000001', '2001:db8::1:0:1'],
    ['20010db8000000010001000100010001', '2001:db8:0:1:1:1:1:1'],
    ['20010000000000010000000000000001', '2001:0:0:1::1'],
    ['fe80000000000000020000fffe000001', 'fe80::200:ff:fe00:1'],
    ['00010000000000000000000000000000', '1::'],
    ['0001000200030004000500060007abcd', '1:2:3:4:5:6:7:abcd'],
    ['00000000000000000000ffffc0000201', '::ffff:192.0.2.1'],
    ['0064ff9b0000000000000000c0000201', '64:ff9b::c000:201'],
  ])('%s is %s', (bytes, text) => {
    expect(format6(bytes)).toBe(text);
  });
});

describe('parseAddress', () => {
  test.each([
    ['10.0.0.1', '0a000001'],
    ['::', '00000000000000000000000000000000'],
    ['::1', '00000000000000000000000000000001'],
    ['2001:DB8::1', '20010db8000000000000000000000001'],
    ['1:2:3:4:5:6:7::', '00010002000300040005000600070000'],
    ['::2:3:4:5:6:7:8', '00000002000300040005000600070008'],
    ['::ffff:192.0.2.1', '00000000000000000000ffffc0000201'],
    ['1:2:3:4:5:6:192.0.2.1', '000100020003000400050006c0000201'],
  ])('takes %s', (text, bytes) => {
    expect(parseAddress(text)).toEqual(hex(bytes));
  });

  test.each([
    '',
    ' ',
    '1',
    '1.2.3',
    '1.2.3.4.5',
    '256.0.0.1',
    '01.2.3.4',
    '1.2.3.4 ',
    '+1.2.3.4',
    '1.2.3.0x4',
    '1..2.3',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4::5:6:7:8',
    '12345::',
    'g::',
    ':1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:',
    'fe80::1%eth0',
    '::1/128',
    '[::1]',
    '::1.2.3',
    '1.2.3.4::',
    '::1.2.3.4:5',
    '1:2:3:4:5:6:7:1.2.3.4',
  ])('refuses %j', (text) => {
    expect(parseAddress(text)).toBeUndefined();
  });

  test('reads back whatever was formatted', () => {
    const zeros = fc
      .uint8Array({ minLength: 16, maxLength: 16 })
      .map((bytes) => bytes.map((byte) => (byte > 60 ? 0 : byte)));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ minLength: 16, maxLength: 16 }), zeros), (bytes) => {
        expect(parseAddress(formatIpv6(exactView(bytes), 0))).toEqual(bytes);
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4, maxLength: 4 }), (bytes) => {
        expect(parseAddress(formatIpv4(exactView(bytes), 0))).toEqual(bytes);
      }),
    );
  });

  test('agrees with the URL standard about arbitrary text', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'0123af:.'), maxLength: 20 }), (text) => {
        if (text.includes(':')) expect(parseAddress(text) !== undefined).toBe(URL.canParse(`http://[${text}]/`));
      }),
      { numRuns: 2000 },
    );
  });
});
