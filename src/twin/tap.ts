import { closeSync, constants, openSync } from 'node:fs';
import { HostError } from '../host/host.ts';
import { type SystemCalls, systemCalls } from '../host/system.ts';
import { isSystemError, systemReason } from '../host/system-error.ts';
import { macBytes, vouchedFor } from './frames.ts';

const DEVICE = '/dev/net/tun';
/** linux/if_tun.h, linux/sockios.h. */
const TUNSETIFF = 0x4004_54ca;
const TUNSETIFINDEX = 0x4004_54da;
const TUNSETCARRIER = 0x4004_54e2;
const SIOCSIFHWADDR = 0x8924;
const IFF_TAP = 0x0002;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
const ARPHRD_ETHER = 1;
/** linux/virtio_net.h: `struct virtio_net_hdr`, flags first, the place of the checksum last. */
const VIRTIO_HEADER_BYTES = 10;
const VIRTIO_NET_HDR_F_NEEDS_CSUM = 1;
const TCP_CHECKSUM_OFFSET = 16;
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
  private readonly vouches: boolean;

  /**
   * @param vouches the devices vouch for the checksums that are right, as network cards do: a SYN proxy of nftables looks at those of IPv6 in
   * the wrong way itself (nft_synproxy_do_eval()).
   */
  constructor({ vouches = false }: { readonly vouches?: boolean } = {}) {
    this.vouches = vouches;
  }

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
      request.writeUInt16LE(IFF_TAP | IFF_NO_PI | (this.vouches ? IFF_VNET_HDR : 0), NAME_BYTES);
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
    return fd !== undefined && this.calls.writeWhole(fd, this.vouches ? withVirtioHeader(frame) : frame);
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
          yield { device, frame: Buffer.from(this.buffer.subarray(this.vouches ? VIRTIO_HEADER_BYTES : 0, length)) };
        }
      }
    }
  }

  /** Throws away what left so far. */
  drain(): void {
    for (const fd of this.fds.values()) while (this.calls.readReady(fd, this.buffer) > 0);
  }
}

/** A frame with what the network card says of it. */
function withVirtioHeader(frame: Uint8Array): Uint8Array {
  const header = Buffer.alloc(VIRTIO_HEADER_BYTES);
  const vouched = vouchedFor(frame);
  if (vouched !== undefined) {
    header[0] = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    header.writeUInt16LE(vouched.transport, 6);
    header.writeUInt16LE(TCP_CHECKSUM_OFFSET, 8);
  }
  return Buffer.concat([header, vouched?.frame ?? frame]);
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
