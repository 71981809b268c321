import { describe, expect, it } from 'vitest';
import { assembleBpf, RET, runBpf } from '../formats/bpf/classic-bpf.ts';
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '../formats/wire/numbers.ts';
import { icmp, packet } from '../formats/wire/testing/packets.ts';
import { handshakeFilter } from './handshake-filter.ts';
import type { CaptureSpec } from './host.ts';

function verdict(spec: CaptureSpec, ip: Uint8Array, etherType?: number): number {
  const view = new DataView(ip.buffer, ip.byteOffset, ip.byteLength);
  const protocol = etherType ?? (ip[0]! >>> 4 === 4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6);
  return runBpf(handshakeFilter(spec), view, protocol);
}

const PAIRS = {
  4: ['10.0.0.1', '10.0.0.2', '192.0.2.9'],
  6: ['[2001:db8::1]', '[2001:db8::2]', '[2001:db8:7::9]'],
} as const;

describe.each([4, 6] as const)('IPv%s', (version) => {
  const [client, server] = PAIRS[version];
  const keeps = (spec: CaptureSpec, notation: string): boolean =>
    verdict(spec, packet(notation.replaceAll('C', client).replaceAll('S:', `${server}:`)).ip) > 0;

  it.each([
    'C:4000 > S:443 S 1 win 9 <mss 1460>',
    'S:443 > C:4000 S. 1 ack 2 win 9',
    'S:443 > C:4000 R. 1 ack 2 win 9',
    'C:4000 > S:443 F. 1:900(899) ack 2 win 9',
    'C:4000 > S:443 . 1 ack 2 win 9 <nop,nop,TS val 1 ecr 2>',
    'C:4000 > S:443 P. 1:21(20) ack 2 win 9',
  ])('keeps of its port, in both directions: %s', (notation) => {
    expect(keeps({ port: 443 }, `0 ${notation}`)).toBe(true);
    expect(keeps({}, `0 ${notation}`)).toBe(true);
    expect(keeps({ port: 80 }, `0 ${notation}`)).toBe(false);
  });

  it('leaves out bulk data and what is no TCP', () => {
    expect(keeps({ port: 443 }, '0 C:4000 > S:443 P. 1:1001(1000) ack 2 win 9')).toBe(false);
    expect(keeps({}, '0 S:443 > C:4000 P. 1:1001(1000) ack 2 win 9')).toBe(false);
    expect(keeps({}, '0 C:5353 > S:443 udp (20)')).toBe(false);
  });

  it('keeps what is exactly 120 bytes long, and nothing longer', () => {
    const headers = version === 4 ? 40 : 60;
    const room = 120 - headers;
    expect(keeps({ port: 443 }, `0 C:4000 > S:443 . 1:${1 + room}(${room}) ack 2 win 9`)).toBe(true);
    expect(keeps({ port: 443 }, `0 C:4000 > S:443 . 1:${2 + room}(${room + 1}) ack 2 win 9`)).toBe(false);
  });

  it('keeps segments of one peer', () => {
    const [, , other] = PAIRS[version];
    const syn = '0 C:4000 > S:443 S 1 win 9';
    const bare = (address: string): string => address.replace(/[[\]]/g, '');
    expect(keeps({ port: 443, peer: bare(client) }, syn)).toBe(true);
    expect(keeps({ peer: bare(server) }, syn)).toBe(true);
    expect(keeps({ port: 443, peer: bare(other) }, syn)).toBe(false);
    expect(keeps({ port: 443, peer: PAIRS[version === 4 ? 6 : 4][0].replace(/[[\]]/g, '') }, syn)).toBe(false);
  });

  it('keeps ICMP errors whatever they quote, and no echo', () => {
    const quoted = packet(`0 ${client}:4000 > ${server}:9 S 1 win 9`);
    const router = PAIRS[version][2].replace(/[[\]]/g, '');
    const types = version === 4 ? [3, 5, 11, 12] : [1, 2, 3, 4, 135, 136, 137];
    for (const type of types) expect(verdict({ port: 443 }, icmp(router, type, 0, quoted).ip), `${type}`).toBe(192);
    for (const type of version === 4 ? [0, 8, 13] : [128, 129, 133, 134, 143]) {
      expect(verdict({ port: 443 }, icmp(router, type, 0, quoted).ip), `${type}`).toBe(0);
    }
  });

  it('drops what is too short to tell, at every length', () => {
    const { ip } = packet(`0 ${client}:4000 > ${server}:443 S 1 win 9`);
    for (let length = 0; length < ip.length; length++) {
      const decidable = length >= (version === 4 ? 34 : 54);
      expect(verdict({ port: 443 }, ip.subarray(0, length), version === 4 ? 0x800 : 0x86dd) > 0).toBe(decidable);
    }
  });
});

it('finds the TCP header behind IPv4 options', () => {
  const { ip } = packet('0 10.0.0.1:4000 > 10.0.0.2:443 S 1 win 9', { ipv4Options: [7, 7, 4, 0, 0, 0, 0, 0] });
  expect(verdict({ port: 443 }, ip)).toBe(192);
  expect(verdict({ port: 80 }, ip)).toBe(0);
});

it('drops later fragments, which have no TCP header', () => {
  const { ip } = packet('0 10.0.0.1:4000 > 10.0.0.2:443 S 1 win 9', { fragmentOffsetBytes: 8, dontFragment: false });
  expect(verdict({ port: 443 }, ip)).toBe(0);
});

it('keeps IPv6 packets with extension headers', () => {
  const { ip } = packet('0 [2001:db8::1]:4000 > [2001:db8::2]:443 S 1 win 9', {
    ipv6Extensions: [[60, [1, 4, 0, 0, 0, 0]]],
  });
  expect(verdict({ port: 443 }, ip)).toBe(192);
});

it('keeps ARP and nothing of other protocols', () => {
  expect(verdict({ port: 443 }, new Uint8Array(28), ETHERTYPE_ARP)).toBe(192);
  expect(verdict({}, new Uint8Array(60), 0x88cc)).toBe(0);
});

it('keeps as many bytes as asked for', () => {
  expect(verdict({ snapLengthBytes: 96 }, packet('0 10.0.0.1:1 > 10.0.0.2:2 S 1 win 9').ip)).toBe(96);
});

it('takes a mapped peer for what it is, and none that is no address', () => {
  const { ip } = packet('0 10.0.0.1:4000 > 10.0.0.2:443 S 1 win 9');
  expect(verdict({ peer: '::ffff:10.0.0.1' }, ip)).toBe(192);
  expect(() => handshakeFilter({ peer: 'web7' })).toThrow('packets of web7 cannot be captured: it is no address');
});

it('jumps only forward, to labels that exist', () => {
  const jump = { operation: 0x15, operand: 1, ifTrue: 'end' };
  expect(() => assembleBpf([jump])).toThrow('instruction 0 cannot jump to end');
  expect(() => assembleBpf(['end', jump, { operation: RET, operand: 0 }])).toThrow('instruction 0 cannot jump to end');
});
