import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseAddress } from '../../formats/wire/address.ts';
import { replaceAddresses } from './address-text.ts';
import { Pseudonyms } from './pseudonyms.ts';

const key = new TextEncoder().encode('a key');
const pseudonyms = new Pseudonyms(key, ['10.1.2.255', '10.9.15.255']);

function sharedBits(a: string, b: string): number {
  const [one, two] = [parseAddress(a)!, parseAddress(b)!];
  let bits = 0;
  for (let bit = 0; bit < one.length * 8; bit++) {
    if (((one[bit >> 3]! ^ two[bit >> 3]!) & (0x80 >> (bit & 7))) !== 0) break;
    bits++;
  }
  return bits;
}

const ipv4 = fc.ipV4();
const ipv6 = fc.ipV6().map((text) => {
  const view = parseAddress(text)!;
  return Buffer.from(view).toString('hex').match(/.{4}/g)!.join(':');
});

describe('addresses', () => {
  it('that share their first bits still do, and no more than before', () => {
    for (const address of [ipv4, ipv6]) {
      fc.assert(
        fc.property(address, address, fc.nat(31), (first, other, kept) => {
          // Addresses at random share few bits: give the second the first bits of the first.
          const [a, b] = [parseAddress(first)!, parseAddress(other)!];
          for (let bit = 0; bit < kept; bit++) {
            const mask = 0x80 >> (bit & 7);
            b[bit >> 3] = (b[bit >> 3]! & ~mask) | (a[bit >> 3]! & mask);
          }
          const second = a.length === 4 ? b.join('.') : Buffer.from(b).toString('hex').match(/.{4}/g)!.join(':');
          const isMapped = a.length === 16 && (b.slice(0, 10).every((byte) => byte === 0) || a[0] === 0);
          if (isMapped) return;
          const [pa, pb] = [pseudonyms.address(first), pseudonyms.address(second)];
          expect(sharedBits(pa, pb)).toBe(sharedBits(first, second));
        }),
      );
    }
  });

  it.each([
    '0.0.0.0',
    '127.0.0.1',
    '255.255.255.255',
    '255.255.254.0',
    '224.0.0.251',
    '::',
    '::1',
    'ff02::1',
    'ff02::2',
  ])('%s means the same everywhere and stays', (address) => {
    expect(pseudonyms.address(address)).toBe(address);
  });

  it.each([
    ['10.1.2.3', /^10\./],
    ['192.168.7.7', /^192\.168\./],
    ['172.17.0.2', /^172\.(1[6-9]|2\d|3[01])\./],
    ['169.254.1.1', /^169\.254\./],
    ['fe80::1234:5678:9abc:def0', /^fe80::/],
    ['fd12:3456::1', /^f[cd]/],
    ['2001:db8::1', /^[23]/],
    ['::ffff:10.1.2.3', /^::ffff:10\./],
    ['ff02::1:ff12:3456', /^ff02::1:ff/],
  ])('%s becomes another of its kind', (address, kind) => {
    const pseudonym = pseudonyms.address(address);
    expect(pseudonym).toMatch(kind);
    expect(pseudonym).not.toBe(address);
    expect(pseudonyms.address(address)).toBe(pseudonym);
  });

  it('that are global do not become private or special ones', () => {
    fc.assert(
      fc.property(ipv4, (address) => {
        const kind = (text: string): string =>
          /^(0|10|127|169\.254|192\.168|172\.(?:1[6-9]|2\d|3[01])|2(?:2[4-9]|[3-5]\d))\./.exec(text)?.[0].slice(0, 2) ??
          '';
        expect(kind(pseudonyms.address(address))).toBe(kind(address));
      }),
    );
  });

  it('behind a mapped prefix are those of IPv4', () => {
    expect(pseudonyms.address('::ffff:10.1.2.3')).toBe(`::ffff:${pseudonyms.address('10.1.2.3')}`);
  });

  it('of networks keep their zeros, those of broadcasts their ones', () => {
    expect(pseudonyms.network('10.1.2.0', 24)).toMatch(/^10\.\d+\.\d+\.0$/);
    expect(sharedBits(pseudonyms.network('10.1.2.0', 24), pseudonyms.address('10.1.2.77'))).toBeGreaterThanOrEqual(24);
    expect(pseudonyms.network('2001:db8:7::', 48)).toMatch(/^[0-9a-f]+:[0-9a-f]+:[0-9a-f]+::$/);
    expect(pseudonyms.network('10.1.2.77', 24)).toBe(pseudonyms.address('10.1.2.77'));
    expect(pseudonyms.address('10.1.2.255')).toMatch(/\.255$/);
    expect(Number(/\.(\d+)\.255$/.exec(pseudonyms.address('10.9.15.255'))?.[1]) & 15).toBe(15);
  });

  it('of another key are others', () => {
    expect(new Pseudonyms(Uint8Array.of(7)).address('203.0.113.9')).not.toBe(pseudonyms.address('203.0.113.9'));
  });
});

describe('MAC addresses', () => {
  const mac = (text: string): string => {
    const bytes = Buffer.from(text, 'hex');
    pseudonyms.macBytes(bytes);
    return bytes.toString('hex');
  };
  it('stay those of one device or of a group', () => {
    expect(mac('000000000000')).toBe('000000000000');
    expect(mac('ffffffffffff')).toBe('ffffffffffff');
    expect(mac('01005e0000fb')).toBe('01005e0000fb');
    expect(mac('3333ff123456')).toMatch(/^3333ff(?!123456)/);
    expect(mac('525400123456')).not.toBe('525400123456');
    expect(Number.parseInt(mac('525400123456').slice(0, 2), 16) & 3).toBe(2);
  });
});

describe('texts', () => {
  const replace = (text: string): string =>
    replaceAddresses(text, {
      address: (address, length) => `<${address}${length === undefined ? '' : `|${length}`}>`,
      mac: () => '0a0b0c0d0e0f',
    });

  it.each([
    ['default via 10.0.0.1 dev eth0', 'default via <10.0.0.1> dev eth0'],
    ['10.0.0.0/24 dev eth0 src 10.0.0.5', '<10.0.0.0|24>/24 dev eth0 src <10.0.0.5>'],
    ['10.0.0.1-10.0.0.9,10.0.0.12.', '<10.0.0.1>-<10.0.0.9>,<10.0.0.12>.'],
    ['src=10.0.0.1:443 10.0.0.2%eth0:80', 'src=<10.0.0.1>:443 <10.0.0.2>%eth0:80'],
    ['[2001:db8::1]:443 [::ffff:10.0.0.1]:80', '[<2001:db8::1>]:443 [<::ffff:10.0.0.1>]:80'],
    ['2001:DB8:0:0:0:0:0:1 fe80::1%eth0 ::1', '<2001:db8::1> <fe80::1>%eth0 <::1>'],
    ['2001:db8::/64 from 2001:db8::1: icmp', '<2001:db8::|64>/64 from <2001:db8::1>: icmp'],
    ['"dst":"10.0.0.0","dstlen":8', '"dst":"<10.0.0.0|8>","dstlen":8'],
    ['{"addr": "10.0.0.0", "len": 8}', '{"addr": "<10.0.0.0|8>", "len": 8}'],
    ['link/ether 52:54:00:12:34:56 brd', 'link/ether 0a:0b:0c:0d:0e:0f brd'],
    ['MAC=52:54:00:12:34:56:52:54:00:12:34:57:08:00', 'MAC=0a:0b:0c:0d:0e:0f:0a:0b:0c:0d:0e:0f:08:00'],
    ['1.0.0.10.in-addr.arpa', '>10.0.0.1<.in-addr.arpa'.replace('>10.0.0.1<', '1>.0.0.<10')],
    ['at 12:34:56.789 on 2026-11-21T05:06:07', 'at 12:34:56.789 on 2026-11-21T05:06:07'],
    ['kernel 6.18.44 and 999.1.1.1', 'kernel 6.18.44 and 999.1.1.1'],
    ['a::b::c eth0:: std', '<a::b>::c eth0:: std'],
  ])('%s', (text, replaced) => {
    const got = replace(text);
    expect(got.replace(/<::>/g, '::')).toBe(replaced);
  });

  it('keep the form of whole addresses', () => {
    const padded = 'src=2001:0db8:0000:0000:0000:0000:0000:0001 dst';
    expect(replaceAddresses(padded, { address: (address) => address, mac: (mac) => mac })).toBe(padded);
  });

  it('of any kind do no harm', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(':', '.', '0', 'f', '1', '/', ' ', '%'), maxLength: 400 }),
        (text) => {
          replace(text);
        },
      ),
    );
  });
});
