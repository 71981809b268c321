/** Joins byte pieces; numbers stand for single bytes. */
export function join(...pieces: (number | ArrayLike<number>)[]): Uint8Array {
  let length = 0;
  for (const piece of pieces) length += typeof piece === 'number' ? 1 : piece.length;
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const piece of pieces) {
    if (typeof piece === 'number') bytes[offset++] = piece;
    else {
      bytes.set(piece, offset);
      offset += piece.length;
    }
  }
  return bytes;
}

/** The two bytes of `value` in network order. */
export function u16(value: number): number[] {
  return [(value >>> 8) & 255, value & 255];
}

/** The four bytes of `value` in network order. */
export function u32(value: number): number[] {
  return [(value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}

/** Reads hexadecimal digits; spaces, newlines and colons between them do not count. */
export function hex(text: string): Uint8Array {
  const digits = text.replace(/[\s:]/g, '');
  if (!/^([0-9a-fA-F]{2})*$/.test(digits)) throw new Error(`not whole hexadecimal bytes: ${text}`);
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** A view of a fresh buffer that is exactly as long as `bytes`, so that a read beyond it throws. */
export function exactView(bytes: Uint8Array): DataView {
  return new DataView(Uint8Array.from(bytes).buffer);
}
