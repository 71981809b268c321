import { DEFAULT_SNAP_LENGTH_BYTES } from './filter-parts.ts';
import type { CaptureSpec } from './host.ts';
import { SocketCapture, uint32s } from './packet-socket.ts';
import type { SystemCalls } from './system.ts';

/** asm-generic/socket.h, asm-generic/sockios.h. */
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;
const SIOCGSTAMPNS = 0x8907;

/** The kernel counts a small packet as some 800 bytes: this is room for a few thousand. */
const BUFFER_BYTES = 4 * 1024 * 1024;
/** So many packets at most become one chunk. */
const PACKETS = 256;
/** Header of a record of a capture file, and the pseudo header LINKTYPE_LINUX_SLL2. */
const RECORD_BYTES = 16;
const LINK_BYTES = 20;

/**
 * The receive queue of a packet socket. Each packet takes two system calls, but it is here the moment it passed, and making and ending
 * one takes the kernel a third of the time that a ring takes.
 */
export class PacketQueue extends SocketCapture {
  protected override readonly delayMs: number = 0;
  private readonly snapLengthBytes: number;
  /** `struct sockaddr_ll`, and `struct timespec` of 64 bits. */
  private readonly address: Buffer = Buffer.alloc(20);
  private readonly time: Buffer = Buffer.alloc(16);
  private readonly packet: Buffer;

  constructor(calls: SystemCalls, fd: number, spec: CaptureSpec) {
    super(calls, fd, spec);
    this.snapLengthBytes = spec.snapLengthBytes ?? DEFAULT_SNAP_LENGTH_BYTES;
    this.packet = Buffer.alloc(this.snapLengthBytes);
    try {
      calls.setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, uint32s(BUFFER_BYTES));
    } catch {
      // Without CAP_NET_ADMIN there is as much as the host allows everybody (net.core.rmem_max).
      calls.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, uint32s(BUFFER_BYTES));
    }
    try {
      calls.ioctl(fd, SIOCGSTAMPNS, this.time);
    } catch {
      // There was no packet yet; but from now on the kernel keeps the time of each (sock_gettstamp() in net/core/sock.c).
    }
  }

  protected override release(): void {}

  protected override take(): Uint8Array | undefined {
    const { calls, fd, address, time, packet } = this;
    const records: Buffer[] = [];
    while (records.length < PACKETS) {
      const length = calls.receive(fd, packet, address);
      if (length === undefined) break;
      calls.ioctl(fd, SIOCGSTAMPNS, time);
      const captured = Math.min(length, this.snapLengthBytes);
      const record = Buffer.alloc(RECORD_BYTES + LINK_BYTES + captured);
      record.writeUInt32LE(Number(time.readBigInt64LE(0)), 0);
      record.writeUInt32LE(Number(time.readBigInt64LE(8)), 4);
      record.writeUInt32LE(captured + LINK_BYTES, 8);
      record.writeUInt32LE(length + LINK_BYTES, 12);
      // Protocol (already in network order), reserved, interface, ARPHRD_ type, packet type, length of the address, address.
      address.copy(record, 16, 2, 4);
      record.writeUInt32BE(address.readUInt32LE(4), 20);
      record.writeUInt16BE(address.readUInt16LE(8), 24);
      address.copy(record, 26, 10, 20);
      packet.copy(record, RECORD_BYTES + LINK_BYTES, 0, captured);
      records.push(record);
    }
    return records.length === 0 ? undefined : Buffer.concat(records);
  }
}
