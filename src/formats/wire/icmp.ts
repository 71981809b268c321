import { ICMP_ERROR_TYPES, ICMP_ERRORS } from './icmp-registry.ts';
import { type IpChain, walkExtensionHeaders } from './ip-chain.ts';
import { IPPROTO_AH, IPPROTO_TCP, IPPROTO_UDP } from './numbers.ts';

/**
 * One ICMP or ICMPv6 error and the packet that it quotes: reused for every message by {@link decodeIcmpError}. All offsets
 * into the buffer given to it; `ipProtocol`, `transportOffset` and the fragment flags are those of the quoted packet.
 */
export interface IcmpError extends IpChain {
  type: number;
  code: number;
  /** Next-hop MTU of ICMP 3/4 (RFC 1191; 0 from routers older than that) and ICMPv6 type 2 in bytes; 0 for all others. */
  mtuBytes: number;
  /** 4 or 6: the quoted IP header lies wholly in the capture; 0 when it does not, or is none. */
  quotedVersion: number;
  quotedOffset: number;
  /** Of the quoted packet: 4 or 16 bytes each, by `quotedVersion`. */
  sourceOffset: number;
  destinationOffset: number;
  /** Whether the quote reaches the ports: the first four bytes of TCP or UDP. */
  hasPorts: boolean;
  sourcePort: number;
  destinationPort: number;
  /** Whether the quote reaches the sequence number: eight bytes of TCP, which RFC 792 guarantees. */
  hasSeq: boolean;
  seq: number;
  /** Whether the quote reaches the TCP flags, with a data offset that shows that it is no padding. */
  hasFlags: boolean;
  ack: number;
  flags: number;
}

/** Makes an `IcmpError` to be filled by {@link decodeIcmpError}. */
export function createIcmpError(): IcmpError {
  return {
    type: 0,
    code: 0,
    mtuBytes: 0,
    quotedVersion: 0,
    quotedOffset: 0,
    sourceOffset: 0,
    destinationOffset: 0,
    ipProtocol: 0,
    transportOffset: 0,
    firstFragment: false,
    laterFragment: false,
    hasPorts: false,
    sourcePort: 0,
    destinationPort: 0,
    hasSeq: false,
    seq: 0,
    hasFlags: false,
    ack: 0,
    flags: 0,
  };
}

/**
 * True for the types that say that a packet was not delivered and quote it: ICMP 3, 4, 11 and 12 (RFC 792; a Redirect is none,
 * the packet went on), ICMPv6 1 to 4 (RFC 4443 section 2.1).
 */
export function isIcmpError(version: number, type: number): boolean {
  return version === 4 ? type === 3 || type === 4 || type === 11 || type === 12 : type >= 1 && type <= 4;
}

/**
 * Decodes the ICMP (`version` 4) or ICMPv6 (6) error that starts at `offset`:
 *
 * ```
 * 0 type   1 code   2 checksum   4 MTU, length of the quote, or unused   8 quoted packet, as much of it as the sender chose
 * ```
 *
 * Never throws, never reads at or beyond `end`. A quoted packet that is itself a tunnel is not followed.
 * @returns false when the message is no error or the capture does not hold its eight bytes; `out` is then of no use.
 */
export function decodeIcmpError(view: DataView, offset: number, end: number, version: number, out: IcmpError): boolean {
  const captured = Math.min(end, view.byteLength);
  reset(out);
  if (offset + 8 > captured) return false;
  out.type = view.getUint8(offset);
  out.code = view.getUint8(offset + 1);
  if (!isIcmpError(version, out.type)) return false;
  if (version === 6 && out.type === 2) out.mtuBytes = view.getUint32(offset + 4);
  if (version === 4 && out.type === 3 && out.code === 4) out.mtuBytes = view.getUint16(offset + 6);
  const quoteEnd = Math.min(captured, offset + 8 + quoteLimit(view, offset, version, out.type));
  decodeQuote(view, offset + 8, quoteEnd, out);
  return true;
}

/**
 * The registry's name of an ICMP error, such as `Communication Administratively Prohibited`; of a code that is not in it, the
 * name of the type and the code.
 */
export function icmpErrorName(version: number, type: number, code: number): string {
  const known = ICMP_ERRORS[`${version}/${type}/${code}`];
  if (known !== undefined) return known.name;
  return `${ICMP_ERROR_TYPES[`${version}/${type}`] ?? `Type ${type}`}, Code ${code}`;
}

/** What an ICMP error says about the TCP segment that it quotes, as a clause without a full stop; '' for unknown ones. */
export function icmpErrorImplication(version: number, type: number, code: number): string {
  return ICMP_ERRORS[`${version}/${type}/${code}`]?.implication ?? '';
}

/**
 * Bytes of the quote by the length field of RFC 4884 section 4, in words of four (ICMP) or eight bytes (ICMPv6): extensions
 * follow it. Infinity when there is none.
 */
function quoteLimit(view: DataView, offset: number, version: number, type: number): number {
  let bytes = 0;
  if (version === 4 && type !== 4) bytes = 4 * view.getUint8(offset + 5);
  if (version === 6 && (type === 1 || type === 3)) bytes = 8 * view.getUint8(offset + 4);
  return bytes === 0 ? Number.POSITIVE_INFINITY : bytes;
}

function decodeQuote(view: DataView, offset: number, end: number, out: IcmpError): void {
  if (offset + 20 > end) return;
  const start = view.getUint8(offset);
  out.quotedOffset = offset;
  if (start >>> 4 === 4 && (start & 15) >= 5) {
    const fragment = view.getUint16(offset + 6) & 0x3fff;
    out.quotedVersion = 4;
    out.sourceOffset = offset + 12;
    out.destinationOffset = offset + 16;
    out.ipProtocol = view.getUint8(offset + 9);
    out.transportOffset = offset + (start & 15) * 4;
    out.firstFragment = fragment === 0x2000;
    out.laterFragment = (fragment & 0x1fff) !== 0;
    if (out.ipProtocol === IPPROTO_AH && !out.laterFragment) walkExtensionHeaders(view, end, out);
  } else if (start >>> 4 === 6 && offset + 40 <= end) {
    out.quotedVersion = 6;
    out.sourceOffset = offset + 8;
    out.destinationOffset = offset + 24;
    out.ipProtocol = view.getUint8(offset + 6);
    out.transportOffset = offset + 40;
    walkExtensionHeaders(view, end, out);
  } else {
    return;
  }
  if (!out.laterFragment) decodeTransport(view, end, out);
}

function decodeTransport(view: DataView, end: number, out: IcmpError): void {
  const offset = out.transportOffset;
  const tcp = out.ipProtocol === IPPROTO_TCP;
  if (!tcp && out.ipProtocol !== IPPROTO_UDP) return;
  if (offset + 4 > end) return;
  out.hasPorts = true;
  out.sourcePort = view.getUint16(offset);
  out.destinationPort = view.getUint16(offset + 2);
  if (!tcp || offset + 8 > end) return;
  out.hasSeq = true;
  out.seq = view.getUint32(offset + 4);
  if (offset + 14 > end || view.getUint8(offset + 12) >>> 4 < 5) return;
  out.hasFlags = true;
  out.ack = view.getUint32(offset + 8);
  out.flags = view.getUint8(offset + 13);
}

function reset(out: IcmpError): void {
  out.type = 0;
  out.code = 0;
  out.mtuBytes = 0;
  out.quotedVersion = 0;
  out.quotedOffset = 0;
  out.sourceOffset = 0;
  out.destinationOffset = 0;
  out.ipProtocol = 0;
  out.transportOffset = 0;
  out.firstFragment = false;
  out.laterFragment = false;
  out.hasPorts = false;
  out.sourcePort = 0;
  out.destinationPort = 0;
  out.hasSeq = false;
  out.seq = 0;
  out.hasFlags = false;
  out.ack = 0;
  out.flags = 0;
}
