import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { createFrameReader } from '../src/formats/pcap/frame-reader.ts';
import { createFrameBatch } from '../src/formats/pcap/frames.ts';
import { formatIpv4, formatIpv6 } from '../src/formats/wire/address.ts';
import { dissect } from '../src/formats/wire/dissect.ts';
import { createIcmpError, decodeIcmpError } from '../src/formats/wire/icmp.ts';
import * as L from '../src/formats/wire/layers.ts';
import { createTcpOptions, decodeTcpOptions } from '../src/formats/wire/tcp-options.ts';
import type { LinkName, Tunnel } from '../src/formats/wire/testing/encapsulate.ts';
import { icmp, packet } from '../src/formats/wire/testing/packets.ts';
import { askTshark, type OracleFields, type OraclePacket, tsharkVersion } from './tshark-oracle.ts';

const FOLDER = fileURLToPath(new URL('../../shared/data/tcpdump-tests/', import.meta.url));

const FIELDS = [
  ...['frame.protocols', 'ip.src', 'ip.dst', 'ip.ttl', 'ipv6.src', 'ipv6.dst', 'ipv6.hlim'],
  ...['tcp.srcport', 'tcp.dstport', 'tcp.seq', 'tcp.seq_raw', 'tcp.ack_raw', 'tcp.flags', 'tcp.window_size_value'],
  ...['tcp.options.mss_val', 'tcp.options.wscale.shift', 'tcp.options.timestamp.tsval'],
  ...['icmp.type', 'icmp.code', 'icmp.mtu', 'icmpv6.mtu', 'icmpv6.type', 'icmpv6.code'],
  ...['vlan.id', 'ieee8021ad.id', 'mpls.label', 'pppoe.session_id', 'gre.key', 'vxlan.vni', 'geneve.vni'],
];

const BIG_TCP =
  'lengths are 0 because segmentation offload made a packet of more than 64 KiB; this tshark stops there, we go on to the end';

/** Captures in which the two differ, and why that is right. A file that no longer differs fails the test. */
const EXCLUDED: Readonly<Record<string, string>> = {
  'bigtcp-ipv4-geneve-ipv4.pcap': BIG_TCP,
  'bigtcp-ipv4-geneve-ipv6.pcap': BIG_TCP,
  'bigtcp-ipv4-vxlan-ipv4.pcap': BIG_TCP,
  'bigtcp-ipv4-vxlan-ipv6.pcap': BIG_TCP,
  'bigtcp-ipv6-geneve-ipv4.pcap': BIG_TCP,
  'bigtcp-ipv6-geneve-ipv6.pcap': BIG_TCP,
  'bigtcp-ipv6-vxlan-ipv4.pcap': BIG_TCP,
  'bigtcp-ipv6-vxlan-ipv6.pcap': BIG_TCP,
  'bigtcp-ipv6.pcap': BIG_TCP,
  'icmpv6-length-zero.pcapng':
    'a payload length of 0 made on purpose; to us it is that of offload, to tshark an empty packet',
  'ipv6-srh-ipproto-ether.pcap':
    'an Ethernet frame directly in IPv6 (protocol 143 of RFC 8986), which we do not follow',
};

interface Located extends OraclePacket {
  readonly file: string;
  /** Counted from 1 in its file. */
  readonly number: number;
}

const layers = L.createLayers();
const options = createTcpOptions();
const error = createIcmpError();

/** What our decoder says of a packet, in the form that {@link theirs} has. */
function ours({ bytes, linkType }: OraclePacket): Record<string, unknown> {
  const view = new DataView(Uint8Array.from(bytes).buffer);
  dissect(view, 0, bytes.length, linkType, layers);
  const { content, ipVersion, ipOffset, transportOffset: at, end } = layers;
  if (content === L.CONTENT_NONE || content === L.CONTENT_OTHER) return { content: 'other' };
  const ids = (kind: number): number[] =>
    Array.from(layers.tunnelId.subarray(0, layers.tunnelCount)).filter((_, i) => layers.tunnelKind[i] === kind);
  const common = {
    src: ipVersion === 4 ? formatIpv4(view, ipOffset + 12) : formatIpv6(view, ipOffset + 8),
    dst: ipVersion === 4 ? formatIpv4(view, ipOffset + 16) : formatIpv6(view, ipOffset + 24),
    ttl: view.getUint8(ipOffset + (ipVersion === 4 ? 8 : 7)),
    vlan: ids(L.TUNNEL_VLAN),
    mpls: ids(L.TUNNEL_MPLS),
    pppoe: ids(L.TUNNEL_PPPOE),
    vxlan: ids(L.TUNNEL_VXLAN),
    geneve: ids(L.TUNNEL_GENEVE),
    gre: ids(L.TUNNEL_GRE).filter((key) => key !== 0),
  };
  if (content !== L.CONTENT_TCP) {
    const has = at + 4 <= end;
    const code = has ? { type: view.getUint8(at), code: view.getUint8(at + 1) } : {};
    return { content: content === L.CONTENT_ICMP ? 'icmp' : 'icmpv6', ...common, ...code, ...quoted(view, at, end) };
  }
  const ports = at + 4 <= end ? { srcport: view.getUint16(at), dstport: view.getUint16(at + 2) } : {};
  if (at + 20 > end) return { content: 'tcp', ...common, ...ports };
  decodeTcpOptions(view, at, end, options);
  return {
    content: 'tcp',
    ...common,
    ...ports,
    seq: view.getUint32(at + 4),
    ack: view.getUint32(at + 8),
    flags: view.getUint8(at + 13),
    window: view.getUint16(at + 14),
    mss: options.hasMss ? options.mssBytes : undefined,
    wscale: options.hasWindowScale ? options.windowScaleShift : undefined,
    tsval: options.hasTimestamps ? options.tsval : undefined,
  };
}

/** The TCP segment that an ICMP error quotes. */
function quoted(view: DataView, at: number, end: number): Record<string, unknown> {
  if (!decodeIcmpError(view, at, end, layers.ipVersion, error)) return {};
  const tcp = error.hasPorts && error.ipProtocol === 6;
  return {
    mtu: error.mtuBytes || undefined,
    srcport: tcp ? error.sourcePort : undefined,
    dstport: tcp ? error.destinationPort : undefined,
    seq: error.hasSeq ? error.seq : undefined,
    flags: error.hasFlags ? error.flags : undefined,
  };
}

/** The innermost packet as tshark sees it; what lies behind an ICMP header is a quote, not a layer. */
function theirs(fields: OracleFields): Record<string, unknown> {
  const stack = (fields['frame.protocols']?.[0] ?? '').split(':');
  const last = stack.findIndex((name) => name === 'tcp' || name === 'icmp' || name === 'icmpv6');
  if (last < 0) return { content: 'other' };
  const content = stack[last]!;
  const ipNames = stack.slice(0, last).filter((name) => name === 'ip' || name === 'ipv6');
  const ip = ipNames.at(-1)!;
  const nth = ipNames.filter((name) => name === ip).length - 1;
  const numbers = (field: string): number[] => (fields[field] ?? []).map(Number);
  const common = {
    src: fields[`${ip}.src`]?.[nth],
    dst: fields[`${ip}.dst`]?.[nth],
    ttl: numbers(ip === 'ip' ? 'ip.ttl' : 'ipv6.hlim')[nth],
    vlan: [...numbers('ieee8021ad.id'), ...numbers('vlan.id')],
    mpls: numbers('mpls.label'),
    pppoe: numbers('pppoe.session_id'),
    vxlan: numbers('vxlan.vni'),
    geneve: numbers('geneve.vni'),
    gre: numbers('gre.key').filter((key) => key !== 0),
  };
  if (content !== 'tcp') {
    return {
      content,
      ...common,
      type: numbers(`${content}.type`)[0],
      code: numbers(`${content}.code`)[0],
      mtu: numbers(`${content}.mtu`)[0] || undefined,
      srcport: numbers('tcp.srcport')[0],
      dstport: numbers('tcp.dstport')[0],
      seq: numbers('tcp.seq')[0],
      flags: numbers('tcp.flags').map((flags) => flags & 255)[0],
    };
  }
  return {
    content,
    ...common,
    srcport: numbers('tcp.srcport')[0],
    dstport: numbers('tcp.dstport')[0],
    seq: numbers('tcp.seq_raw')[0],
    ack: numbers('tcp.ack_raw')[0],
    flags: numbers('tcp.flags').map((flags) => flags & 255)[0],
    window: numbers('tcp.window_size_value')[0],
    mss: numbers('tcp.options.mss_val').at(-1),
    wscale: numbers('tcp.options.wscale.shift').at(-1),
    tsval: numbers('tcp.options.timestamp.tsval').at(-1),
  };
}

/** All packets of one capture; none when its framing cannot be read. */
function packetsOf(name: string): Located[] {
  const file = readFileSync(FOLDER + name);
  const view = new DataView(Uint8Array.from(file).buffer);
  const packets: Located[] = [];
  try {
    const reader = createFrameReader(view, 0, view.byteLength);
    if (reader === undefined) return [];
    const batch = createFrameBatch(1024);
    for (let at = 0; ; ) {
      const next = reader.walk(view, at, view.byteLength, batch);
      for (let i = 0; i < batch.count; i++) {
        const start = batch.dataOffset[i]!;
        packets.push({
          file: name,
          number: packets.length + 1,
          linkType: reader.interfaces[batch.interfaceId[i]!]!.linkType,
          bytes: new Uint8Array(view.buffer, start, batch.capturedBytes[i]!),
          wireBytes: reader.wireBytes(view, batch.recordOffset[i]!),
        });
      }
      if (next === at || reader.ended) break;
      at = next;
    }
  } catch {
    // Damaged framing is the business of the tests of formats/pcap.
  }
  return packets;
}

/** Every field in which the two differ, with our value and tshark's. */
function differences(packet: OraclePacket, fields: OracleFields): string[] {
  const a = ours(packet);
  const b = theirs(fields);
  return [...new Set([...Object.keys(a), ...Object.keys(b)])]
    .filter((key) => JSON.stringify(a[key]) !== JSON.stringify(b[key]))
    .map((key) => `${key}: ${a[key]}, tshark: ${b[key]}`);
}

const version = tsharkVersion();
const noTshark = version === undefined ? 'tshark is not installed' : undefined;
const noCaptures = noTshark ?? (existsSync(FOLDER) ? undefined : `there are no captures in ${FOLDER}`);
if (noCaptures !== undefined) console.log(`Comparison with tshark skipped: ${noCaptures}`);

test.skipIf(noCaptures !== undefined)('tshark agrees about every packet of the captures of tcpdump', () => {
  const packets = readdirSync(FOLDER)
    .filter((name) => /\.pcap(ng)?$/.test(name))
    .flatMap(packetsOf);
  const answers = askTshark(packets, FIELDS);
  expect(answers.length).toBe(packets.length);
  const compared = answers.map((fields) => theirs(fields).content);
  expect(compared.filter((content) => content === 'tcp').length).toBeGreaterThan(1500);
  expect(compared.filter((content) => content !== 'other').length).toBeGreaterThan(1800);
  const differing = new Set<string>();
  const surprises = packets.flatMap((packet, i) => {
    const found = differences(packet, answers[i]!);
    if (found.length === 0) return [];
    differing.add(packet.file);
    return packet.file in EXCLUDED ? [] : [`${packet.file} #${packet.number}: ${found.join('; ')}`];
  });
  expect(surprises).toEqual([]);
  expect(Object.keys(EXCLUDED).filter((file) => !differing.has(file))).toEqual([]);
});

test.skipIf(noTshark !== undefined)('tshark agrees about every kind of packet that the builder makes', () => {
  const outer4 = { from: '192.0.2.1', to: '192.0.2.2' };
  const outer6 = { from: 'fd00::1', to: 'fd00::2' };
  const tunnels: Tunnel[][] = [
    [],
    [
      { kind: 'vlan', id: 5, etherType: 0x88a8 },
      { kind: 'vlan', id: 6 },
    ],
    [
      { kind: 'mpls', label: 16 },
      { kind: 'mpls', label: 17 },
    ],
    [{ kind: 'pppoe', session: 9 }],
    [
      { kind: 'ipip', ...outer4 },
      { kind: 'ipip', ...outer6 },
    ],
    [{ kind: 'gre', ...outer4, key: 7, checksum: true, sequence: 1 }],
    [{ kind: 'gre', ...outer6, key: 8, ethernet: true }],
    [
      { kind: 'vxlan', ...outer4, vni: 42 },
      { kind: 'vlan', id: 3 },
    ],
    [{ kind: 'vxlan', ...outer6, vni: 43, port: 8472 }],
    [{ kind: 'geneve', ...outer4, vni: 44, options: [0, 1, 2, 1, 9, 9, 9, 9] }],
  ];
  const links: LinkName[] = ['ethernet', 'sll', 'sll2', 'raw', 'null', 'loop', 'ppp', 'ppp-hdlc'];
  const built = ['10.0.0.1:1 > 10.0.0.2:80', '[2001:db8::1]:1 > [2001:db8::2]:80'].flatMap((ends, index) => {
    const line = `0 ${ends} SEW 4000000000 win 64240 <mss 1460,sackOK,TS val 3000000000 ecr 0,nop,wscale 7>`;
    const error = icmp(index === 0 ? '10.9.9.9' : 'fd00::9', index === 0 ? 3 : 1, 1, packet(line), { ttl: 9 });
    return [
      error,
      ...tunnels.map((tunnels) => packet(line, { tunnels, ttl: 63 })),
      ...links.map((link) => packet(line, { link, moreFragments: true, dontFragment: false })),
    ];
  });
  const answers = askTshark(built, FIELDS);
  const found = built.flatMap((packet, i) => differences(packet, answers[i]!).map((text) => `${i}: ${text}`));
  expect(found).toEqual([]);
  expect(answers.filter((fields) => theirs(fields).content === 'other')).toEqual([]);
});
