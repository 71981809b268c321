import type { Flow } from './flow.ts';

/** How one connection attempt ended, as far as the capture shows it (words of RFC 9293 section 3.5). */
export type Outcome =
  | 'established'
  | 'no-reply'
  | 'refused'
  | 'unreachable'
  | 'abandoned'
  | 'half-open'
  | 'one-sided'
  | 'in-progress';

/** Every outcome, failures first, in the order in which reports list them. */
export const OUTCOMES: readonly Outcome[] = [
  'no-reply',
  'unreachable',
  'refused',
  'half-open',
  'abandoned',
  'one-sided',
  'in-progress',
  'established',
];

/** The step of the handshake that was reached last: the one that waits for an answer. */
export type Stage = 'syn' | 'syn-ack' | 'ack' | 'established';

/** What a captured packet is to its handshake. `other` is a TCP segment without a part in it. */
export type SegmentKind = 'syn' | 'syn-ack' | 'ack' | 'data' | 'fin' | 'rst' | 'icmp' | 'other';

/** An ICMP or ICMPv6 error that quotes a segment of the handshake (RFC 792, RFC 4443). */
export interface IcmpError {
  readonly version: 4 | 6;
  readonly type: number;
  readonly code: number;
  /** Address of the sender: the server itself, or a router. */
  readonly from: string;
  /** The registry's name, for example `Communication Administratively Prohibited`. */
  readonly name: string;
  /** Next-hop MTU in bytes, of "fragmentation needed" and "packet too big". */
  readonly mtuBytes?: number;
}

/** One packet of a handshake, as one capture shows it. */
export interface Segment {
  readonly kind: SegmentKind;
  readonly direction: 'to-server' | 'to-client';
  /** Number of the packet in its capture, counted from 1 as Wireshark does. */
  readonly frame: number;
  /** Nanoseconds since 1970-01-01 UTC, by the clock of the capturing host. */
  readonly timeNs: bigint;
  /** 0 for the first of its kind and sequence number, n for its n-th retransmission. */
  readonly repeat: number;
  /** How many more copies of this very packet the capture holds (`-i any`, veth pairs, SPAN ports). */
  readonly copies: number;
  /** TCP sequence and acknowledgement number (of the quoted segment for ICMP), TCP flags, payload length. */
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly payloadBytes: number;
  /** IPv4 TTL or IPv6 hop limit. */
  readonly ttl: number;
  /** IPv4 Identification; absent on IPv6. */
  readonly ipId?: number;
  /** TSval of the timestamps option (RFC 7323). */
  readonly tsval?: number;
  /** Whether the capturing host sent or received it, where the capture records that (SLL, pcapng flags). */
  readonly seen?: 'outgoing' | 'incoming';
  readonly icmp?: IcmpError;
}

/** The options of a SYN or SYN-ACK that matter to a handshake. */
export interface SynOptions {
  readonly mssBytes?: number;
  readonly windowBytes: number;
  readonly windowScaleShift?: number;
  readonly sackPermitted: boolean;
  readonly timestamps: boolean;
  /** TCP Fast Open (RFC 7413): asks for a cookie, or carries one. */
  readonly fastOpen?: 'request' | 'cookie';
  readonly mptcp: boolean;
  readonly md5: boolean;
  readonly ao: boolean;
  /** SYN with ECE and CWR, SYN-ACK with ECE (RFC 3168 section 6.1.1). */
  readonly ecnSetup: boolean;
  /** The capture ends before the options do: those beyond are unknown, not absent. */
  readonly cut?: true;
}

/** Something noteworthy in one handshake that its outcome alone does not say. */
export type FindingId =
  | 'late'
  | 'syn-schedule'
  | 'wrong-acknowledgement'
  | 'challenge-ack'
  | 'reset-by-server'
  | 'reset-by-middlebox'
  | 'reset-origin-unknown'
  | 'reset-after-established'
  | 'simultaneous-open'
  | 'fast-open'
  | 'answer-changed'
  | 'capture-began-late'
  | 'capture-ended-early'
  | 'duplicates'
  | 'segment-cut'
  | 'tunnelled';

/** One finding with the sentence that states it and the packets that show it. */
export interface Finding {
  readonly id: FindingId;
  readonly statement: string;
  /** Frame numbers in the capture. */
  readonly frames: readonly number[];
}

/** One connection attempt: all segments with the same endpoints and client ISN, retries included. */
export interface Handshake extends Flow {
  readonly outcome: Outcome;
  readonly stage: Stage;
  /** Packets in order of capture; the first and last {@link Handshake.omittedSegments} aside, all that take part. */
  readonly segments: readonly Segment[];
  /** Packets that took part and are not in `segments` because there were too many. */
  readonly omittedSegments: number;
  readonly synRetransmissions: number;
  readonly synAckRetransmissions: number;
  readonly clientIsn?: number;
  readonly serverIsn?: number;
  readonly clientOptions?: SynOptions;
  readonly serverOptions?: SynOptions;
  /** From the SYN that was answered to the ACK, as Wireshark's iRTT. */
  readonly initialRttNs?: number;
  /** From the first SYN to the segment that completed the handshake. */
  readonly establishedAfterNs?: number;
  readonly startedAtNs: bigint;
  readonly endedAtNs: bigint;
  /** Outer encapsulation, outermost first, for example `['vlan 100', 'vxlan 42']`. */
  readonly encapsulation: readonly string[];
  readonly findings: readonly Finding[];
}
