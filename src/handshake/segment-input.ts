import { TCP_ACK, TCP_CWR, TCP_ECE } from '../formats/wire/tcp.ts';
import { createTcpOptions, type TcpOptions } from '../formats/wire/tcp-options.ts';
import {
  OPTION_AO,
  OPTION_CUT,
  OPTION_ECN,
  OPTION_FAST_OPEN_COOKIE,
  OPTION_FAST_OPEN_REQUEST,
  OPTION_MD5,
  OPTION_MPTCP,
  OPTION_MSS,
  OPTION_SACK,
  OPTION_TIMESTAMPS,
  OPTION_WINDOW_SCALE,
} from './attempt-table.ts';

/** One TCP segment as the tracker takes it: one object, filled anew for each. */
export interface SegmentInput {
  ipv6: boolean;
  /** The buffer that the two addresses lie in, network byte order, at these offsets. */
  view: DataView;
  sourceOffset: number;
  destinationOffset: number;
  /** Source port in the upper half, destination port in the lower. */
  ports: number;
  /** See `hashFlow`. */
  hash: number;
  seq: number;
  ack: number;
  flags: number;
  windowBytes: number;
  /** On the wire, by the lengths of the IP header. */
  payloadBytes: number;
  ttl: number;
  /** IPv4 Identification; 0 on IPv6. */
  ipId: number;
  /** Since the start of the capture. */
  timeNs: number;
  /** Counted from 1. */
  frame: number;
  /** 0 unknown, 1 incoming, 2 outgoing. */
  seen: number;
  /** Index into the table's encapsulations. */
  encapsulation: number;
  readonly options: TcpOptions;
}

/** What an ICMP error adds to the segment that it quotes. */
export interface IcmpInput {
  type: number;
  code: number;
  mtuBytes: number;
  /** Whether the quote reaches the sequence number. */
  hasSeq: boolean;
  /** True for errors that do not end an attempt: fragmentation needed, packet too big. */
  advisory: boolean;
  /** Sender of the error in four words; an IPv4 address is the first of them. */
  readonly from: Int32Array;
}

/** Makes a segment to be filled. */
export function createSegmentInput(): SegmentInput {
  return {
    ipv6: false,
    view: new DataView(new ArrayBuffer(0)),
    sourceOffset: 0,
    destinationOffset: 0,
    ports: 0,
    hash: 0,
    seq: 0,
    ack: 0,
    flags: 0,
    windowBytes: 0,
    payloadBytes: 0,
    ttl: 0,
    ipId: 0,
    // Not a whole number, so that the engine gives it room for a float at once and never recompiles for one.
    timeNs: 0.5,
    frame: 0,
    seen: 0,
    encapsulation: 0,
    options: { ...createTcpOptions(), tsval: 0.5, tsecr: 0.5 },
  };
}

/** Makes an ICMP error to be filled. */
export function createIcmpInput(): IcmpInput {
  return { type: 0, code: 0, mtuBytes: 0, hasSeq: false, advisory: false, from: new Int32Array(4) };
}

/** Whether the address in a row (four words at `at`, an IPv4 address in the first) is the one at `offset` of the view. */
export function sameAddress(rows: Int32Array, at: number, view: DataView, offset: number, ipv6: boolean): boolean {
  return (
    rows[at] === view.getInt32(offset) &&
    (!ipv6 ||
      (rows[at + 3] === view.getInt32(offset + 12) &&
        rows[at + 2] === view.getInt32(offset + 8) &&
        rows[at + 1] === view.getInt32(offset + 4)))
  );
}

/** Copies an address to four words of a row, or of anything else. */
export function copyAddress(words: Int32Array, at: number, view: DataView, offset: number, ipv6: boolean): void {
  for (let word = 0; word < 4; word++) words[at + word] = ipv6 || word === 0 ? view.getInt32(offset + word * 4) : 0;
}

/** Packs the options of a SYN or SYN-ACK into one word of a row. */
export function synOptionBits({ options, flags }: SegmentInput): number {
  let bits = 0;
  if (options.hasMss) bits |= OPTION_MSS | (options.mssBytes << 16);
  if (options.hasWindowScale) bits |= OPTION_WINDOW_SCALE | (options.windowScaleShift & 15);
  if (options.sackPermitted) bits |= OPTION_SACK;
  if (options.hasTimestamps) bits |= OPTION_TIMESTAMPS;
  if (options.fastOpen === 1) bits |= OPTION_FAST_OPEN_REQUEST;
  if (options.fastOpen === 2) bits |= OPTION_FAST_OPEN_COOKIE;
  if (options.mptcp) bits |= OPTION_MPTCP;
  if (options.md5) bits |= OPTION_MD5;
  if (options.ao) bits |= OPTION_AO;
  if (options.cut) bits |= OPTION_CUT;
  const ecn = flags & (TCP_ECE | TCP_CWR);
  if (ecn === ((flags & TCP_ACK) === 0 ? TCP_ECE | TCP_CWR : TCP_ECE)) bits |= OPTION_ECN;
  return bits;
}
