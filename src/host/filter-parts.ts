import { type Instruction, RET, type Target } from '../formats/bpf/classic-bpf.ts';
import {
  IPPROTO_AH,
  IPPROTO_DSTOPTS,
  IPPROTO_FRAGMENT,
  IPPROTO_HOPOPTS,
  IPPROTO_ROUTING,
} from '../formats/wire/numbers.ts';

/** Bytes kept of each packet unless the capture asks for another length. */
export const DEFAULT_SNAP_LENGTH_BYTES: number = 192;

/** A TCP segment in an IP packet up to this long is small: the final ACK of a handshake, the first small data. */
export const SMALL_PACKET_BYTES: number = 120;

/** ICMP errors about packets: unreachable, source quench, redirect, time exceeded, parameter problem (RFC 792). */
export const ICMP_ERRORS: readonly number[] = [3, 4, 5, 11, 12];
/** ICMPv6 messages that are no errors (those are below 128): neighbour solicitation and advertisement, redirect (RFC 4861). */
export const ICMPV6_NEIGHBOUR: readonly number[] = [135, 136, 137];
/** Headers behind which a filter cannot find the segment: it cannot walk them. */
export const EXTENSIONS: readonly number[] = [
  IPPROTO_HOPOPTS,
  IPPROTO_ROUTING,
  IPPROTO_FRAGMENT,
  IPPROTO_AH,
  IPPROTO_DSTOPTS,
];

/** Ends a program: the packet is not wanted. */
export const DROP: readonly Instruction[] = [{ operation: RET, operand: 0 }];

/** An instruction that does not jump. */
export function load(operation: number, operand: number): Instruction {
  return { operation, operand };
}

/** A jump; on to the next instruction where no label is given. */
export function jump(operation: number, operand: number, ifTrue: Target, ifFalse?: Target): Instruction {
  return { operation, operand, ifTrue, ifFalse };
}
