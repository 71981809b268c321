import { closeSync, constants, openSync } from 'node:fs';
import { HostError } from '../host/host.ts';
import { type SystemCalls, systemCalls } from '../host/system.ts';
import { isSystemError, systemReason } from '../host/system-error.ts';
import { macBytes } from './frames.ts';

const DEVICE = '/dev/net/tun';
/** linux/if_tun.h, linux/sockios.h. */
const TUNSETIFF = 0x4004_54ca;
const TUNSETIFINDEX = 0x4004_54da;
const TUNSETCARRIER = 0x4004_54e2;
const SIOCSIFHWADDR = 0x8924;
const IFF_TAP = 0x0002;
const IFF_NO_PI = 0x1000;
const ARPHRD_ETHER = 1;
const IFREQ_BYTES = 40;
const NAME_BYTES = 16;
/** Larger than any frame: segments are not joined on these devices. */
const FRAME_BYTES = 66_000;

/** How an interface of the twin is made. */
export interface TapRequest {
  readonly name: string;
  readonly index: number;
  readonly mac?: string;
  readonly hasCarrier: boolean;
}

/**
 * The network devices of a twin: what is written to one is received by the kernel within the call, and what the kernel sent meanwhile
 * can be read at once.
 */
export class Taps {
  private readonly fds = new Map<string, number>();
  private readonly calls: SystemCalls = systemCalls();
  private readonly buffer: Uint8Array = new Uint8Array(FRAME_BYTES);

  /**
   * Makes a device; with another index where another device has the one that is asked for.
   * @throws HostError where devices cannot be made at all; NodeJS.ErrnoException when the kernel refuses this one.
   */
  add(request: TapRequest): void {
    try {
      this.make(request, true);
    } catch (error) {
      if (!isSystemError(error) || error.code !== 'EBUSY') throw error;
      this.make(request, false);
    }
  }

  /** Index of an interface of this namespace; 0 when there is none of this name. */
  indexOf(name: string): number {
    return this.calls.interfaceIndex(name);
  }

  private make({ name, index, mac, hasCarrier }: TapRequest, withIndex: boolean): void {
    const fd = openTun();
    try {
      if (withIndex) this.calls.ioctl(fd, TUNSETIFINDEX, intBytes(index));
      const request = Buffer.alloc(IFREQ_BYTES);
      request.write(name, 0, NAME_BYTES - 1, 'utf8');
      request.writeUInt16LE(IFF_TAP | IFF_NO_PI, NAME_BYTES);
      this.calls.ioctl(fd, TUNSETIFF, request);
      if (mac !== undefined) {
        const address = Buffer.alloc(IFREQ_BYTES);
        address.write(name, 0, NAME_BYTES - 1, 'utf8');
        address.writeUInt16LE(ARPHRD_ETHER, NAME_BYTES);
        address.set(macBytes(mac), NAME_BYTES + 2);
        this.calls.ioctl(fd, SIOCSIFHWADDR, address);
      }
      if (!hasCarrier) this.calls.ioctl(fd, TUNSETCARRIER, intBytes(0));
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    this.fds.set(name, fd);
  }

  has(name: string): boolean {
    return this.fds.has(name);
  }

  get names(): readonly string[] {
    return [...this.fds.keys()];
  }

  /** Gives a frame to a device as if it came in; false when it does not take it, because it is down. */
  send(name: string, frame: Uint8Array): boolean {
    const fd = this.fds.get(name);
    return fd !== undefined && this.calls.writeWhole(fd, frame);
  }

  /** Everything that left so far, device by device, and again as long as something comes. Frames are copies. */
  *received(): Generator<{ readonly device: string; readonly frame: Buffer }> {
    for (let again = true; again; ) {
      again = false;
      for (const [device, fd] of this.fds) {
        for (;;) {
          const length = this.calls.readReady(fd, this.buffer);
          if (length === 0) break;
          again = true;
          yield { device, frame: Buffer.from(this.buffer.subarray(0, length)) };
        }
      }
    }
  }

  /** Throws away what left so far. */
  drain(): void {
    for (const fd of this.fds.values()) while (this.calls.readReady(fd, this.buffer) > 0);
  }
}

function openTun(): number {
  try {
    return openSync(DEVICE, constants.O_RDWR | constants.O_NONBLOCK);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    const denied = error.code === 'EACCES' || error.code === 'EPERM';
    throw new HostError(
      denied ? 'no-permission' : 'not-found',
      `the copy of a host needs ${DEVICE} for its network devices, and it cannot be opened: ${systemReason(error)}`,
      {
        cause: error,
        hint: denied ? `run as root, or let everybody open it: chmod 0666 ${DEVICE}` : 'load the module: modprobe tun',
      },
    );
  }
}

function intBytes(value: number): Uint8Array {
  return new Uint8Array(Int32Array.of(value).buffer);
}
