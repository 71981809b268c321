import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs';

const PIECE_BYTES = 1 << 20;
/** Before each packet: its length and its time (nanoseconds since 1970, as a signed 64-bit integer). */
const HEADER_BYTES = 12;

/** One encoded packet with its time. */
export interface SpooledPacket {
  readonly timeNs: bigint;
  readonly block: Uint8Array;
}

/** Encoded packets on disk, in the order in which they were written. */
export class PacketSpool {
  private readonly path: string;
  private readonly fd: number;
  private readonly buffer = new Uint8Array(PIECE_BYTES);
  private readonly view = new DataView(this.buffer.buffer);
  private filled = 0;

  /** Makes the file at `path`, which must not exist. */
  constructor(path: string) {
    this.path = path;
    this.fd = openSync(path, 'wx+', 0o600);
  }

  /** Appends one packet. */
  add(timeNs: bigint, block: Uint8Array): void {
    const needed = HEADER_BYTES + block.length;
    if (this.filled + needed > this.buffer.length) this.pass();
    this.view.setUint32(this.filled, block.length, true);
    this.view.setBigInt64(this.filled + 4, timeNs, true);
    if (needed > this.buffer.length) {
      this.filled += HEADER_BYTES;
      this.pass();
      writeAll(this.fd, block);
    } else {
      this.buffer.set(block, this.filled + HEADER_BYTES);
      this.filled += needed;
    }
  }

  /** Reads everything back, from the start. A packet is valid until the next one is taken. */
  *packets(): Generator<SpooledPacket> {
    this.pass();
    let [at, end, position] = [0, 0, 0];
    let { buffer, view } = this;
    for (;;) {
      const length = end - at >= HEADER_BYTES ? view.getUint32(at, true) : 0;
      if (end - at < HEADER_BYTES + length) {
        const needed = HEADER_BYTES + length;
        const larger = needed > buffer.length ? new Uint8Array(needed * 2) : buffer;
        larger.set(buffer.subarray(at, end));
        buffer = larger;
        view = new DataView(buffer.buffer);
        end -= at;
        at = 0;
        const count = readSync(this.fd, buffer, end, buffer.length - end, position);
        if (count === 0) return;
        position += count;
        end += count;
        continue;
      }
      const start = at + HEADER_BYTES;
      at = start + length;
      yield { timeNs: view.getBigInt64(start - 8, true), block: buffer.subarray(start, at) };
    }
  }

  /** Closes and removes the file. */
  remove(): void {
    closeSync(this.fd);
    rmSync(this.path, { force: true });
  }

  private pass(): void {
    writeAll(this.fd, this.buffer.subarray(0, this.filled));
    this.filled = 0;
  }
}

/** Writes every byte, however many calls it takes. */
export function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}
