import { DEFAULT_SNAP_LENGTH_BYTES } from './filter-parts.ts';
import { handshakeFilter } from './handshake-filter.ts';
import { type CaptureSpec, type HostCapture, HostError } from './host.ts';
import { hostFailure } from './host-failure.ts';
import type { Enter } from './read-text.ts';
import { sll2FileHeader } from './sll2-stream.ts';
import { type DescriptorWatch, type SystemCalls, systemCalls } from './system.ts';

/** linux/socket.h, linux/if_packet.h, asm-generic/socket.h. */
const AF_PACKET = 17;
const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
const SO_LOCK_FILTER = 44;
const SOL_PACKET = 263;
const PACKET_RX_RING = 5;
const PACKET_STATISTICS = 6;
const PACKET_VERSION = 10;
const PACKET_IGNORE_OUTGOING = 23;
const TPACKET_V3 = 2;
const TP_STATUS_USER = 1;
/** linux/if_ether.h, in network order. */
const ETH_P_ALL: readonly [number, number] = [0x00, 0x03];

/** At 200,000 small packets a second (SYNs and their answers) one block holds those of 10 ms, and the ring those of 0.6 s. */
const BLOCK_BYTES = 256 * 1024;
const BUFFER_BYTES = 64 * BLOCK_BYTES;
const LEAST_BLOCK_BYTES = 16 * 1024;
const FRAME_BYTES = 2048;
/** A block that is not full is handed over after so long. */
const RETIRE_MS = 8;

/** When so much waits for its reader, the ring fills, and then the kernel counts what it loses. */
const MAX_WAITING_BYTES = 32 * 1024 * 1024;

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

/**
 * Captures packets of the network namespace that `enter` leads into, on all its interfaces, through a ring that the kernel shares
 * with this process (Documentation/networking/packet_mmap.rst).
 * @throws HostError `no-permission` without CAP_NET_RAW.
 */
export async function captureWithRing(spec: CaptureSpec, enter: Enter): Promise<HostCapture> {
  const filter = spec.filter ?? handshakeFilter(spec);
  const bufferBytes = spec.bufferBytes ?? BUFFER_BYTES;
  // A small ring has small blocks: the kernel fills one while another is read.
  const blockBytes = Math.max(LEAST_BLOCK_BYTES, Math.min(BLOCK_BYTES, 2 ** Math.floor(Math.log2(bufferBytes / 4))));
  const shape: RingShape = { blockBytes, blocks: Math.max(2, Math.ceil(bufferBytes / blockBytes)) };
  try {
    const calls = systemCalls();
    // Protocol 0: no packet comes before the filter stands and the socket is bound.
    const fd = enter(() => calls.socket(AF_PACKET, SOCK_DGRAM, 0));
    try {
      await attachRing(calls, fd, filter, shape, spec);
      return new PacketRing(calls, fd, shape, spec);
    } catch (error) {
      calls.close(fd);
      throw error;
    }
  } catch (error) {
    const failure = hostFailure(error, 'packets cannot be captured');
    if (!(failure instanceof HostError) || failure.code !== 'no-permission') throw failure;
    throw new HostError('no-permission', failure.message, {
      cause: error,
      hint: 'run as root, or with the capability CAP_NET_RAW',
    });
  }
}

/** Sets the filter of a packet socket and makes its ring. */
async function attachRing(
  calls: SystemCalls,
  fd: number,
  filter: Uint8Array,
  { blockBytes, blocks }: RingShape,
  spec: CaptureSpec,
): Promise<void> {
  calls.setsockopt(fd, SOL_PACKET, PACKET_VERSION, uint32s(TPACKET_V3));
  attachFilter(calls, fd, filter);
  // A filter that comes from elsewhere may be replaced.
  if (spec.filter === undefined) calls.setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, uint32s(1));
  if (spec.ignoreOutgoing === true) calls.setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, uint32s(1));
  const frames = (blockBytes / FRAME_BYTES) * blocks;
  const request = uint32s(blockBytes, blocks, FRAME_BYTES, frames, spec.handOverMs ?? RETIRE_MS, 0, 0);
  // The kernel clears the memory, and waits until no processor uses the socket as it was.
  await calls.setsockoptSlowly(fd, SOL_PACKET, PACKET_RX_RING, request);
}

function attachFilter(calls: SystemCalls, fd: number, filter: Uint8Array): void {
  const program = Buffer.alloc(16);
  program.writeUInt16LE(filter.length / 8, 0);
  program.writeBigUInt64LE(calls.addressOf(filter), 8);
  calls.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, program);
}

class PacketRing implements HostCapture {
  readonly ready: Promise<void> = Promise.resolve();
  readonly chunks: AsyncIterable<Uint8Array>;
  private readonly calls: SystemCalls;
  private readonly blocks: number;
  private readonly blockBytes: number;
  private readonly fd: number;
  private readonly ring: { readonly memory: ArrayBuffer; unmap(): void };
  private readonly bytes: Buffer;
  private readonly words: Uint32Array;
  private readonly statuses: Int32Array;
  private readonly watch: DescriptorWatch;
  private block = 0;
  private waiting: Uint8Array[];
  private waitingBytes = 0;
  private paused = false;
  private stopping = false;
  private stopped = false;
  private lostPackets = 0;
  private wake: (() => void) | undefined;

  /** @param fd a packet socket with a ring of this shape, not bound yet. */
  constructor(calls: SystemCalls, fd: number, { blocks, blockBytes }: RingShape, spec: CaptureSpec) {
    this.calls = calls;
    this.fd = fd;
    this.blocks = blocks;
    this.blockBytes = blockBytes;
    this.ring = calls.map(fd, blockBytes * blocks);
    this.bytes = Buffer.from(this.ring.memory);
    this.words = new Uint32Array(this.ring.memory);
    this.statuses = new Int32Array(this.ring.memory);
    this.waiting = [sll2FileHeader(spec.snapLengthBytes ?? DEFAULT_SNAP_LENGTH_BYTES)];
    this.chunks = this.read();
    const address = Buffer.alloc(20);
    address.writeUInt16LE(AF_PACKET, 0);
    address.set(ETH_P_ALL, 2);
    address.writeInt32LE(spec.interfaceIndex ?? 0, 4);
    calls.bind(this.fd, address);
    this.watch = calls.watch(this.fd, 'readable', () => this.drain());
    this.watch.resume();
  }

  lost(): number {
    if (!this.stopped) this.countLost();
    return this.lostPackets;
  }

  setFilter(program: Uint8Array): void {
    if (!this.stopped) attachFilter(this.calls, this.fd, program);
  }

  stop(atOnce: boolean = false): void {
    if (this.stopping) return;
    this.stopping = true;
    if (atOnce) {
      this.end();
      return;
    }
    // What came last is in a block that is not full; the kernel hands it over in a moment.
    setTimeout(() => this.end(), 3 * RETIRE_MS);
  }

  private end(): void {
    this.drain(true);
    this.countLost();
    this.stopped = true;
    this.watch.close();
    this.ring.unmap();
    // The kernel waits until no processor uses the socket any more.
    this.calls.closeSlowly(this.fd);
    this.wake?.();
  }

  /** PACKET_STATISTICS counts from the last time it was read. */
  private countLost(): void {
    const statistics = Buffer.alloc(12);
    this.calls.getsockopt(this.fd, SOL_PACKET, PACKET_STATISTICS, statistics);
    this.lostPackets += statistics.readUInt32LE(4);
  }

  /** Takes over the blocks that are ready, each as one chunk. */
  private drain(isLast: boolean = false): void {
    for (;;) {
      const start = this.block * this.blockBytes;
      const status = (start + BLOCK_STATUS) >> 2;
      if ((Atomics.load(this.statuses, status) & TP_STATUS_USER) === 0) return;
      if (this.waitingBytes > MAX_WAITING_BYTES && !isLast) {
        // The descriptor stays readable; watching it now would only keep the process busy.
        this.watch.pause();
        this.paused = true;
        return;
      }
      const chunk = this.takeBlock(start);
      Atomics.store(this.statuses, status, 0);
      this.block = (this.block + 1) % this.blocks;
      if (chunk.length === 0) continue;
      this.waiting.push(chunk);
      this.waitingBytes += chunk.length;
      this.wake?.();
    }
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

  private async *read(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        const chunk = this.waiting.shift();
        if (chunk !== undefined) {
          this.waitingBytes -= chunk.length;
          if (this.paused && this.waitingBytes < MAX_WAITING_BYTES / 2 && !this.stopped) {
            this.paused = false;
            this.watch.resume();
          }
          yield chunk;
        } else if (this.stopped) {
          return;
        } else {
          await new Promise<void>((resolve) => {
            this.wake = resolve;
          });
        }
      }
    } finally {
      this.stop();
    }
  }
}

function uint32s(...values: number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(values).buffer);
}
