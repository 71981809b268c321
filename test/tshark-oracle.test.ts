import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { createFrameReader } from '../src/formats/pcap/frame-reader.ts';
import { createFrameBatch } from '../src/formats/pcap/frames.ts';
import { formatIpv4, formatIpv6 } from '../src/formats/wire/address.ts';
import { dissect } from '../src/formats/wire/dissect.ts';
import * as L from '../src/formats/wire/layers.ts';
import { createTcpOptions, decodeTcpOptions } from '../src/formats/wire/tcp-options.ts';
import { askTshark, type OracleFields, type OraclePacket, tsharkVersion } from './tshark-oracle.ts';

const FOLDER = fileURLToPath(new URL('../../shared/data/tcpdump-tests/', import.meta.url));

const FIELDS = [
  ...['frame.protocols', '_ws.malformed', 'ip.src', 'ip.dst', 'ip.ttl', 'ipv6.src', 'ipv6.dst', 'ipv6.hlim'],
  ...['tcp.srcport', 'tcp.dstport', 'tcp.seq_raw', 'tcp.ack_raw', 'tcp.flags', 'tcp.window_size_value'],
  ...['tcp.options.mss_val', 'tcp.options.wscale.shift', 'tcp.options.timestamp.tsval'],
  ...['icmp.type', 'icmp.code', 'icmpv6.type', 'icmpv6.code'],
  ...['vlan.id', 'mpls.label', 'pppoe.session_id', 'gre.key', 'vxlan.vni', 'geneve.vni'],
];

interface Located extends OraclePacket {
  readonly where: string;
}

const layers = L.createLayers();
const options = createTcpOptions();

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
    cut: layers.cut || layers.malformed,
  };
  if (content !== L.CONTENT_TCP) {
    const has = at + 2 <= end;
    const code = has ? { type: view.getUint8(at), code: view.getUint8(at + 1) } : {};
    return { content: content === L.CONTENT_ICMP ? 'icmp' : 'icmpv6', ...common, ...code };
  }
  if (at + 20 > end) return { content: 'tcp', ...common };
  decodeTcpOptions(view, at, end, options);
  return {
    content: 'tcp',
    ...common,
    srcport: view.getUint16(at),
    dstport: view.getUint16(at + 2),
    seq: view.getUint32(at + 4),
    ack: view.getUint32(at + 8),
    flags: view.getUint8(at + 13),
    window: view.getUint16(at + 14),
    mss: options.hasMss ? options.mssBytes : undefined,
    wscale: options.hasWindowScale ? options.windowScaleShift : undefined,
    tsval: options.hasTimestamps ? options.tsval : undefined,
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
    vlan: numbers('vlan.id'),
    mpls: numbers('mpls.label'),
    pppoe: numbers('pppoe.session_id'),
    vxlan: numbers('vxlan.vni'),
    geneve: numbers('geneve.vni'),
    cut: (fields['_ws.malformed'] ?? []).length > 0,
  };
  if (content !== 'tcp') {
    return { content, ...common, type: numbers(`${content}.type`)[0], code: numbers(`${content}.code`)[0] };
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
          where: `${name} #${packets.length + 1}`,
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

const version = tsharkVersion();
const missing = version === undefined ? 'tshark is not installed' : existsSync(FOLDER) ? undefined : `no captures in ${FOLDER}`;
if (missing !== undefined) console.log(`tshark oracle skipped: ${missing}`);

describe.skipIf(missing !== undefined)('tshark agrees', () => {
  test('about every packet', () => {
    const packets = readdirSync(FOLDER).filter((name) => /\.pcap(ng)?$/.test(name)).flatMap(packetsOf);
    const answers = askTshark(packets, FIELDS);
    expect(answers.length).toBe(packets.length);
    let n = 0;
    const counts: Record<string, number> = {};
    for (const [i, packet] of packets.entries()) {
      const a = ours(packet);
      const b = theirs(answers[i]!);
      const content = String(b['content']);
      counts[content] = (counts[content] ?? 0) + 1;
      const keys = Object.keys(a).length > Object.keys(b).length ? Object.keys(a) : Object.keys(b);
      const bad = keys.filter((key) => JSON.stringify(a[key]) !== JSON.stringify(b[key]));
      if (bad.length) { n++; console.log(packet.where, packet.linkType, answers[i]!['frame.protocols']?.[0], bad.map((k) => `${k}: ${a[k]} / ${b[k]}`).join(' | ')); }
    }
    console.log(n, counts);
  });
});
