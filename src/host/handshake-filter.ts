import {
  AD_PROTOCOL,
  assembleBpf,
  type Instruction,
  JEQ,
  JGE,
  JGT,
  JSET,
  LD_B_ABS,
  LD_B_IND,
  LD_H_ABS,
  LD_H_IND,
  LD_W_ABS,
  LDX_IMM,
  LDX_MSH,
  RET,
  type Source,
} from '../formats/bpf/classic-bpf.ts';
import { parseAddress } from '../formats/wire/address.ts';
import {
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_TCP,
} from '../formats/wire/numbers.ts';
import { TCP_FIN, TCP_RST, TCP_SYN } from '../formats/wire/tcp.ts';
import {
  DEFAULT_SNAP_LENGTH_BYTES,
  DROP,
  EXTENSIONS,
  ICMP_ERRORS,
  ICMPV6_NEIGHBOUR,
  jump,
  load,
  SMALL_PACKET_BYTES,
} from './filter-parts.ts';
import { type CaptureSpec, HostError } from './host.ts';

/**
 * The kernel filter of a capture, for a SOCK_DGRAM packet socket: handshakes, resets and small segments of a port, the errors about
 * them, ARP and neighbour discovery. IPv6 packets with extension headers pass, whatever is in them: a filter cannot walk them.
 * @throws HostError when the peer of the capture is no address.
 */
export function handshakeFilter({ port, peer, snapLengthBytes = DEFAULT_SNAP_LENGTH_BYTES }: CaptureSpec): Uint8Array {
  const address = peer === undefined ? undefined : peerWords(peer);
  return assembleBpf([
    load(LD_W_ABS, AD_PROTOCOL),
    jump(JEQ, ETHERTYPE_IPV4, 'ipv4'),
    jump(JEQ, ETHERTYPE_IPV6, 'ipv6'),
    jump(JEQ, ETHERTYPE_ARP, 'keep', 'drop'),

    'ipv4',
    load(LD_B_ABS, 9),
    jump(JEQ, IPPROTO_ICMP, 'icmp'),
    jump(JEQ, IPPROTO_TCP, undefined, 'drop'),
    // A later fragment has no TCP header.
    load(LD_H_ABS, 6),
    jump(JSET, 0x1fff, 'drop'),
    ...fromOrTo(address, 4, 12, 16),
    load(LDX_MSH, 0),
    ...segments(port, load(LD_H_ABS, 2), SMALL_PACKET_BYTES),

    'icmp',
    load(LDX_MSH, 0),
    load(LD_B_IND, 0),
    ...ICMP_ERRORS.map((type) => jump(JEQ, type, 'keep')),
    ...DROP,

    'ipv6',
    load(LD_B_ABS, 6),
    jump(JEQ, IPPROTO_ICMPV6, 'icmpv6'),
    ...EXTENSIONS.map((header) => jump(JEQ, header, 'keep')),
    jump(JEQ, IPPROTO_TCP, undefined, 'drop'),
    ...fromOrTo(address, 16, 8, 24),
    load(LDX_IMM, 40),
    ...segments(port, load(LD_H_ABS, 4), SMALL_PACKET_BYTES - 40),

    'icmpv6',
    load(LD_B_ABS, 40),
    jump(JGE, 128, undefined, 'keep'),
    ...ICMPV6_NEIGHBOUR.map((type) => jump(JEQ, type, 'keep')),

    'drop',
    ...DROP,
    'keep',
    { operation: RET, operand: snapLengthBytes },
  ]);
}

/** Of a packet with its TCP header at X: keeps segments of the port that open or end a connection, or are small. Ends the program. */
function segments(port: number | undefined, loadLength: Instruction, smallBytes: number): Source {
  // Labels are unique by the length that is asked for: one use for each version of IP.
  const ours = `ours ${smallBytes}`;
  const ofPort =
    port === undefined
      ? []
      : [load(LD_H_IND, 0), jump(JEQ, port, ours), load(LD_H_IND, 2), jump(JEQ, port, ours, 'drop'), ours];
  return [
    ...ofPort,
    load(LD_B_IND, 13),
    jump(JSET, TCP_SYN | TCP_FIN | TCP_RST, 'keep'),
    loadLength,
    jump(JGT, smallBytes, 'drop', 'keep'),
  ];
}

/** Drops what is neither from nor to the peer; everything when the peer is of the other version of IP. */
function fromOrTo(peer: readonly number[] | undefined, bytes: 4 | 16, source: number, destination: number): Source {
  if (peer === undefined) return [];
  if (peer.length !== bytes / 4) return DROP;
  const passed = `peer ${bytes}`;
  const other = `destination ${bytes}`;
  const compare = (at: number, otherwise: string): Instruction[] =>
    peer.flatMap((word, index) => [
      load(LD_W_ABS, at + 4 * index),
      index === peer.length - 1 ? jump(JEQ, word, passed, otherwise) : jump(JEQ, word, undefined, otherwise),
    ]);
  return [...compare(source, other), other, ...compare(destination, 'drop'), passed];
}

function peerWords(peer: string): readonly number[] {
  const bytes = parseAddress(peer.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, ''));
  if (bytes === undefined) throw new HostError('failed', `packets of ${peer} cannot be captured: it is no address`);
  const view = new DataView(bytes.buffer);
  return Array.from({ length: bytes.length / 4 }, (_, index) => view.getUint32(4 * index));
}
