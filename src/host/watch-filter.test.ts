import { describe, expect, it } from 'vitest';
import { runBpf } from '../formats/bpf/classic-bpf.ts';
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '../formats/wire/numbers.ts';
import { icmp, packet } from '../formats/wire/testing/packets.ts';
import { isSampled, type WatchFilterSpec, watchFilter } from './watch-filter.ts';

const ALL: WatchFilterSpec = { sampled: [], restShift: 0, wide: [] };
const LOOPBACK_OUT = { packetType: 4, hardwareType: 772 };

const PAIRS = { 4: ['10.0.0.1', '10.0.0.2'], 6: ['[2001:db8::1]', '[2001:db8::2]'] } as const;

describe.each([4, 6] as const)('IPv%s', (version) => {
  const [client, server] = PAIRS[version];
  const etherType = version === 4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6;
  const keepsBytes = (spec: WatchFilterSpec, ip: Uint8Array, how?: typeof LOOPBACK_OUT): boolean =>
    runBpf(watchFilter(spec), new DataView(ip.buffer, ip.byteOffset, ip.byteLength), etherType, how) > 0;
  const keeps = (spec: WatchFilterSpec, notation: string, how?: typeof LOOPBACK_OUT): boolean =>
    keepsBytes(spec, packet(`0 ${notation.replaceAll('C', client).replaceAll('S:', `${server}:`)}`).ip, how);

  it('keeps what opens or refuses a connection, of every port, and nothing else', () => {
    expect(keeps(ALL, 'C:4000 > S:443 S 1 win 9')).toBe(true);
    expect(keeps(ALL, 'S:443 > C:4000 S. 1 ack 2 win 9')).toBe(true);
    expect(keeps(ALL, 'S:443 > C:4000 R. 0 ack 2 win 9')).toBe(true);
    for (const flags of ['.', 'F.', 'P.']) expect(keeps(ALL, `C:4000 > S:443 ${flags} 1 ack 2 win 9`)).toBe(false);
    expect(keeps(ALL, '0 C:5353 > S:443 udp (20)'.slice(2))).toBe(false);
  });

  it('keeps the ACKs and the end of ports that are looked at closely', () => {
    const spec = { ...ALL, wide: [443, 22] };
    for (const flags of ['.', 'F.', 'P.']) {
      expect(keeps(spec, `C:4000 > S:443 ${flags} 1 ack 2 win 9`)).toBe(true);
      expect(keeps(spec, `S:22 > C:4000 ${flags} 1 ack 2 win 9`)).toBe(true);
      expect(keeps(spec, `C:4000 > S:80 ${flags} 1 ack 2 win 9`)).toBe(false);
    }
    expect(keeps(spec, 'C:4000 > S:443 P. 1:1001(1000) ack 2 win 9')).toBe(false);
  });

  it('takes a packet on loopback once', () => {
    expect(keeps(ALL, 'C:4000 > S:443 S 1 win 9', LOOPBACK_OUT)).toBe(false);
    expect(keeps(ALL, 'C:4000 > S:443 S 1 win 9', { ...LOOPBACK_OUT, packetType: 0 })).toBe(true);
    expect(keeps(ALL, 'C:4000 > S:443 S 1 win 9', { ...LOOPBACK_OUT, hardwareType: 1 })).toBe(true);
  });

  it.each([
    ['a port', { ...ALL, sampled: [{ port: 443, shift: 3 }] }],
    ['all ports', { ...ALL, restShift: 3 }],
    ['a port among many', { ...ALL, restShift: 5, sampled: [80, 81, 82, 443].map((port) => ({ port, shift: 3 })) }],
  ])('takes all packets of one handshake in eight of %s, or none of them', (_, spec) => {
    let taken = 0;
    for (let i = 0; i < 4000; i++) {
      const isn = Math.imul(i, 0x2545f491) >>> 0;
      const next = (isn + 1) >>> 0;
      const wanted = isSampled(isn, 3);
      if (wanted) taken++;
      expect(keeps(spec, `C:4000 > S:443 S ${isn} win 9`)).toBe(wanted);
      if (i % 50 !== 0) continue;
      expect(keeps(spec, `S:443 > C:4000 S. 77 ack ${next} win 9`)).toBe(wanted);
      expect(keeps(spec, `S:443 > C:4000 R. 0 ack ${next} win 0`)).toBe(wanted);
      expect(keeps(spec, `C:4000 > S:443 R ${next} win 0`)).toBe(wanted);
    }
    expect(taken).toBeGreaterThan(400);
    expect(taken).toBeLessThan(600);
  });

  it('takes all of the other ports', () => {
    const spec = { ...ALL, sampled: [{ port: 443, shift: 16 }] };
    for (let isn = 1; isn < 50; isn++) expect(keeps(spec, `C:4000 > S:80 S ${isn} win 9`)).toBe(true);
  });

  it('does not let a flood through that always has the same number', () => {
    expect(isSampled(0, 1)).toBe(false);
    expect(keeps({ ...ALL, restShift: 1 }, 'C:4000 > S:443 S 0 win 9')).toBe(false);
  });

  it('keeps ICMP errors about TCP, and no others', () => {
    const router = version === 4 ? '10.0.0.254' : '2001:db8::fe';
    const tcp = packet(`0 ${client}:4000 > ${server}:443 S 1 win 9`);
    const udp = packet(`0 ${client}:5353 > ${server}:53 udp (20)`);
    const type = version === 4 ? 3 : 1;
    expect(keepsBytes(ALL, icmp(router, type, 1, tcp).ip)).toBe(true);
    expect(keepsBytes(ALL, icmp(router, type, 1, udp).ip)).toBe(false);
    expect(keepsBytes(ALL, icmp(router, version === 4 ? 0 : 129, 0, tcp).ip)).toBe(false);
  });
});

it('keeps ARP, and drops other protocols', () => {
  const arp = new DataView(new ArrayBuffer(28));
  expect(runBpf(watchFilter(ALL), arp, ETHERTYPE_ARP)).toBeGreaterThan(0);
  expect(runBpf(watchFilter(ALL), arp, 0x88cc)).toBe(0);
});
