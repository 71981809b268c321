import { type CaptureSpec, type HostCapture, HostError } from './host.ts';
import { hostFailure } from './host-failure.ts';
import { PacketQueue } from './packet-queue.ts';
import { PacketRing } from './packet-ring.ts';
import { openPacketSocket } from './packet-socket.ts';
import type { Enter } from './read-text.ts';
import { systemCalls } from './system.ts';

/** More than any packet has. */
const WHOLE_PACKET_BYTES = 0x40000;

/**
 * Captures packets of the network namespace that `enter` leads into, on all its interfaces.
 * @throws HostError `no-permission` without CAP_NET_RAW.
 */
export async function capturePackets(spec: CaptureSpec, enter: Enter): Promise<HostCapture> {
  try {
    const calls = systemCalls();
    const isFew = spec.isFew === true;
    // What the filter cuts off does not count for the length that a queue tells (packet_rcv() in net/packet/af_packet.c).
    const fd = openPacketSocket(calls, isFew ? { ...spec, snapLengthBytes: WHOLE_PACKET_BYTES } : spec, enter);
    try {
      const capture = isFew ? new PacketQueue(calls, fd, spec) : await PacketRing.of(calls, fd, spec);
      return capture.begin();
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
