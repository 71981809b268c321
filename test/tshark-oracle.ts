import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** One captured packet to be dissected by tshark. */
export interface OraclePacket {
  readonly linkType: number;
  readonly bytes: Uint8Array;
  readonly wireBytes: number;
}

/** What tshark says of one packet: all occurrences of each field, outermost first. */
export type OracleFields = Readonly<Record<string, readonly string[]>>;

/** Dissectors that run; those of payloads would only cost time and find IP headers where none are meant. */
const DISSECTORS = [
  'ah chdlc erspan eth ethertype frame geneve gre hip icmp icmpv6 ieee8021ad ip ipv6 ipv6.dstopts ipv6.fraghdr ipv6.hopopts',
  'ipv6.routing llc loop mipv6 mpls nflog null ppp ppp_hdlc pppoe pppoed pppoes pwethcw pwethheuristic pwethnocw raw shim6 sll',
  'tcp udp vlan vxlan wccp',
].flatMap((names) => names.split(' '));

const OPTIONS = [
  'ip.defragment:FALSE',
  'ipv6.defragment:FALSE',
  'tcp.relative_sequence_numbers:FALSE',
  'tcp.analyze_sequence_numbers:FALSE',
  'tcp.desegment_tcp_streams:FALSE',
  'tcp.calculate_timestamps:FALSE',
].flatMap((option) => ['-o', option]);

/** VXLAN on the port that Linux uses by default, which tshark does not know. */
const DECODE_AS = ['-d', 'udp.port==8472,vxlan'];

/** The version line of tshark, or undefined where it is not installed. */
export function tsharkVersion(): string | undefined {
  try {
    return execFileSync('tshark', ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split(
      '\n',
    )[0];
  } catch {
    return undefined;
  }
}

/** Runs tshark once over all packets, whatever their link types, and returns the fields of each. */
export function askTshark(packets: readonly OraclePacket[], fields: readonly string[]): OracleFields[] {
  const folder = mkdtempSync(join(tmpdir(), 'synscope-oracle-'));
  try {
    const file = join(folder, 'packets.pcapng');
    writeFileSync(file, encodePcapng(packets));
    writeFileSync(join(folder, 'disabled_protos'), `${otherDissectors().join('\n')}\n`);
    const columns = [
      '-T',
      'fields',
      '-E',
      'occurrence=a',
      '-E',
      'aggregator=;',
      ...fields.flatMap((field) => ['-e', field]),
    ];
    const text = execFileSync('tshark', ['-n', '-r', file, ...OPTIONS, ...DECODE_AS, ...columns], {
      encoding: 'utf8',
      env: { ...process.env, WIRESHARK_CONFIG_DIR: folder },
      maxBuffer: 256 * 1024 * 1024,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return text
      .split('\n')
      .slice(0, -1)
      .map((line) => {
        const values = line.split('\t');
        return Object.fromEntries(fields.map((field, i) => [field, values[i] ? values[i].split(';') : []]));
      });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function otherDissectors(): string[] {
  const table = execFileSync('tshark', ['-G', 'protocols'], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const keep = (name: string): boolean => DISSECTORS.includes(name) || /^(tcp\.|ipv6\.|_ws|data$)/.test(name);
  return table
    .split('\n')
    .map((line) => line.split('\t')[2] ?? '')
    .filter((name) => name !== '' && !keep(name));
}

/** Lays packets out as pcapng with one interface for each link type. */
function encodePcapng(packets: readonly OraclePacket[]): Uint8Array {
  const linkTypes = [...new Set(packets.map(({ linkType }) => linkType))];
  const blocks = [block(0x0a0d_0d0a, words(0x1a2b_3c4d, 1, 0xffff_ffff, 0xffff_ffff))];
  for (const linkType of linkTypes) blocks.push(block(1, words(linkType, 0)));
  for (const { linkType, bytes, wireBytes } of packets) {
    const head = words(linkTypes.indexOf(linkType), 0, 0, bytes.length, Math.max(bytes.length, wireBytes));
    blocks.push(block(6, Buffer.concat([head, bytes])));
  }
  return Buffer.concat(blocks);
}

function block(type: number, body: Uint8Array): Uint8Array {
  const padding = new Uint8Array(-body.length & 3);
  const length = 12 + body.length + padding.length;
  return Buffer.concat([words(type, length), body, padding, words(length)]);
}

function words(...values: number[]): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  for (const [index, value] of values.entries()) view.setUint32(4 * index, value, true);
  return bytes;
}
