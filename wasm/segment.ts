// The TCP segment that is being taken: decoded once into globals, which the tracker and the events read.
import {
  OPTION_ECN,
  OPTION_MSS,
  OPTION_SACK,
  OPTION_TIMESTAMPS,
  OPTION_WINDOW_SCALE,
} from '../src/handshake/attempt-layout';
import { AT_HAS_TSVAL, AT_TSVAL } from '../src/handshake/scan-layout';

/** Decodes options of an unusual form: returns them packed as a row holds them, and puts the timestamp at {@link AT_TSVAL}. */
declare function unusualOptions(transport: i32, end: i32): i32;

export const FIN: i32 = 1;
export const SYN: i32 = 2;
export const RST: i32 = 4;
export const ACK: i32 = 16;
const ECE: i32 = 64;
const CWR: i32 = 128;
/** NOP, NOP, timestamps (RFC 7323 appendix A), as it lies in memory: nearly all segments but SYNs carry only this. */
const ONLY_TIMESTAMPS: i32 = 0x0a080101;
/** SACK-Permitted and the start of timestamps, the second word of the options of a Linux SYN; MSS is the first. */
const SACK_TIMESTAMPS: i32 = 0x0a080204;

export let ipv6: bool = false;
/** Addresses in four words each; an IPv4 address is the first of them. */
export let source: v128 = i32x4.splat(0);
export let destination: v128 = i32x4.splat(0);
/** Source port in the upper half, destination port in the lower. */
export let ports: i32 = 0;
export let hash: i32 = 0;
export let seq: i32 = 0;
export let ack: i32 = 0;
export let flags: i32 = 0;
export let windowBytes: i32 = 0;
/** On the wire, by the lengths of the IP header. */
export let payloadBytes: i32 = 0;
export let ttl: i32 = 0;
/** IPv4 Identification; 0 on IPv6. */
export let ipId: i32 = 0;
/** Since the start of the capture. */
export let timeNs: f64 = 0;
export let frame: i32 = 0;
/** 0 unknown, 1 incoming, 2 outgoing. */
export let seen: i32 = 0;
export let encapsulation: i32 = 0;
export let hasTsval: bool = false;
export let tsval: i32 = 0;
/** The options of a SYN as a row holds them; of other segments it says nothing. */
export let options: i32 = 0;

/** Two bytes in network byte order. */
@inline
export function load16(at: i32): i32 {
  return bswap<u16>(load<u16>(at));
}

/** Four bytes in network byte order. */
@inline
export function load32(at: i32): i32 {
  return bswap<i32>(load<i32>(at));
}

/** An IPv6 address in four words. */
@inline
export function loadIpv6(at: i32): v128 {
  return i8x16.swizzle(v128.load(at), i8x16(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12));
}

/** Hash of a flow, the same for both directions: `a` and `b` are its addresses, those of IPv6 folded. */
@inline
export function hashFlow(a: i32, b: i32, ports: i32): i32 {
  const from = ports >>> 16;
  const to = ports & 0xffff;
  let hash: i32 = (a ^ b) * <i32>0x9e3779b1 + (a + b) * <i32>0x85ebca6b;
  hash ^= ((from ^ to) + ((from + to) << 15)) * <i32>0xc2b2ae35;
  hash ^= <i32>(<u32>hash >>> 15);
  hash *= 0x2c1b3c6d;
  return hash ^ <i32>(<u32>hash >>> 13);
}

/** Folds the four words of an IPv6 address into one. */
@inline
export function foldIpv6(a: i32, b: i32, c: i32, d: i32): i32 {
  return d ^ (c * 0x27d4eb2f) ^ (b * 0x165667b1) ^ (a * <i32>0x9e3779b1);
}

@inline
function foldIpv6At(at: i32): i32 {
  return foldIpv6(load32(at), load32(at + 4), load32(at + 8), load32(at + 12));
}

/** Hash of the flow of a packet. */
export function hashAt(ip: i32, transport: i32, isIpv6: bool): i32 {
  return isIpv6 ? hashIpv6(ip, transport) : hashIpv4(ip, transport);
}

@inline
export function hashIpv4(ip: i32, transport: i32): i32 {
  return hashFlow(load32(ip + 12), load32(ip + 16), load32(transport));
}

export function hashIpv6(ip: i32, transport: i32): i32 {
  return hashFlow(foldIpv6At(ip + 8), foldIpv6At(ip + 24), load32(transport));
}

/** Notes which flow a segment belongs to, and where in the capture it is. */
@inline
export function setPlace(
  ip: i32,
  transport: i32,
  isIpv6: bool,
  flowHash: i32,
  time: f64,
  number: i32,
  direction: i32,
  wrapping: i32,
): void {
  ipv6 = isIpv6;
  hash = flowHash;
  timeNs = time;
  frame = number;
  seen = direction;
  encapsulation = wrapping;
  ports = load32(transport);
  if (isIpv6) {
    source = loadIpv6(ip + 8);
    destination = loadIpv6(ip + 24);
  } else {
    source = i32x4.replace_lane(i32x4.splat(0), 0, load32(ip + 12));
    destination = i32x4.replace_lane(i32x4.splat(0), 0, load32(ip + 16));
  }
}

/** Notes what the IP header that carries a packet says of its way. */
@inline
export function setWay(timeToLive: i32, identification: i32): void {
  ttl = timeToLive;
  ipId = identification;
}

/** Sets the sequence number of a segment that is only quoted. */
export function setQuoted(sequence: i32): void {
  seq = sequence;
}

/** Decodes a TCP header, of which at least the flags are there. `transportBytes` is its length with payload, on the wire. */
@inline
export function setHeader(transport: i32, transportBytes: i32, end: i32): void {
  seq = load32(transport + 4);
  ack = load32(transport + 8);
  flags = load<u8>(transport + 13);
  const headerBytes = <i32>(load<u8>(transport + 12) >>> 4) * 4;
  windowBytes = transport + 16 <= end ? load16(transport + 14) : 0;
  payloadBytes = max(0, transportBytes - max(headerBytes, 20));
  hasTsval = false;
  if (headerBytes === 32 && transport + 32 <= end && load<i32>(transport + 20) === ONLY_TIMESTAMPS) {
    hasTsval = true;
    tsval = load32(transport + 24);
    options = OPTION_TIMESTAMPS;
  } else if (headerBytes === 20 && transport + 20 <= end) {
    options = 0;
  } else if (headerBytes === 40 && transport + 40 <= end && isLinuxSyn(transport)) {
    hasTsval = true;
    tsval = load32(transport + 28);
    options =
      OPTION_MSS |
      OPTION_SACK |
      OPTION_TIMESTAMPS |
      OPTION_WINDOW_SCALE |
      (load16(transport + 22) << 16) |
      (load<u8>(transport + 39) & 15);
  } else {
    options = unusualOptions(transport, end);
    hasTsval = load<i32>(AT_HAS_TSVAL) !== 0;
    tsval = load<i32>(AT_TSVAL);
  }
  const ecn = flags & (ECE | CWR);
  if (ecn === ((flags & ACK) === 0 ? ECE | CWR : ECE)) options |= OPTION_ECN;
}

/** MSS, SACK-Permitted, timestamps, NOP, window scale: the 20 bytes of options that a Linux SYN has. */
@inline
function isLinuxSyn(transport: i32): bool {
  return (
    load<u16>(transport + 20) === 0x0402 &&
    load<i32>(transport + 24) === SACK_TIMESTAMPS &&
    (load<i32>(transport + 36) & 0xffffff) === 0x030301
  );
}
