import { describe, expect, test } from 'vitest';
import { foldChecksum, sumWords } from '../checksum.ts';
import { hex } from './bytes.ts';
import { icmp, packet, packets } from './packets.ts';

const SYN = '1.5 10.0.0.1:1234 > 10.0.0.2:80 S 1000:1000(0) win 64240 <mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7>';

describe('packet', () => {
  test('builds the bytes that the notation means', () => {
    const built = packet(SYN, { ttl: 63, ipId: 7 });
    expect(built.timeNs).toBe(1_500_000_000n);
    expect(built.linkType).toBe(1);
    expect(built.bytes.subarray(0, 14)).toEqual(hex('020000000002 020000000001 0800'));
    expect(built.ip.subarray(0, 10)).toEqual(hex('4500 003c 0007 4000 3f06'));
    expect(built.ip.subarray(12, 36)).toEqual(hex('0a000001 0a000002 04d2 0050 000003e8 00000000 a002 faf0'));
    expect(built.ip.subarray(40)).toEqual(hex('020405b4 0402 080a 00000001 00000000 01 030307'));
  });

  test('fills in checksums that verify', () => {
    const { ip } = packet('0 [fd00::1]:1 > [fd00::2]:2 P. 5:8(3) ack 9 win 1');
    expect(foldChecksum(sumWords(ip, 8, ip.length, 6 + ip.length - 40))).toBe(0);
    const v4 = packet(SYN).ip;
    expect(foldChecksum(sumWords(v4, 0, 20))).toBe(0);
    expect(foldChecksum(sumWords(v4, 12, v4.length, 6 + v4.length - 20))).toBe(0);
    const error = icmp('10.9.9.9', 3, 13, packet(SYN)).ip;
    expect(foldChecksum(sumWords(error, 20, error.length))).toBe(0);
  });

  test('cuts and pads frames', () => {
    const built = packet(SYN, { padToBytes: 100, snapBytes: 60 });
    expect([built.bytes.length, built.wireBytes]).toEqual([60, 100]);
  });

  test.each([
    '10.0.0.1:1 > 10.0.0.2:2 S 1',
    '0 10.0.0.1:1 > 10.0.0.2:2 X 1',
    '0 10.0.0.1:1 > 10.0.0.2:2 S 1:3(1)',
    '0 10.0.0.1:1 > 10.0.0.2:2 S 1 <mssx 1>',
    '0 10.0.0.1:1 > [fd00::1]:2 S 1',
    '0 10.0.0.256:1 > 10.0.0.2:2 S 1',
    '0 10.0.0.1:1 > 10.0.0.2:2 S 1 <md5,md5,md5>',
  ])('refuses %s', (line) => {
    expect(() => packet(line)).toThrow();
  });
});

describe('packets', () => {
  test('counts a + from the line before', () => {
    const times = packets(`
      // a SYN, retransmitted
      1.0 10.0.0.1:1 > 10.0.0.2:2 S 1
      +1  10.0.0.1:1 > 10.0.0.2:2 S 1 // the first time
      +2  10.0.0.1:1 > 10.0.0.2:2 S 1
    `).map(({ timeNs }) => Number(timeNs) / 1e9);
    expect(times).toEqual([1, 2, 4]);
  });
});

describe('icmp', () => {
  test('goes to the source of the packet that it quotes, a millisecond later', () => {
    const error = icmp('10.9.9.9', 3, 4, packet(SYN), { mtuBytes: 1400, quoteBytes: 28 });
    expect(error.timeNs).toBe(1_501_000_000n);
    expect(error.ip.subarray(12, 22)).toEqual(hex('0a090909 0a000001 0304'));
    expect(error.ip.subarray(24, 28)).toEqual(hex('00000578'));
    expect(error.ip.length).toBe(20 + 8 + 28);
  });
});
