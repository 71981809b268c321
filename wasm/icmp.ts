// ICMP errors of the common form: no options or extension headers, neither in the packet nor in the TCP segment that it quotes (RFC 792,
// RFC 4443). What is written here of the rest of `formats/wire/icmp.ts` is only how to tell that a message is none of them.
import { AT_SENDER } from '../src/handshake/scan-layout';
import { load16, load32, loadIpv6 } from './segment';

/** What is to be made of an ICMP message: nothing, its error, what a careful look finds, or a note that it is cut. */
export const ICMP_NONE: i32 = 0;
export const ICMP_ERROR: i32 = 1;
export const ICMP_CAREFUL: i32 = 2;
/** An error of which the capture holds only a part of the quoted IP header. */
export const ICMP_CUT: i32 = 3;

const TCP: i32 = 6;
const HEADER_BYTES: i32 = 8;
const IPV4_BYTES: i32 = 20;
const IPV6_BYTES: i32 = 40;
/** Ports and sequence number, which every error quotes. */
const QUOTED_BYTES: i32 = 8;

const UNREACHABLE: i32 = 3;
const FRAGMENTATION_NEEDED: i32 = 4;
const SOURCE_QUENCH: i32 = 4;
const TIME_EXCEEDED: i32 = 11;
const PARAMETER_PROBLEM: i32 = 12;
const PACKET_TOO_BIG_V6: i32 = 2;
const LAST_ERROR_V6: i32 = 4;

/** What is to be made of an ICMP message in an IPv4 packet without options. */
export function icmpClass(ip: i32, captured: i32): i32 {
  const icmp = ip + IPV4_BYTES;
  const quoted = icmp + HEADER_BYTES;
  const end = min(captured, ip + load16(ip + 2));
  if (quoted > end) return ICMP_CAREFUL;
  const type: i32 = load<u8>(icmp);
  if (type !== UNREACHABLE && type !== SOURCE_QUENCH && type !== TIME_EXCEEDED && type !== PARAMETER_PROBLEM) return ICMP_NONE;
  const quoteBytes = IPV4_BYTES + QUOTED_BYTES;
  if (quoted + quoteBytes > end || isShort(type === SOURCE_QUENCH ? 0 : load<u8>(icmp + 5) << 2, quoteBytes)) return ICMP_CAREFUL;
  const plain = load<u8>(quoted) === 0x45 && (load<u16>(quoted + 6) & 0xff3f) === 0 && load<u8>(quoted + 9) === TCP;
  return plain ? ICMP_ERROR : ICMP_CAREFUL;
}

/** What is to be made of an ICMPv6 message in an IPv6 packet without extension headers. */
export function icmpv6Class(ip: i32, captured: i32): i32 {
  const icmp = ip + IPV6_BYTES;
  const quoted = icmp + HEADER_BYTES;
  const end = min(captured, icmp + load16(ip + 4));
  if (quoted > end || load<u8>(ip) >>> 4 !== 6) return ICMP_CAREFUL;
  const type: i32 = load<u8>(icmp);
  if (type === 0 || type > LAST_ERROR_V6) return ICMP_NONE;
  const quoteBytes = IPV6_BYTES + QUOTED_BYTES;
  const told = (type & 1) !== 0 ? load<u8>(icmp + 4) << 3 : 0;
  if (isShort(told, quoteBytes)) return ICMP_CAREFUL;
  if (quoted + quoteBytes > end) {
    const isCut = quoted + IPV6_BYTES > captured && quoted < captured && icmp + load16(ip + 4) > captured;
    return isCut && load<u8>(quoted) >>> 4 === 6 ? ICMP_CUT : ICMP_CAREFUL;
  }
  return load<u8>(quoted) >>> 4 === 6 && load<u8>(quoted + 6) === TCP ? ICMP_ERROR : ICMP_CAREFUL;
}

/** Whether the length that a message gives of its quote (RFC 4884 section 4; 0 when it gives none) is less than needed. */
@inline
function isShort(told: i32, needed: i32): bool {
  return told !== 0 && told < needed;
}

/** Where the packet lies that an error quotes. */
@inline
export function quotedAt(ip: i32, ipv6: bool): i32 {
  return ip + (ipv6 ? IPV6_BYTES : IPV4_BYTES) + HEADER_BYTES;
}

/** Notes who sent an error. */
export function noteSender(ip: i32, ipv6: bool): void {
  v128.store(AT_SENDER, ipv6 ? loadIpv6(ip + 8) : i32x4.replace_lane(i32x4.splat(0), 0, load32(ip + 12)));
}

/** Type, code and next-hop MTU of an error in one word, as an event holds them. */
export function typeCodeOf(ip: i32, ipv6: bool): i32 {
  const icmp = ip + (ipv6 ? IPV6_BYTES : IPV4_BYTES);
  const type: i32 = load<u8>(icmp);
  const code: i32 = load<u8>(icmp + 1);
  let mtu = 0;
  if (ipv6) mtu = type === PACKET_TOO_BIG_V6 ? <i32>min<u32>(load32(icmp + 4), 0xffff) : 0;
  else if (type === UNREACHABLE && code === FRAGMENTATION_NEEDED) mtu = load16(icmp + 6);
  return (type << 24) | (code << 16) | mtu;
}

/** Errors that ask for smaller packets or fewer of them do not end a connection attempt (RFC 1191, RFC 8201, RFC 6633). */
export function isAdvisory(typeCode: i32, ipv6: bool): bool {
  const type = typeCode >>> 24;
  if (ipv6) return type === PACKET_TOO_BIG_V6;
  return type === SOURCE_QUENCH || (type === UNREACHABLE && ((typeCode >>> 16) & 255) === FRAGMENTATION_NEEDED);
}
