import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { foldChecksum, sumWords } from '../../src/formats/wire/checksum.ts';
import { encodeTcpPacket, flagBits, type TcpPacket, usualOptions } from './tcp-packet.ts';

const SYN: TcpPacket = {
  source: '198.18.0.1',
  destination: '198.19.0.2',
  sourcePort: 40_000,
  destinationPort: 443,
  flags: 'S',
  seq: 0xffff_fff0,
  ack: 0,
  ttl: 64,
  options: usualOptions({ value: 1, echo: 2 }),
  payload: new Uint8Array(),
  badTcpChecksum: false,
  badIpChecksum: false,
};
const SYN6: TcpPacket = { ...SYN, source: '2001:db8::1', destination: '2001:db8::2' };

/** The sum over the segment and its pseudo header: 0 when the checksum is right. */
function tcpSum(packet: Uint8Array): number {
  const isV4 = packet[0]! >> 4 === 4;
  const start = isV4 ? 20 : 40;
  const addresses = sumWords(packet, isV4 ? 12 : 8, start);
  return foldChecksum(sumWords(packet, start, packet.length, addresses + 6 + packet.length - start));
}

describe('a packet made by hand', () => {
  it('has right checksums in both families, whatever it carries', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.boolean(), (payload, isV6) => {
        const packet = encodeTcpPacket({ ...(isV6 ? SYN6 : SYN), payload });
        expect(tcpSum(packet)).toBe(0);
        if (!isV6) expect(foldChecksum(sumWords(packet, 0, 20))).toBe(0);
      }),
    );
  });

  it('has a wrong checksum where that is asked for, and only there', () => {
    const badTcp = encodeTcpPacket({ ...SYN, badTcpChecksum: true });
    expect([tcpSum(badTcp) === 0, foldChecksum(sumWords(badTcp, 0, 20))]).toEqual([false, 0]);
    const badIp = encodeTcpPacket({ ...SYN, badIpChecksum: true });
    expect([tcpSum(badIp), foldChecksum(sumWords(badIp, 0, 20)) === 0]).toEqual([0, false]);
  });

  it('takes flags as tcpdump prints them', () => {
    expect([flagBits('S'), flagBits('SA'), flagBits('S.'), flagBits('RA'), flagBits(''), flagBits('SEW')]).toEqual([
      0x02, 0x12, 0x12, 0x14, 0, 0xc2,
    ]);
    expect(() => flagBits('X')).toThrow('X is no TCP flag');
  });

  it('refuses addresses of two families', () => {
    expect(() => encodeTcpPacket({ ...SYN, source: '2001:db8::1' })).toThrow('no packet goes from');
  });
});
