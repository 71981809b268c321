import { exactView } from './bytes.ts';

/**
 * Calls `decode` with every proper beginning of `bytes`, each in a buffer that ends where it ends, so that a read beyond the
 * end throws.
 */
export function cutEverywhere(bytes: Uint8Array, decode: (view: DataView, length: number) => void): void {
  for (let length = 0; length < bytes.length; length++) decode(exactView(bytes.subarray(0, length)), length);
}

/** Calls `decode` with every copy of `bytes` that differs from it in one bit, in a buffer of exactly that length. */
export function flipEveryBit(bytes: Uint8Array, decode: (view: DataView, bit: number) => void): void {
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const view = exactView(bytes);
    view.setUint8(bit >>> 3, bytes[bit >>> 3]! ^ (0x80 >>> (bit & 7)));
    decode(view, bit);
  }
}
