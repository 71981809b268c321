import { DEFAULT_SNAP_LENGTH_BYTES } from './filter-parts.ts';
import { handshakeFilter } from './handshake-filter.ts';
import type { CaptureSpec, HostCapture } from './host.ts';
import type { Enter } from './read-text.ts';
import { sll2FileHeader } from './sll2-stream.ts';
import type { DescriptorWatch, SystemCalls } from './system.ts';

/** linux/socket.h, linux/if_packet.h, asm-generic/socket.h. */
const AF_PACKET = 17;
const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
const SO_LOCK_FILTER = 44;
export const SOL_PACKET = 263;
const PACKET_STATISTICS = 6;
const PACKET_IGNORE_OUTGOING = 23;
/** linux/if_ether.h, in network order. */
const ETH_P_ALL: readonly [number, number] = [0x00, 0x03];

/** When so much waits for its reader, no more is taken; what the kernel has no room for then, it counts as lost. */
const MAX_WAITING_BYTES = 32 * 1024 * 1024;

/**
 * Opens a packet socket with its filter in the network namespace that `enter` leads into (packet(7)). It is not bound yet, so that no packet
 * comes before all of it stands.
 * @returns its descriptor.
 */
export function openPacketSocket(calls: SystemCalls, spec: CaptureSpec, enter: Enter): number {
  const fd = enter(() => calls.socket(AF_PACKET, SOCK_DGRAM, 0));
  try {
    attachFilter(calls, fd, spec.filter ?? handshakeFilter(spec));
    // A filter that comes from elsewhere may be replaced.
    if (spec.filter === undefined) calls.setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, uint32s(1));
    if (spec.ignoreOutgoing === true) calls.setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, uint32s(1));
    return fd;
  } catch (error) {
    calls.close(fd);
    throw error;
  }
}

function attachFilter(calls: SystemCalls, fd: number, filter: Uint8Array): void {
  const program = Buffer.alloc(16);
  program.writeUInt16LE(filter.length / 8, 0);
  program.writeBigUInt64LE(calls.addressOf(filter), 8);
  calls.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, program);
}

/** A capture by a packet socket. How packets are taken from the kernel is up to those that extend it. */
export abstract class SocketCapture implements HostCapture {
  readonly ready: Promise<void> = Promise.resolve();
  readonly chunks: AsyncIterable<Uint8Array>;
  protected readonly calls: SystemCalls;
  protected readonly fd: number;
  private readonly spec: CaptureSpec;
  private watch: DescriptorWatch | undefined;
  private waiting: Uint8Array[];
  private waitingBytes = 0;
  private paused = false;
  private stopping = false;
  private stopped = false;
  private lostPackets = 0;
  private wake: (() => void) | undefined;
  /** How long a packet that passed may be on its way to this process. */
  protected abstract readonly delayMs: number;

  /** @param fd a packet socket that is not bound. */
  constructor(calls: SystemCalls, fd: number, spec: CaptureSpec) {
    this.calls = calls;
    this.fd = fd;
    this.spec = spec;
    this.waiting = [sll2FileHeader(spec.snapLengthBytes ?? DEFAULT_SNAP_LENGTH_BYTES)];
    this.chunks = this.read();
  }

  /** The next packets as records of a capture file, which may be none; undefined when the kernel has none now. */
  protected abstract take(): Uint8Array | undefined;

  /** Gives back what it holds beside the descriptor. */
  protected abstract release(): void;

  /** Lets packets come. */
  begin(): this {
    const address = Buffer.alloc(20);
    address.writeUInt16LE(AF_PACKET, 0);
    address.set(ETH_P_ALL, 2);
    address.writeInt32LE(this.spec.interfaceIndex ?? 0, 4);
    this.calls.bind(this.fd, address);
    this.watch = this.calls.watch(this.fd, 'readable', () => this.drain());
    this.watch.resume();
    return this;
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
    if (atOnce || this.delayMs === 0) this.end();
    else setTimeout(() => this.end(), this.delayMs);
  }

  private end(): void {
    this.drain(true);
    this.countLost();
    this.stopped = true;
    this.watch?.close();
    this.release();
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

  /** Takes over what the kernel has. */
  private drain(isLast: boolean = false): void {
    for (;;) {
      if (this.waitingBytes > MAX_WAITING_BYTES && !isLast) {
        // The descriptor stays readable; watching it now would only keep the process busy.
        this.watch?.pause();
        this.paused = true;
        return;
      }
      const chunk = this.take();
      if (chunk === undefined) return;
      if (chunk.length === 0) continue;
      this.waiting.push(chunk);
      this.waitingBytes += chunk.length;
      this.wake?.();
    }
  }

  private async *read(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        const chunk = this.waiting.shift();
        if (chunk !== undefined) {
          this.waitingBytes -= chunk.length;
          if (this.paused && this.waitingBytes < MAX_WAITING_BYTES / 2 && !this.stopped) {
            this.paused = false;
            this.watch?.resume();
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

/** 32-bit numbers as the kernel takes them. */
export function uint32s(...values: number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(values).buffer);
}
