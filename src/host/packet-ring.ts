import type { CaptureSpec } from './host.ts';
import { SOL_PACKET, SocketCapture, uint32s } from './packet-socket.ts';
import type { SystemCalls } from './system.ts';

/** linux/if_packet.h. */
const PACKET_RX_RING = 5;
const PACKET_VERSION = 10;
const TPACKET_V3 = 2;
const TP_STATUS_USER = 1;

/** At 200,000 small packets a second (SYNs and their answers) one block holds those of 10 ms, and the ring those of 0.6 s. */
const BLOCK_BYTES = 256 * 1024;
const BUFFER_BYTES = 64 * BLOCK_BYTES;
const LEAST_BLOCK_BYTES = 16 * 1024;
const FRAME_BYTES = 2048;
/** A block that is not full is handed over after so long. */
const RETIRE_MS = 8;

/** Offsets in `struct tpacket_block_desc`, and in `struct tpacket3_hdr` with the `struct sockaddr_ll` that follows it. */
const BLOCK_STATUS = 8;
const BLOCK_PACKETS = 12;
const BLOCK_FIRST_PACKET = 16;
const BLOCK_LENGTH = 20;
const PACKET_NEXT = 0;
const PACKET_SECONDS = 4;
const PACKET_NANOSECONDS = 8;
const PACKET_CAPTURED = 12;
const PACKET_LENGTH = 16;
/** The offset of the link layer, and in the upper half that of the network layer. */
const PACKET_MAC = 24;
const LINK_PROTOCOL = 50;
const LINK_INDEX = 52;
const LINK_HARDWARE = 56;
const LINK_TYPE = 58;

/** The memory of a ring. */
interface RingShape {
  readonly blocks: number;
  /** A power of two, and whole pages. */
  readonly blockBytes: number;
}

/** A ring that the kernel shares with this process (Documentation/networking/packet_mmap.rst): it takes floods. */
export class PacketRing extends SocketCapture {
  /** What came last is in a block that is not full; the kernel hands it over in a moment. */
  protected override readonly delayMs: number = 3 * RETIRE_MS;
  private readonly blocks: number;
  private readonly blockBytes: number;
  private readonly ring: { readonly memory: ArrayBuffer; unmap(): void };
  private readonly bytes: Buffer;
  private readonly words: Uint32Array;
  private readonly statuses: Int32Array;
  private block = 0;

  private constructor(calls: SystemCalls, fd: number, spec: CaptureSpec, { blocks, blockBytes }: RingShape) {
    super(calls, fd, spec);
    this.blocks = blocks;
    this.blockBytes = blockBytes;
    this.ring = calls.map(fd, blockBytes * blocks);
    this.bytes = Buffer.from(this.ring.memory);
    this.words = new Uint32Array(this.ring.memory);
    this.statuses = new Int32Array(this.ring.memory);
  }

  /** Gives a packet socket a ring. */
  static async of(calls: SystemCalls, fd: number, spec: CaptureSpec): Promise<PacketRing> {
    const bufferBytes = spec.bufferBytes ?? BUFFER_BYTES;
    // A small ring has small blocks: the kernel fills one while another is read.
    const blockBytes = Math.max(LEAST_BLOCK_BYTES, Math.min(BLOCK_BYTES, 2 ** Math.floor(Math.log2(bufferBytes / 4))));
    const blocks = Math.max(2, Math.ceil(bufferBytes / blockBytes));
    const frames = (blockBytes / FRAME_BYTES) * blocks;
    const request = uint32s(blockBytes, blocks, FRAME_BYTES, frames, spec.handOverMs ?? RETIRE_MS, 0, 0);
    calls.setsockopt(fd, SOL_PACKET, PACKET_VERSION, uint32s(TPACKET_V3));
    // The kernel clears the memory, and waits until no processor uses the socket as it was.
    await calls.setsockoptSlowly(fd, SOL_PACKET, PACKET_RX_RING, request);
    return new PacketRing(calls, fd, spec, { blockBytes, blocks });
  }

  protected override release(): void {
    this.ring.unmap();
  }

  /** The block that is next, when it is ready. */
  protected override take(): Uint8Array | undefined {
    const start = this.block * this.blockBytes;
    const status = (start + BLOCK_STATUS) >> 2;
    if ((Atomics.load(this.statuses, status) & TP_STATUS_USER) === 0) return undefined;
    const chunk = this.takeBlock(start);
    Atomics.store(this.statuses, status, 0);
    this.block = (this.block + 1) % this.blocks;
    return chunk;
  }

  /** The packets of one block as records of a capture file. */
  private takeBlock(start: number): Uint8Array {
    const { bytes, words, blockBytes } = this;
    const end = start + blockBytes;
    const count = words[(start + BLOCK_PACKETS) >> 2]!;
    // A record is shorter than what the kernel writes of the same packet.
    const chunk = Buffer.allocUnsafeSlow(Math.min(blockBytes, words[(start + BLOCK_LENGTH) >> 2]!));
    const out = new DataView(chunk.buffer);
    let packet = start + words[(start + BLOCK_FIRST_PACKET) >> 2]!;
    let at = 0;
    // The kernel aligns what it writes of a packet to 16 bytes.
    for (let index = 0; index < count && packet + LINK_TYPE < end; index++) {
      const word = packet >> 2;
      const captured = words[word + PACKET_CAPTURED / 4]!;
      out.setUint32(at, words[word + PACKET_SECONDS / 4]!, true);
      out.setUint32(at + 4, words[word + PACKET_NANOSECONDS / 4]!, true);
      out.setUint32(at + 8, captured + 20, true);
      out.setUint32(at + 12, words[word + PACKET_LENGTH / 4]! + 20, true);
      // LINKTYPE_LINUX_SLL2: protocol (already in network order), reserved, interface, ARPHRD_ type, packet type, address.
      chunk[at + 16] = bytes[packet + LINK_PROTOCOL]!;
      chunk[at + 17] = bytes[packet + LINK_PROTOCOL + 1]!;
      out.setUint16(at + 18, 0);
      out.setUint32(at + 20, words[word + LINK_INDEX / 4]!);
      out.setUint16(at + 24, words[word + LINK_HARDWARE / 4]! & 0xffff);
      for (let i = 0; i < 10; i++) chunk[at + 26 + i] = bytes[packet + LINK_TYPE + i]!;
      at += 36;
      const data = packet + (words[word + PACKET_MAC / 4]! >>> 16);
      at += bytes.copy(chunk, at, data, data + captured);
      packet += words[word + PACKET_NEXT / 4]!;
    }
    return chunk.subarray(0, at);
  }
}
