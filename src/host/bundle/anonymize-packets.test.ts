import { describe, expect, it } from 'vitest';
import { foldChecksum, sumWords } from '../../formats/wire/checksum.ts';
import { type BuiltPacket, icmp, packet } from '../../formats/wire/testing/packets.ts';
import { PacketAnonymizer } from './anonymize-packets.ts';
import { cutPayload } from './cut-payload.ts';
import { Pseudonyms } from './pseudonyms.ts';

const pseudonyms = new Pseudonyms(new TextEncoder().encode('another key'));
const anonymizer = new PacketAnonymizer(pseudonyms);

/** The packet with a cooked header and its addresses replaced. */
function replaced(built: BuiltPacket): Uint8Array {
  const bytes = Uint8Array.from(built.bytes);
  anonymizer.packet(new DataView(bytes.buffer), 0, bytes.length);
  return bytes;
}

function ipv4At(bytes: Uint8Array, at: number): string {
  return bytes.subarray(at, at + 4).join('.');
}

function pseudoSum(bytes: Uint8Array, ip: number, transport: number, protocol: number): number {
  const [from, to] = bytes[ip]! >>> 4 === 4 ? [ip + 12, ip + 20] : [ip + 8, ip + 40];
  return sumWords(bytes, from, to) + protocol + bytes.length - transport;
}

describe('packets', () => {
  it('of TCP over IPv4', () => {
    const bytes = replaced(packet('0 10.1.1.1:4000 > 192.0.2.7:443 S 1 win 9 <mss 1460>', { link: 'sll2' }));
    expect(ipv4At(bytes, 32)).toBe(pseudonyms.address('10.1.1.1'));
    expect(ipv4At(bytes, 36)).toBe(pseudonyms.address('192.0.2.7'));
    expect(foldChecksum(sumWords(bytes, 20, 40))).toBe(0);
    expect(foldChecksum(sumWords(bytes, 40, bytes.length, pseudoSum(bytes, 20, 40, 6)))).toBe(0);
  });

  it('of TCP over IPv6', () => {
    const bytes = replaced(packet('0 [2001:db8::1]:4000 > [2001:db8:9::2]:443 S 1 win 9', { link: 'sll2' }));
    expect(Buffer.from(bytes).includes(Buffer.from('20010db8', 'hex'))).toBe(false);
    expect(foldChecksum(sumWords(bytes, 60, bytes.length, pseudoSum(bytes, 20, 60, 6)))).toBe(0);
  });

  it('with a wrong checksum, which stays wrong', () => {
    const built = packet('0 10.1.1.1:4000 > 192.0.2.7:443 S 1 win 9', { link: 'sll2' });
    built.bytes[56]! ^= 0x11;
    const bytes = replaced(built);
    expect(foldChecksum(sumWords(bytes, 40, bytes.length, pseudoSum(bytes, 20, 40, 6)))).not.toBe(0);
  });

  it('of ICMP errors, with what they quote', () => {
    const quoted = packet('0 10.1.1.1:4000 > 192.0.2.7:443 S 1 win 9');
    const bytes = replaced(icmp('198.51.100.1', 3, 1, quoted, { link: 'sll2' }));
    expect(ipv4At(bytes, 32)).toBe(pseudonyms.address('198.51.100.1'));
    expect(ipv4At(bytes, 60)).toBe(pseudonyms.address('10.1.1.1'));
    expect(ipv4At(bytes, 64)).toBe(pseudonyms.address('192.0.2.7'));
    expect(foldChecksum(sumWords(bytes, 40, bytes.length))).toBe(0);
    expect(foldChecksum(sumWords(bytes, 48, 68))).toBe(0);
  });

  it('of ICMPv6 errors, with what they quote', () => {
    const quoted = packet('0 [2001:db8::1]:4000 > [2001:db8:9::2]:443 S 1 win 9');
    const bytes = replaced(icmp('2001:db8:5::1', 1, 0, quoted, { link: 'sll2' }));
    expect(Buffer.from(bytes).includes(Buffer.from('20010db8', 'hex'))).toBe(false);
    expect(foldChecksum(sumWords(bytes, 60, bytes.length, pseudoSum(bytes, 20, 60, 58)))).toBe(0);
  });

  it('of ARP and neighbour discovery', () => {
    const arp = Buffer.from(
      '0806000000000002000100065254001234560000' +
        '0001080006040001' +
        '525400123456' +
        '0a010101' +
        '000000000000' +
        '0a010102',
      'hex',
    );
    anonymizer.packet(new DataView(arp.buffer, arp.byteOffset, arp.length), 0, arp.length);
    expect(ipv4At(arp, 34)).toBe(pseudonyms.address('10.1.1.1'));
    expect(ipv4At(arp, 44)).toBe(pseudonyms.address('10.1.1.2'));
    expect(arp.includes(Buffer.from('525400123456', 'hex'))).toBe(false);
    expect(arp.subarray(28, 34)).toEqual(arp.subarray(12, 18));
    const solicitation = Buffer.concat([
      Buffer.from('86dd0000000000020001000652540012345600006000000000203aff', 'hex'),
      Buffer.from('20010db8000000000000000000000001', 'hex'),
      Buffer.from('ff0200000000000000000001ff000002', 'hex'),
      Buffer.from('8700000000000000', 'hex'),
      Buffer.from('20010db8000000000000000000000002', 'hex'),
      Buffer.from('0101525400123456', 'hex'),
    ]);
    anonymizer.packet(
      new DataView(solicitation.buffer, solicitation.byteOffset, solicitation.length),
      0,
      solicitation.length,
    );
    expect(solicitation.includes(Buffer.from('20010db8', 'hex'))).toBe(false);
    expect(solicitation.includes(Buffer.from('525400123456', 'hex'))).toBe(false);
  });

  it('cut at any byte or with any bit wrong do no harm', () => {
    const quoted = packet('0 [2001:db8::1]:4000 > [2001:db8:9::2]:443 S 1 win 9');
    const builts = [
      icmp('2001:db8:5::1', 1, 0, quoted, { link: 'sll2' }),
      packet('0 10.1.1.1:4000 > 192.0.2.7:443 S 1 win 9 <mss 1460>', { link: 'sll2' }),
      icmp('198.51.100.1', 5, 1, packet('0 10.1.1.1:4000 > 192.0.2.7:443 S 1 win 9'), { link: 'sll2' }),
    ];
    for (const { bytes } of builts) {
      for (let end = 20; end <= bytes.length; end++) {
        for (let bit = 0; bit < end * 8; bit += 7) {
          const damaged = bytes.slice(0, end);
          damaged[bit >> 3]! ^= 1 << (bit & 7);
          const view = new DataView(damaged.buffer);
          expect(cutPayload(view, 0, end)).toBeLessThanOrEqual(end);
          anonymizer.packet(view, 0, end);
        }
      }
    }
  });
});

describe('payload', () => {
  const kept = ({ bytes }: BuiltPacket): number => cutPayload(new DataView(bytes.slice().buffer), 0, bytes.length);

  it('of segments is cut, headers are not', () => {
    const syn = packet('0 10.1.1.1:4000 > 10.0.0.2:443 S 1 win 9 <mss 1460,sackOK>', { link: 'sll2' });
    expect(kept(syn)).toBe(syn.bytes.length);
    const data = packet('0 10.1.1.1:4000 > 10.0.0.2:443 P. 1:51(50) ack 1 win 9', { link: 'sll2' });
    expect(kept(data)).toBe(60);
    const v6 = packet('0 [2001:db8::1]:4000 > [2001:db8::2]:443 P. 1:51(50) ack 1 win 9', { link: 'sll2' });
    expect(kept(v6)).toBe(80);
  });

  it('of what ICMP errors quote is cut', () => {
    const data = packet('0 10.1.1.1:4000 > 10.0.0.2:443 P. 1:51(50) ack 1 win 9');
    expect(kept(icmp('10.9.9.9', 3, 1, data, { link: 'sll2' }))).toBe(20 + 28 + 40);
    const datagram = packet('0 10.1.1.1:5353 > 10.0.0.2:53 udp (100)');
    expect(kept(icmp('10.9.9.9', 3, 3, datagram, { link: 'sll2' }))).toBe(20 + 28 + 28);
  });
});
