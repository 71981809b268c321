/**
 * Adds up `bytes` from `start` to `end` as 16-bit words in network order, an odd last byte padded with zero (RFC 1071), on top
 * of `sum`. The result is not folded: feed it to another call, or to {@link foldChecksum}. Exact for packets up to 64 KiB.
 */
export function sumWords(bytes: Uint8Array, start: number, end: number, sum = 0): number {
  let total = sum;
  for (let offset = start; offset + 1 < end; offset += 2) total += (bytes[offset]! << 8) | bytes[offset + 1]!;
  if ((end - start) % 2 === 1) total += bytes[end - 1]! << 8;
  return total;
}

/** Folds a sum of {@link sumWords} to 16 bits and complements it: the Internet checksum of RFC 1071. */
export function foldChecksum(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x1_0000);
  return ~folded & 0xffff;
}
