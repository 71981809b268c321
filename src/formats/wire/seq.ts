/**
 * How far sequence number `a` is after `b`, modulo 2^32 (RFC 9293 section 3.4): from -2^31 to 2^31 - 1, negative when `a` is
 * before `b`.
 */
export function seqDiff(a: number, b: number): number {
  return (a - b) | 0;
}

/** True when sequence number `a` comes before `b`, modulo 2^32 (RFC 9293 section 3.4). */
export function seqLess(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}

/** `seq + bytes` modulo 2^32, as an unsigned number (RFC 9293 section 3.4). */
export function seqAdd(seq: number, bytes: number): number {
  return (seq + bytes) >>> 0;
}
