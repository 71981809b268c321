/** Values of {@link TcpOptions.fastOpen}: a request asks for a cookie, a cookie is carried (RFC 7413 section 4.1.1). */
const FAST_OPEN_NONE = 0;
export const FAST_OPEN_REQUEST = 1;
export const FAST_OPEN_COOKIE = 2;

/** Values of {@link TcpOptions.mptcp} (RFC 8684 section 3). */
const MPTCP_NONE = 0;
export const MPTCP_CAPABLE = 1;
export const MPTCP_JOIN = 2;
export const MPTCP_OTHER = 3;

/** The options of one TCP header: reused for every packet by {@link decodeTcpOptions}. */
export interface TcpOptions {
  /** Maximum Segment Size (kind 2, RFC 9293 section 3.7.1). */
  hasMss: boolean;
  mssBytes: number;
  /** Window Scale (kind 3, RFC 7323 section 2) as sent; receivers use 14 for anything larger. */
  hasWindowScale: boolean;
  windowScaleShift: number;
  /** SACK-Permitted (kind 4, RFC 2018). */
  sackPermitted: boolean;
  /** Timestamps (kind 8, RFC 7323 section 3), in units of the sender's choice. */
  hasTimestamps: boolean;
  tsval: number;
  tsecr: number;
  /** 0 for none, or FAST_OPEN_...: kind 34, or kind 254 with the experiment id 0xF989 of older systems. */
  fastOpen: number;
  /** Multipath TCP (kind 30): 0 for none, or MPTCP_... by its subtype. */
  mptcp: number;
  /** MD5 Signature (kind 19, RFC 2385). */
  md5: boolean;
  /** Authentication Option (kind 29, RFC 5925). */
  ao: boolean;
  /** True when an option's length is wrong or overruns the header; those before it count. */
  malformed: boolean;
  /** True when the capture ends before the options do; those before the cut count. */
  cut: boolean;
}

/** Makes a `TcpOptions` to be filled by {@link decodeTcpOptions}. */
export function createTcpOptions(): TcpOptions {
  return {
    hasMss: false,
    mssBytes: 0,
    hasWindowScale: false,
    windowScaleShift: 0,
    sackPermitted: false,
    hasTimestamps: false,
    tsval: 0,
    tsecr: 0,
    fastOpen: FAST_OPEN_NONE,
    mptcp: MPTCP_NONE,
    md5: false,
    ao: false,
    malformed: false,
    cut: false,
  };
}

/**
 * Decodes the options of the TCP header that starts at `offset` (RFC 9293 section 3.1): every option is `kind`, and but for
 * End of Option List (0) and No-Operation (1) `length` of all of it, and its value. An option of the wrong length is skipped
 * and marks the options as malformed. Never throws, never reads at or beyond `end`.
 * @param offset - of the TCP header, not of the options: the data offset in it bounds them.
 * @param end - first byte after what was captured of the packet.
 */
export function decodeTcpOptions(view: DataView, offset: number, end: number, out: TcpOptions): void {
  reset(out);
  const captured = Math.min(end, view.byteLength);
  if (captured - offset < 20) {
    out.cut = true;
    return;
  }
  const headerBytes = (view.getUint8(offset + 12) >>> 4) * 4;
  out.malformed = headerBytes < 20;
  const limit = offset + headerBytes;
  if (headerBytes === 40 && limit <= captured && decodeUsualSyn(view, offset + 20, out)) return;
  let at = offset + 20;
  while (at < limit) {
    if (at >= captured) {
      out.cut = true;
      return;
    }
    const kind = view.getUint8(at);
    if (kind === 0) return;
    if (kind === 1) {
      at++;
      continue;
    }
    if (at + 1 >= limit) {
      out.malformed = true;
      return;
    }
    if (at + 1 >= captured) {
      out.cut = true;
      return;
    }
    const length = view.getUint8(at + 1);
    if (length < 2 || at + length > limit) {
      out.malformed = true;
      return;
    }
    if (at + length > captured) {
      out.cut = true;
      return;
    }
    if (!decodeOption(view, kind, at, length, out)) out.malformed = true;
    at += length;
  }
}

/** Decodes 20 bytes of options when they are those of a Linux SYN: MSS, SACK-Permitted, Timestamps, No-Operation, Window Scale. */
function decodeUsualSyn(view: DataView, at: number, out: TcpOptions): boolean {
  if (view.getUint32(at + 4) !== 0x0402080a || view.getUint16(at) !== 0x0204) return false;
  const last = view.getUint32(at + 16);
  if (last >>> 8 !== 0x010303) return false;
  out.hasMss = true;
  out.mssBytes = view.getUint16(at + 2);
  out.sackPermitted = true;
  out.hasTimestamps = true;
  out.tsval = view.getUint32(at + 8);
  out.tsecr = view.getUint32(at + 12);
  out.hasWindowScale = true;
  out.windowScaleShift = last & 255;
  return true;
}

/** Decodes one option that lies wholly within the header. Returns false when its length is wrong for its kind. */
function decodeOption(view: DataView, kind: number, at: number, length: number, out: TcpOptions): boolean {
  switch (kind) {
    case 2:
      if (length !== 4) return false;
      out.hasMss = true;
      out.mssBytes = view.getUint16(at + 2);
      return true;
    case 3:
      if (length !== 3) return false;
      out.hasWindowScale = true;
      out.windowScaleShift = view.getUint8(at + 2);
      return true;
    case 4:
      if (length !== 2) return false;
      out.sackPermitted = true;
      return true;
    case 5:
      return length > 2 && length % 8 === 2;
    case 8:
      if (length !== 10) return false;
      out.hasTimestamps = true;
      out.tsval = view.getUint32(at + 2);
      out.tsecr = view.getUint32(at + 6);
      return true;
    case 19:
      if (length !== 18) return false;
      out.md5 = true;
      return true;
    case 29:
      if (length < 4) return false;
      out.ao = true;
      return true;
    case 30:
      if (length < 3) return false;
      out.mptcp = mptcpOf(view.getUint8(at + 2) >>> 4);
      return true;
    case 34:
      return fastOpen(length - 2, out);
    case 254:
      return length < 4 || view.getUint16(at + 2) !== 0xf989 || fastOpen(length - 4, out);
    default:
      return true;
  }
}

/** No cookie is a request for one; a cookie has 4 to 16 bytes, an even number (RFC 7413 section 4.1.1). */
function fastOpen(cookieBytes: number, out: TcpOptions): boolean {
  if (cookieBytes !== 0 && (cookieBytes < 4 || cookieBytes > 16 || cookieBytes % 2 === 1)) return false;
  out.fastOpen = cookieBytes === 0 ? FAST_OPEN_REQUEST : FAST_OPEN_COOKIE;
  return true;
}

function mptcpOf(subtype: number): number {
  if (subtype === 0) return MPTCP_CAPABLE;
  return subtype === 1 ? MPTCP_JOIN : MPTCP_OTHER;
}

function reset(out: TcpOptions): void {
  out.hasMss = false;
  out.mssBytes = 0;
  out.hasWindowScale = false;
  out.windowScaleShift = 0;
  out.sackPermitted = false;
  out.hasTimestamps = false;
  out.tsval = 0;
  out.tsecr = 0;
  out.fastOpen = FAST_OPEN_NONE;
  out.mptcp = MPTCP_NONE;
  out.md5 = false;
  out.ao = false;
  out.malformed = false;
  out.cut = false;
}
