import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatIpv4, formatIpv6 } from './address.ts';
import { dissect } from './dissect.ts';
import {
  CONTENT_ICMP,
  CONTENT_ICMPV6,
  CONTENT_NONE,
  CONTENT_OTHER,
  CONTENT_TCP,
  createLayers,
  type Layers,
  MAX_TUNNELS,
  TUNNEL_GENEVE,
  TUNNEL_GRE,
  TUNNEL_IPIP,
  TUNNEL_MPLS,
  TUNNEL_PPPOE,
  TUNNEL_VLAN,
  TUNNEL_VXLAN,
} from './layers.ts';
import { exactView, hex, join } from './testing/bytes.ts';
import { cutEverywhere, flipEveryBit } from './testing/damage.ts';
import type { LinkName, Tunnel } from './testing/encapsulate.ts';
import { type BuiltPacket, icmp, packet } from './testing/packets.ts';

const SYN4 = '0 10.0.0.1:1234 > 10.0.0.2:80 S 1000 win 64240 <mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7>';
const SYN6 = '0 [2001:db8::1]:1234 > [2001:db8::2]:80 S 1000 win 64240 <mss 1440,sackOK,TS val 1 ecr 0,nop,wscale 7>';
const OUTER4 = { from: '192.0.2.1', to: '192.0.2.2' };
const OUTER6 = { from: 'fd00::1', to: 'fd00::2' };

function run({ bytes, linkType }: Pick<BuiltPacket, 'bytes' | 'linkType'>): Layers {
  const layers = createLayers();
  dissect(exactView(bytes), 0, bytes.length, linkType, layers);
  return layers;
}

function tunnelsOf(layers: Layers): (readonly [number, number])[] {
  return Array.from({ length: layers.tunnelCount }, (_, i) => [layers.tunnelKind[i]!, layers.tunnelId[i]!] as const);
}

/** Checks that `layers` are those of SYN4 or SYN6 at the very end of the packet. */
function expectSyn(built: BuiltPacket, line: string): Layers {
  const layers = run(built);
  const view = exactView(built.bytes);
  const version = line === SYN4 ? 4 : 6;
  const end = built.bytes.length;
  expect(layers).toMatchObject({
    content: CONTENT_TCP,
    ipVersion: version,
    ipOffset: end - built.ip.length,
    ipProtocol: 6,
    transportOffset: end - 40,
    transportBytes: 40,
    end,
    cut: false,
    malformed: false,
    firstFragment: false,
    laterFragment: false,
  });
  expect(view.getUint16(layers.transportOffset)).toBe(1234);
  if (version === 4) expect(formatIpv4(view, layers.ipOffset + 12)).toBe('10.0.0.1');
  else expect(formatIpv6(view, layers.ipOffset + 8)).toBe('2001:db8::1');
  return layers;
}

const TUNNELS: readonly [name: string, tunnels: readonly Tunnel[], seen: readonly (readonly [number, number])[]][] = [
  ['no tunnel', [], []],
  ['VLAN', [{ kind: 'vlan', id: 100 }], [[TUNNEL_VLAN, 100]]],
  [
    'QinQ of all EtherTypes',
    [
      { kind: 'vlan', id: 1, etherType: 0x88a8 },
      { kind: 'vlan', id: 2, etherType: 0x9100 },
      { kind: 'vlan', id: 3, etherType: 0x9200 },
      { kind: 'vlan', id: 4094 },
    ],
    [
      [TUNNEL_VLAN, 1],
      [TUNNEL_VLAN, 2],
      [TUNNEL_VLAN, 3],
      [TUNNEL_VLAN, 4094],
    ],
  ],
  [
    'MPLS',
    [
      { kind: 'mpls', label: 16 },
      { kind: 'mpls', label: 0xfffff },
    ],
    [
      [TUNNEL_MPLS, 16],
      [TUNNEL_MPLS, 0xfffff],
    ],
  ],
  ['PPPoE', [{ kind: 'pppoe', session: 77 }], [[TUNNEL_PPPOE, 77]]],
  ['IP in IPv4', [{ kind: 'ipip', ...OUTER4 }], [[TUNNEL_IPIP, 0]]],
  ['IP in IPv6', [{ kind: 'ipip', ...OUTER6 }], [[TUNNEL_IPIP, 0]]],
  ['GRE', [{ kind: 'gre', ...OUTER4 }], [[TUNNEL_GRE, 0]]],
  [
    'GRE with everything',
    [{ kind: 'gre', ...OUTER6, key: 0xdeadbeef, checksum: true, sequence: 9, ethernet: true }],
    [[TUNNEL_GRE, 0xdeadbeef]],
  ],
  [
    'GRE of MPLS',
    [
      { kind: 'gre', ...OUTER4 },
      { kind: 'mpls', label: 5 },
    ],
    [
      [TUNNEL_GRE, 0],
      [TUNNEL_MPLS, 5],
    ],
  ],
  [
    'MPLS in IP',
    [
      { kind: 'ipip', ...OUTER4 },
      { kind: 'mpls', label: 5 },
    ],
    [[TUNNEL_MPLS, 5]],
  ],
  [
    'VXLAN between VLANs',
    [
      { kind: 'vlan', id: 7 },
      { kind: 'vxlan', ...OUTER4, vni: 0xffffff },
      { kind: 'vlan', id: 8 },
    ],
    [
      [TUNNEL_VLAN, 7],
      [TUNNEL_VXLAN, 0xffffff],
      [TUNNEL_VLAN, 8],
    ],
  ],
  ['VXLAN of old Linux', [{ kind: 'vxlan', ...OUTER6, vni: 1, port: 8472 }], [[TUNNEL_VXLAN, 1]]],
  ['Geneve', [{ kind: 'geneve', ...OUTER4, vni: 42, options: [0, 1, 2, 1, 9, 9, 9, 9] }], [[TUNNEL_GENEVE, 42]]],
  [
    'as many as are followed',
    Array.from({ length: MAX_TUNNELS }, (_, id): Tunnel => ({ kind: 'vlan', id })),
    Array.from({ length: MAX_TUNNELS }, (_, id) => [TUNNEL_VLAN, id] as const),
  ],
];

describe.each([SYN4, SYN6])('dissect %s', (line) => {
  test.each(TUNNELS)('in %s', (_name, tunnels, seen) => {
    expect(tunnelsOf(expectSyn(packet(line, { tunnels }), line))).toEqual(seen);
  });

  test.each<LinkName>([
    'ethernet',
    'sll',
    'sll2',
    'raw',
    'raw12',
    'raw14',
    'null',
    'loop',
    'ppp',
    'ppp-hdlc',
  ])('on link type %s', (link) => {
    expect(tunnelsOf(expectSyn(packet(line, { link }), line))).toEqual([]);
  });

  test('on LINKTYPE_PPP_ETHER', () => {
    expectSyn(packet(line, { link: 'ppp-ether', tunnels: [{ kind: 'pppoe', session: 1 }] }), line);
  });

  test('on LINKTYPE_IPV4 and LINKTYPE_IPV6', () => {
    const built = packet(line, { link: 'raw' });
    expectSyn({ ...built, linkType: line === SYN4 ? 228 : 229 }, line);
    expect(run({ ...built, linkType: line === SYN4 ? 229 : 228 })).toMatchObject({
      content: CONTENT_NONE,
      malformed: true,
    });
  });

  test('knows the direction from cooked captures', () => {
    for (const link of ['sll', 'sll2'] as const) {
      expect(run(packet(line, { link, outgoing: true })).direction).toBe(2);
      expect(run(packet(line, { link, outgoing: false })).direction).toBe(1);
    }
    expect(run(packet(line)).direction).toBe(0);
  });

  test('drops the padding of Ethernet', () => {
    const built = packet(line, { padToBytes: 200 });
    expect(run(built)).toMatchObject({ end: 14 + built.ip.length, transportBytes: 40 });
  });

  test('takes a length of 0 for everything that was captured', () => {
    expectSyn(packet(line, { ipLength: 0 }), line);
    expectSyn(packet(line, { ipLength: 0, tunnels: [{ kind: 'ipip', ...OUTER4 }] }), line);
  });

  test('knows the length on the wire of a packet that was cut behind its headers', () => {
    const data = line.replace(' S 1000', ' . 1:1001(1000)');
    expect(run(packet(data, { snapBytes: 130 }))).toMatchObject({ transportBytes: 1040, end: 130, cut: false });
  });

  test('takes the first fragment, and leaves the others', () => {
    const first = run(packet(line, { moreFragments: true, dontFragment: false }));
    expect(first).toMatchObject({ content: CONTENT_TCP, firstFragment: true, laterFragment: false, cut: false });
    const later = run(packet(line, { fragmentOffsetBytes: 80, dontFragment: false }));
    expect(later).toMatchObject({ content: CONTENT_OTHER, firstFragment: false, laterFragment: true });
  });

  test('finds an ICMP error', () => {
    const built = icmp(line === SYN4 ? '192.0.2.9' : 'fd00::9', line === SYN4 ? 3 : 1, 1, packet(line), { vlan: [3] });
    expect(run(built)).toMatchObject({
      content: line === SYN4 ? CONTENT_ICMP : CONTENT_ICMPV6,
      transportBytes: 8 + packet(line).ip.length,
      tunnelCount: 1,
      cut: false,
    });
  });

  test('says that it was cut wherever the capture ends', () => {
    for (const [, tunnels] of TUNNELS) {
      const { bytes } = packet(line, { tunnels });
      const layers = createLayers();
      cutEverywhere(bytes, (view, length) => {
        dissect(view, 0, length, 1, layers);
        expect(layers).toMatchObject({ cut: true, malformed: false, end: length });
        // `end` alone bounds it as well, and so does the view.
        dissect(exactView(bytes), 0, length, 1, layers);
        expect(layers).toMatchObject({ cut: true, malformed: false, end: length });
        dissect(view, 0, bytes.length, 1, layers);
        expect(layers).toMatchObject({ cut: true, malformed: false, end: length });
      });
    }
  });

  test('survives every flipped bit', () => {
    for (const [, tunnels] of TUNNELS) {
      const layers = createLayers();
      flipEveryBit(packet(line, { tunnels }).bytes, (view) => {
        dissect(view, 0, view.byteLength, 1, layers);
        expectSound(layers, view.byteLength);
      });
    }
  });
});

/** What holds for any packet whatsoever. */
function expectSound(layers: Layers, end: number): void {
  expect(layers.end).toBeLessThanOrEqual(end);
  expect(layers.tunnelCount).toBeLessThanOrEqual(MAX_TUNNELS);
  expect(layers.transportBytes).toBeGreaterThanOrEqual(0);
  if (layers.content === CONTENT_TCP && !layers.cut && !layers.malformed) {
    expect(layers.transportOffset + 20).toBeLessThanOrEqual(layers.end);
    expect(layers.ipOffset).toBeLessThan(layers.transportOffset);
  }
}

describe('dissect', () => {
  test('walks IPv4 options and IPv6 extension headers', () => {
    expectSyn(packet(SYN4, { ipv4Options: [1, 1, 1, 0] }), SYN4);
    const six = [1, 4, 0, 0, 0, 0];
    const authentication = [0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4];
    const layers = run(
      packet(SYN6, {
        ipv6Extensions: [
          [0, six],
          [43, six],
          [44, six.map(() => 0)],
          [51, authentication],
          [60, six],
          [135, six],
        ],
      }),
    );
    expect(layers).toMatchObject({
      content: CONTENT_TCP,
      ipProtocol: 6,
      transportBytes: 40,
      malformed: false,
      cut: false,
    });
    expect(run(packet(SYN6, { ipv6Extensions: [[50, six]] })).content).toBe(CONTENT_OTHER);
  });

  test('takes the address family of loopback in both byte orders', () => {
    const ip = packet(SYN6).ip;
    for (const family of [10, 23, 24, 28, 30]) {
      for (const bytes of [join(family, 0, 0, 0, ip), join(0, 0, 0, family, ip)]) {
        expect(run({ bytes, linkType: 0 })).toMatchObject({ content: CONTENT_TCP, ipVersion: 6, ipOffset: 4 });
        expect(run({ bytes, linkType: 108 })).toMatchObject({ content: CONTENT_TCP, ipVersion: 6, ipOffset: 4 });
      }
    }
    expect(run({ bytes: join(7, 0, 0, 0, ip), linkType: 0 }).content).toBe(CONTENT_NONE);
  });

  test('reads LLC with SNAP, and Cisco HDLC, compressed PPP and NFLOG', () => {
    const { ip } = packet(SYN4);
    const snap = join(hex('020000000002 020000000001'), 0, 8 + ip.length, hex('aaaa03 000000 0800'), ip, [0, 0, 0, 0]);
    expect(run({ bytes: snap, linkType: 1 })).toMatchObject({
      content: CONTENT_TCP,
      ipOffset: 22,
      end: 22 + ip.length,
    });
    expect(run({ bytes: join(hex('0f00 0800'), ip), linkType: 50 })).toMatchObject({
      content: CONTENT_TCP,
      ipOffset: 4,
    });
    expect(run({ bytes: join(hex('ff03 21'), ip), linkType: 50 })).toMatchObject({ content: CONTENT_TCP, ipOffset: 3 });
    const nflog = join(hex('02 00 0005 0500 0a00 41000000'), 4 + ip.length, 0, hex('0900'), ip);
    expect(run({ bytes: nflog, linkType: 239 })).toMatchObject({ content: CONTENT_TCP, ipOffset: 16 });
  });

  test('reads ERSPAN, and PPTP', () => {
    const { bytes: frame, ip } = packet(SYN4);
    const gre = (text: string, inner: Uint8Array): BuiltPacket => {
      const body = join(hex(text), inner);
      const header = join(
        hex('4500'),
        (body.length + 20) >> 8,
        (body.length + 20) & 255,
        hex('0000 0000 402f 0000 c0000201 c0000202'),
      );
      return { ...packet(SYN4), bytes: join(header, body), linkType: 101 };
    };
    for (const [header, inner, session] of [
      ['0000 88be', frame, 0],
      ['1000 88be 00000001 1001 0123 00000000', frame, 0x123],
      ['1000 22eb 00000001 2001 0123 00000000 0000 0000', frame, 0x123],
      ['1000 22eb 00000001 2001 0123 00000000 0000 0801 0000000000000000', ip, 0x123],
      ['3081 880b 003e0007 00000001 00000002 ff03 0021', ip, 7],
      ['0000 883e 00000000', ip, 0],
    ] as const) {
      const layers = run(gre(header, inner));
      expect(layers).toMatchObject({ content: CONTENT_TCP, transportBytes: 40, cut: false, malformed: false });
      expect(tunnelsOf(layers)).toEqual([[TUNNEL_GRE, session]]);
    }
  });

  test('finds Ethernet in MPLS with and without a control word', () => {
    const inner = packet(SYN4).bytes.slice();
    for (const start of ['00010140', '00010140 00000000']) {
      const bytes = join(hex('020000000002 020000000001 8847'), hex(start), inner);
      expect(run({ bytes, linkType: 1 })).toMatchObject({ content: CONTENT_TCP, malformed: false });
    }
  });

  test('stops at more encapsulations than it can note', () => {
    const vlan = Array.from({ length: MAX_TUNNELS + 1 }, (_, id) => id);
    expect(run(packet(SYN4, { vlan }))).toMatchObject({ content: CONTENT_NONE, tunnelCount: MAX_TUNNELS, cut: false });
  });

  test('takes a datagram to a tunnel port without its header for what it is', () => {
    const layers = run(packet('0 10.0.0.1:5 > 10.0.0.2:4789 udp (60)'));
    expect(layers).toMatchObject({ content: CONTENT_OTHER, ipProtocol: 17, tunnelCount: 0, malformed: false });
  });

  test.each<[string, (ip: Uint8Array) => void, Partial<Layers>]>([
    ['an IHL below 5', (ip) => ip.fill(0x44, 0, 1), { content: CONTENT_NONE }],
    ['a version that is not the EtherType', (ip) => ip.fill(0x55, 0, 1), { content: CONTENT_NONE }],
    ['a total length below the header', (ip) => ip.set([0, 19], 2), { content: CONTENT_NONE }],
    ['a total length that cuts the TCP header', (ip) => ip.set([0, 39], 2), { content: CONTENT_TCP }],
    ['a total length that cuts the TCP options', (ip) => ip.set([0, 50], 2), { content: CONTENT_TCP }],
    ['a data offset below 5', (ip) => ip.fill(0x40, 32, 33), { content: CONTENT_TCP }],
  ])('calls %s malformed', (_name, spoil, expected) => {
    const { bytes } = packet(SYN4);
    spoil(bytes.subarray(14));
    expect(run({ bytes, linkType: 1 })).toMatchObject({ ...expected, malformed: true, cut: false });
  });

  test('keeps the outer packet when the inner one is malformed', () => {
    const { bytes } = packet(SYN4, { tunnels: [{ kind: 'ipip', ...OUTER4 }] });
    bytes[34] = 0x41;
    expect(run({ bytes, linkType: 1 })).toMatchObject({ content: CONTENT_OTHER, ipOffset: 14, malformed: true });
  });

  test('knows nothing of other link types, and takes any end', () => {
    expect(run({ bytes: packet(SYN4).bytes, linkType: 105 })).toMatchObject({ content: CONTENT_NONE, cut: false });
    const layers = createLayers();
    dissect(exactView(hex('')), 5, 2, 1, layers);
    expect(layers).toMatchObject({ content: CONTENT_NONE, cut: true });
  });

  test('starts anywhere in a buffer', () => {
    const { bytes } = packet(SYN4);
    const layers = createLayers();
    dissect(exactView(join(new Uint8Array(7), bytes, new Uint8Array(9))), 7, 7 + bytes.length, 1, layers);
    expect(layers).toMatchObject({ content: CONTENT_TCP, ipOffset: 21, end: 7 + bytes.length });
  });

  test('finds the segment in any nesting of tunnels', () => {
    const outer = fc.constantFrom(OUTER4, OUTER6);
    const id = fc.integer({ min: 1, max: 4094 });
    const tunnel = fc.oneof(
      id.map((id): Tunnel => ({ kind: 'vlan', id })),
      outer.map((addresses): Tunnel => ({ kind: 'ipip', ...addresses })),
      fc
        .tuple(outer, id, fc.boolean())
        .map(([addresses, key, sum]): Tunnel => ({ kind: 'gre', ...addresses, key, checksum: sum, ethernet: true })),
      fc.tuple(outer, id).map(([addresses, vni]): Tunnel => ({ kind: 'vxlan', ...addresses, vni })),
      fc.tuple(outer, id).map(([addresses, vni]): Tunnel => ({ kind: 'geneve', ...addresses, vni })),
    );
    const nesting = fc.array(tunnel, { maxLength: 6 }).filter((tunnels) => {
      // A VLAN tag is no IP packet: it cannot lie in IP directly.
      return tunnels.every(({ kind }, index) => kind !== 'ipip' || tunnels[index + 1]?.kind !== 'vlan');
    });
    fc.assert(
      fc.property(
        nesting,
        fc.constantFrom(SYN4, SYN6),
        fc.constantFrom<LinkName>('ethernet', 'sll', 'sll2'),
        (tunnels, line, link) => {
          const layers = expectSyn(packet(line, { tunnels, link }), line);
          const ids = tunnels.map((tunnel) =>
            'id' in tunnel ? tunnel.id : 'vni' in tunnel ? tunnel.vni : 'key' in tunnel ? tunnel.key : 0,
          );
          expect(tunnelsOf(layers).map(([, id]) => id)).toEqual(ids);
        },
      ),
    );
  });

  test('survives bytes that nobody meant, on every link type', () => {
    const layers = createLayers();
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 120 }),
        fc.constantFrom(0, 1, 9, 50, 51, 101, 104, 108, 113, 228, 229, 239, 276),
        (bytes, linkType) => {
          dissect(exactView(bytes), 0, bytes.length, linkType, layers);
          expectSound(layers, bytes.length);
        },
      ),
      { numRuns: 3000 },
    );
  });
});
