import {
  AD_HARDWARE_TYPE,
  AD_PACKET_TYPE,
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
  LD_MEM,
  LD_W_ABS,
  LD_W_IND,
  LDX_IMM,
  LDX_MSH,
  MUL,
  RET,
  RSH,
  type Source,
  ST,
  SUB,
} from '../formats/bpf/classic-bpf.ts';
import {
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_TCP,
} from '../formats/wire/numbers.ts';
import { TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN } from '../formats/wire/tcp.ts';
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

/** A port of which only some handshakes are captured: of 2 ** shift, one. */
export interface SampledPort {
  readonly port: number;
  /** 1 to {@link MAX_SHIFT}. */
  readonly shift: number;
}

/** What a long watch captures of a whole network namespace. */
export interface WatchFilterSpec {
  /** Server ports with so many handshakes that a share of them has to do. At most {@link MAX_SAMPLED_PORTS}. */
  readonly sampled: readonly SampledPort[];
  /** The same for all other ports together; 0 captures all of them. */
  readonly restShift: number;
  /** Server ports of which the ACKs and other small segments are wanted as well. At most {@link MAX_WIDE_PORTS}. */
  readonly wide: readonly number[];
}

export const MAX_SAMPLED_PORTS = 8;
export const MAX_WIDE_PORTS = 8;
export const MAX_SHIFT = 16;

/** linux/if_packet.h, linux/if_arp.h. */
const PACKET_OUTGOING = 4;
const ARPHRD_LOOPBACK = 772;

/** Knuth's multiplicative hash: its upper bits depend on all bits of what is hashed. */
const HASH = 0x9e37_79b1;

/**
 * Whether a handshake is among those that are captured, by the initial sequence number of its client: all its packets tell it, and each
 * attempt has another one. It is the rule of the filter.
 */
export function isSampled(clientIsn: number, shift: number): boolean {
  return shift === 0 || Math.imul(clientIsn, HASH) >>> (32 - shift) === 2 ** shift - 1;
}

/**
 * The kernel filter of a long watch, for a SOCK_DGRAM packet socket on all interfaces: SYNs, SYN-ACKs and RSTs of every port, ICMP errors
 * about TCP, ARP and neighbour discovery. All else is left in the kernel: on a healthy host nearly everything. A packet on loopback
 * is seen once, on its way in.
 */
export function watchFilter(spec: WatchFilterSpec): Uint8Array {
  return assembleBpf([
    load(LD_W_ABS, AD_PROTOCOL),
    jump(JEQ, ETHERTYPE_IPV4, 'ipv4'),
    jump(JEQ, ETHERTYPE_IPV6, 'ipv6'),
    jump(JEQ, ETHERTYPE_ARP, 'keep arp', 'drop arp'),
    'drop arp',
    ...DROP,
    'keep arp',
    ...KEEP,

    'ipv4',
    load(LD_B_ABS, 9),
    jump(JEQ, IPPROTO_TCP, 'tcp4'),
    jump(JEQ, IPPROTO_ICMP, undefined, 'drop4'),
    load(LDX_MSH, 0),
    load(LD_B_IND, 0),
    ...ICMP_ERRORS.map((type) => jump(JEQ, type, 'error4')),
    'drop4',
    ...DROP,
    // What the error quotes (RFC 792): its protocol.
    'error4',
    load(LD_B_IND, 8 + 9),
    jump(JEQ, IPPROTO_TCP, 'keep4', 'drop4b'),
    'drop4b',
    ...DROP,
    'keep4',
    ...KEEP,
    'tcp4',
    load(LD_H_ABS, 6),
    jump(JSET, 0x1fff, 'drop4c'),
    load(LDX_MSH, 0),
    ...segments(4, spec, load(LD_H_ABS, 2), SMALL_PACKET_BYTES),
    'drop4c',
    ...DROP,

    'ipv6',
    load(LD_B_ABS, 6),
    jump(JEQ, IPPROTO_TCP, 'tcp6'),
    jump(JEQ, IPPROTO_ICMPV6, 'icmpv6'),
    ...EXTENSIONS.map((header) => jump(JEQ, header, 'keep6')),
    'drop6',
    ...DROP,
    'icmpv6',
    load(LD_B_ABS, 40),
    jump(JGE, 128, undefined, 'error6'),
    ...ICMPV6_NEIGHBOUR.map((type) => jump(JEQ, type, 'keep6')),
    ...DROP,
    'error6',
    load(LD_B_ABS, 48 + 6),
    ...[IPPROTO_TCP, ...EXTENSIONS].map((header) => jump(JEQ, header, 'keep6')),
    ...DROP,
    'keep6',
    ...KEEP,
    'tcp6',
    load(LDX_IMM, 40),
    ...segments(6, spec, load(LD_H_ABS, 4), SMALL_PACKET_BYTES - 40),
  ]);
}

const KEEP: readonly Instruction[] = [{ operation: RET, operand: DEFAULT_SNAP_LENGTH_BYTES }];

/** Of a TCP header at X. Ends the program. */
function segments(
  version: 4 | 6,
  { sampled, restShift, wide }: WatchFilterSpec,
  loadLength: Instruction,
  smallBytes: number,
): Source {
  const name = (what: string): string => `${what} of ${version}`;
  const isWide = wide.slice(0, MAX_WIDE_PORTS);
  const isHot = sampled.slice(0, MAX_SAMPLED_PORTS);
  return [
    load(LD_B_IND, 13),
    jump(JSET, TCP_SYN | TCP_RST, name('opening')),
    ...(isWide.length === 0
      ? DROP
      : [
          jump(JSET, TCP_FIN, name('ports')),
          loadLength,
          jump(JGT, smallBytes, name('drop')),
          name('ports'),
          load(LD_H_IND, 0),
          ...isWide.map((port) => jump(JEQ, port, name('once'))),
          load(LD_H_IND, 2),
          ...isWide.map((port) => jump(JEQ, port, name('once'))),
          name('drop'),
          ...DROP,
        ]),
    name('opening'),
    ...(isHot.length === 0 && restShift === 0
      ? []
      : [
          ...hashOfClientIsn(name),
          load(LD_H_IND, 2),
          ...isHot.map(({ port }) => jump(JEQ, port, name(`port ${port}`))),
          load(LD_H_IND, 0),
          ...isHot.map(({ port }) => jump(JEQ, port, name(`port ${port}`))),
          ...sample(restShift, name('once'), name('drop hot')),
          ...isHot.flatMap(({ port, shift }) => [
            name(`port ${port}`),
            ...sample(shift, name('once'), name('drop hot')),
          ]),
          name('drop hot'),
          ...DROP,
        ]),
    name('once'),
    load(LD_W_ABS, AD_HARDWARE_TYPE),
    jump(JEQ, ARPHRD_LOOPBACK, undefined, name('keep')),
    load(LD_W_ABS, AD_PACKET_TYPE),
    jump(JEQ, PACKET_OUTGOING, name('drop last'), name('keep')),
    name('drop last'),
    ...DROP,
    name('keep'),
    ...KEEP,
  ];
}

/** Leaves the hash in the scratch memory. A SYN-ACK, and a RST that answers a SYN, acknowledge the number plus one; a client's RST has it. */
function hashOfClientIsn(name: (what: string) => string): Source {
  return [
    load(LD_B_IND, 13),
    jump(JSET, TCP_ACK, name('isn from ack')),
    jump(JSET, TCP_RST, name('isn from reset')),
    load(LD_W_IND, 4),
    jump(JEQ, 0, name('hash'), name('hash')),
    name('isn from ack'),
    load(LD_W_IND, 8),
    load(SUB, 1),
    jump(JEQ, 0, name('hash'), name('hash')),
    name('isn from reset'),
    load(LD_W_IND, 4),
    load(SUB, 1),
    name('hash'),
    load(MUL, HASH),
    load(ST, 0),
  ];
}

function sample(shift: number, wanted: string, other: string): Instruction[] {
  // A shift of 0 takes all; the kernel refuses one of 32.
  if (shift === 0) return [load(LD_MEM, 0), jump(JEQ, 0, wanted, wanted)];
  return [load(LD_MEM, 0), load(RSH, 32 - shift), jump(JEQ, 2 ** shift - 1, wanted, other)];
}
