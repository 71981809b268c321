// Finds the few packets of a capture that can matter to a handshake, and hands them to the tracker. Most packets cost a handful of
// loads: a TCP packet without SYN is passed over when its flow hash meets an empty slot.
import {
  AT_CAPTURED_BYTES,
  AT_CLASS,
  AT_CUT_ICMP,
  AT_DATA_OFFSET,
  AT_HASH,
  AT_INTERFACE_ID,
  AT_RECORD_OFFSET,
  AT_SEEN,
  AT_WALKED,
  BATCH_PACKETS,
} from '../src/handshake/scan-layout';
import { close, closeAll, patienceNs, placeAttempts } from './attempts';
import { firstSlot, nextFit, seek, warmFit } from './flow-index';
import { unite } from './groups';
import {
  ICMP_CAREFUL,
  ICMP_CUT,
  ICMP_ERROR,
  icmpClass,
  icmpv6Class,
  isAdvisory,
  noteSender,
  quotedAt,
  typeCodeOf,
} from './icmp';
import { keepLoads, placeRows, rowAt } from './memory';
import { hashAt, hashIpv4, hashIpv6, load16, load32, SYN, setHeader, setPlace, setQuoted, setWay } from './segment';
import { placeTally, settle } from './tally';
import { takeIcmp, takeSegment } from './tracker';

/** Time of a packet of the batch in nanoseconds since the start of the capture; its direction is put at {@link AT_SEEN}. */
declare function place(packet: i32): f64;

/** How a packet is to be taken: not at all, as one over IPv4 or IPv6, or with care, which is left to the caller. */
const CLASS_NONE: i32 = 0;
const CLASS_IPV4: i32 = 1;
const CLASS_IPV6: i32 = 2;
const CLASS_CAREFUL: i32 = 3;
/** Beside {@link CLASS_IPV4} or {@link CLASS_IPV6}: a segment with SYN, or an ICMP error that quotes a segment. */
const CLASS_SYN: i32 = 4;
const CLASS_ERROR: i32 = 8;

/** Packets whose rows, three cache lines each, lie in a first-level cache together. */
const CLASSIFIED_AT_ONCE: i32 = 128;

/** EtherTypes as they lie in memory. */
const ETHERTYPE_IPV4: i32 = 0x0008;
const ETHERTYPE_ARP: i32 = 0x0608;
const ETHERTYPE_IPV6: i32 = 0xdd86;
const ICMP: i32 = 1;
const TCP: i32 = 6;
const UDP: i32 = 17;
const ICMPV6: i32 = 58;
const LINUX_SLL: i32 = 113;
const LINUX_SLL2: i32 = 276;

/** Address of the byte that offsets count from. */
let origin: i32 = 0;
let firstFrame: i32 = 1;
/** The first packet of the batch that {@link classify} has not seen. */
let classified: i32 = 0;
/** Of the packets of the batch: their link type, and where its EtherType (or -1) and the network layer are. */
let linkType: i32 = 0;
let etherTypeOffset: i32 = 0;
let networkOffset: i32 = 0;
/** How times are read from records of classic pcap; by {@link place} when `nsPerUnit` is 0. */
let nsPerUnit: f64 = 0;
let swapsTime: bool = false;
let baseSeconds: f64 = 0;

/** Sets the memory up, once: where the rows lie, and how many there are; `open` of them may be open at once. */
export function init(
  rowsAt: i32,
  rows: i32,
  borrowed: i32,
  open: i32,
  keeps: bool,
  tellsBegin: bool,
  tellsEnd: bool,
): void {
  placeRows(rowsAt, rows, borrowed, keeps);
  placeAttempts(tellsBegin, tellsEnd, open);
}

/** Has attempts counted as they end, in tables behind the rows: see `placeTally`. */
export function count(at: i32, all: bool, failedOnly: bool, limit: i32, asks: bool): void {
  placeTally(at, all, failedOnly, limit, asks);
}

/**
 * Appends the packets of classic pcap records to a batch of `count`, for the layout that nearly all files have: little-endian, record
 * headers of 16 bytes, captured length first. `from` is where the offsets `at` and `end` count from. It stops at a record that is not
 * whole, that has no bytes or more than `longest`, and puts the packets of the batch at {@link AT_WALKED}.
 * @returns the offset where it stopped.
 */
export function walk(from: i32, at: i32, end: i32, count: i32, longest: i32): i32 {
  const lastHeader = end - 16;
  while (count < BATCH_PACKETS && at <= lastHeader) {
    const captured = load<i32>(from + at + 8);
    if (captured <= 0 || captured > lastHeader - at || captured > longest) break;
    const entry = count << 2;
    store<i32>(AT_RECORD_OFFSET + entry, at);
    store<i32>(AT_DATA_OFFSET + entry, at + 16);
    store<i32>(AT_CAPTURED_BYTES + entry, captured);
    store<i32>(AT_INTERFACE_ID + entry, 0);
    at += 16 + captured;
    count++;
  }
  store<i32>(AT_WALKED, count);
  return at;
}

/** Says where the bytes of a batch lie, and the number of its first packet. */
export function setBatch(bytesAt: i32, first: i32): void {
  origin = bytesAt;
  firstFrame = first;
  classified = 0;
}

/** Says how the packets that follow are laid out. */
export function setLink(type: i32, etherType: i32, network: i32): void {
  linkType = type;
  etherTypeOffset = etherType;
  networkOffset = network;
}

/** Says how times are read: nanoseconds of a unit of a classic record, or 0 for records that are not classic. */
export function setClock(unitNs: f64, swaps: bool, base: f64): void {
  nsPerUnit = unitNs;
  swapsTime = swaps;
  baseSeconds = base;
}

/** Adds the clients of a group to an estimate: see `unite`. */
export function uniteClients(group: i32): void {
  unite(group);
}

/** Ends all open attempts: the capture is over. */
export function finish(endNs: f64): void {
  closeAll(endNs);
  settle();
}

/** How long an attempt may be quiet before its silence says something: see `patienceNs`. */
export function patience(row: i32): f64 {
  return patienceNs(rowAt(row));
}

/** Ends an open attempt. */
export function end(row: i32): void {
  close(row);
}

/** Counts the attempts that ended, of which some are left for later: see `tally`. */
export function settleAll(): void {
  settle();
}

/**
 * Classifies packets. What it looks up stays in the processor's cache until {@link track} needs it, and packets do not wait
 * for each other here: that is worth more than the work itself when many flows are open. Each loop is as short as can be, so that the
 * processor has the loads of many packets under way at once.
 */
function classify(from: i32, to: i32): void {
  for (let i = from; i < to; i++) {
    const data = origin + load<i32>(AT_DATA_OFFSET + (i << 2));
    const end = data + load<i32>(AT_CAPTURED_BYTES + (i << 2));
    const ip = data + networkOffset;
    const kind = classOf(data, ip, end);
    store<u8>(AT_CLASS + i, kind);
    if (kind === CLASS_NONE || kind === CLASS_CAREFUL) continue;
    const isIpv6 = (kind & CLASS_IPV6) !== 0;
    const at = (kind & CLASS_ERROR) === 0 ? ip : quotedAt(ip, isIpv6);
    store<i32>(AT_HASH + (i << 2), isIpv6 ? hashIpv6(at, at + 40) : hashIpv4(at, at + 20));
  }
  let loaded = 0;
  for (let i = from; i < to; i++) loaded += firstSlot(load<i32>(AT_HASH + (i << 2)));
  for (let i = from; i < to; i++) loaded += warmFit(load<i32>(AT_HASH + (i << 2)));
  keepLoads(loaded);
}

@inline
function classOf(data: i32, ip: i32, end: i32): i32 {
  // Room for an IPv4 header and the TCP header up to its flags; whatever is shorter is left to the careful way.
  if (ip + 40 > end) return CLASS_CAREFUL;
  const versionAndLength: i32 = load<u8>(ip);
  const etherType: i32 =
    etherTypeOffset >= 0
      ? load<u16>(data + etherTypeOffset)
      : versionAndLength >>> 4 === 4
        ? ETHERTYPE_IPV4
        : ETHERTYPE_IPV6;
  let protocol: i32;
  let transport: i32;
  if (etherType === ETHERTYPE_IPV4) {
    // Without options, and not a fragment.
    if (versionAndLength !== 0x45 || (load<u16>(ip + 6) & 0xff3f) !== 0) return CLASS_CAREFUL;
    protocol = load<u8>(ip + 9);
    transport = ip + 20;
    if (protocol === TCP) return CLASS_IPV4 | synClass(transport);
    if (protocol === ICMP) return errorClass(icmpClass(ip, end), CLASS_IPV4);
  } else if (etherType === ETHERTYPE_IPV6) {
    transport = ip + 40;
    if (transport + 20 > end) return CLASS_CAREFUL;
    protocol = load<u8>(ip + 6);
    if (protocol === TCP) return CLASS_IPV6 | synClass(transport);
    if (protocol === ICMPV6) return errorClass(icmpv6Class(ip, end), CLASS_IPV6);
  } else {
    return etherType === ETHERTYPE_ARP ? CLASS_NONE : CLASS_CAREFUL;
  }
  return protocol === UDP && !isTunnelPort(load16(transport + 2)) ? CLASS_NONE : CLASS_CAREFUL;
}

@inline
function synClass(transport: i32): i32 {
  return (load<u8>(transport + 13) & SYN) !== 0 ? CLASS_SYN : 0;
}

@inline
function errorClass(icmp: i32, version: i32): i32 {
  if (icmp === ICMP_ERROR) return version | CLASS_ERROR;
  if (icmp === ICMP_CAREFUL) return CLASS_CAREFUL;
  if (icmp === ICMP_CUT) store<f64>(AT_CUT_ICMP, load<f64>(AT_CUT_ICMP) + 1);
  return CLASS_NONE;
}

/** UDP destination ports of VXLAN (and Linux's old default) and Geneve. */
@inline
function isTunnelPort(port: i32): bool {
  return port === 4789 || port === 8472 || port === 6081;
}

/**
 * Takes packets of a batch, in their order.
 * @returns the first one that needs care: the caller takes it, and goes on behind it; `to` when there is none.
 */
export function track(from: i32, to: i32): i32 {
  for (let next = from; next < to; next = classified) {
    if (next >= classified) {
      classified = min(next + CLASSIFIED_AT_ONCE, to);
      classify(next, classified);
    }
    const careful = trackClassified(next, classified);
    if (careful >= 0) return careful;
  }
  return to;
}

/** Takes packets that {@link classify} has seen. Returns the first one that needs care; -1 when there is none. */
function trackClassified(from: i32, to: i32): i32 {
  for (let i = from; i < to; i++) {
    const kind: i32 = load<u8>(AT_CLASS + i);
    if (kind === CLASS_NONE) continue;
    if (kind === CLASS_CAREFUL) return i;
    const hash = load<i32>(AT_HASH + (i << 2));
    if ((kind & (CLASS_SYN | CLASS_ERROR)) === 0) {
      if (firstSlot(hash) === 0) continue;
      seek(hash);
      if (nextFit(hash) < 0) continue;
    }
    const data = origin + load<i32>(AT_DATA_OFFSET + (i << 2));
    const ip = data + networkOffset;
    const isIpv6 = (kind & CLASS_IPV6) !== 0;
    const time = timeOf(i);
    const seen = directionOf(data);
    setWay(load<u8>(ip + (isIpv6 ? 7 : 8)), isIpv6 ? 0 : load16(ip + 4));
    if ((kind & CLASS_ERROR) !== 0) {
      const quoted = quotedAt(ip, isIpv6);
      const segment = quoted + (isIpv6 ? 40 : 20);
      setPlace(quoted, segment, isIpv6, hash, time, firstFrame + i, seen, 0);
      setQuoted(load32(segment + 4));
      noteSender(ip, isIpv6);
      const typeCode = typeCodeOf(ip, isIpv6);
      takeIcmp(typeCode, true, isAdvisory(typeCode, isIpv6));
    } else {
      const transport = ip + (isIpv6 ? 40 : 20);
      const end = data + load<i32>(AT_CAPTURED_BYTES + (i << 2));
      const transportBytes = isIpv6 ? load16(ip + 4) : load16(ip + 2) - 20;
      setPlace(ip, transport, isIpv6, hash, time, firstFrame + i, seen, 0);
      setHeader(transport, max(transportBytes, 0), end);
      takeSegment();
    }
  }
  return -1;
}

@inline
function timeOf(i: i32): f64 {
  if (nsPerUnit === 0) return place(i);
  store<i32>(AT_SEEN, 0);
  const record = origin + load<i32>(AT_RECORD_OFFSET + (i << 2));
  const seconds: u32 = swapsTime ? load32(record) : load<u32>(record);
  const units: u32 = swapsTime ? load32(record + 4) : load<u32>(record + 4);
  return (<f64>seconds - baseSeconds) * 1e9 + <f64>units * nsPerUnit;
}

/** The recorded direction: 1 incoming, 2 outgoing, 0 unknown. Cooked headers say whether a packet was to this host (0) or from it (4). */
@inline
function directionOf(data: i32): i32 {
  if (linkType !== LINUX_SLL && linkType !== LINUX_SLL2) return load<i32>(AT_SEEN);
  const type: i32 = linkType === LINUX_SLL ? load16(data) : load<u8>(data + 10);
  return type === 4 ? 2 : type === 0 ? 1 : 0;
}

/** Takes a TCP segment that the caller has found in a packet; offsets count from that of the batch. */
export function takePacket(
  ipOffset: i32,
  transportOffset: i32,
  transportBytes: i32,
  endOffset: i32,
  isIpv6: bool,
  time: f64,
  frame: i32,
  seen: i32,
  encapsulation: i32,
): void {
  const ip = origin + ipOffset;
  const transport = origin + transportOffset;
  setPlace(ip, transport, isIpv6, hashAt(ip, transport, isIpv6), time, frame, seen, encapsulation);
  setWay(load<u8>(ip + (isIpv6 ? 7 : 8)), isIpv6 ? 0 : load16(ip + 4));
  setHeader(transport, transportBytes, origin + endOffset);
  takeSegment();
}

/** Takes an ICMP error; the offsets are those of the packet that it quotes. Its sender is at `AT_SENDER`. */
export function takeError(
  ipOffset: i32,
  transportOffset: i32,
  isIpv6: bool,
  time: f64,
  frame: i32,
  seen: i32,
  encapsulation: i32,
  ttl: i32,
  ipId: i32,
  typeCode: i32,
  sequence: i32,
  hasSeq: bool,
  overIpv6: bool,
): void {
  const ip = origin + ipOffset;
  const transport = origin + transportOffset;
  setPlace(ip, transport, isIpv6, hashAt(ip, transport, isIpv6), time, frame, seen, encapsulation);
  setWay(ttl, ipId);
  setQuoted(sequence);
  takeIcmp(typeCode, hasSeq, isAdvisory(typeCode, overIpv6));
}
