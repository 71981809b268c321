import { setTimeout as sleep } from 'node:timers/promises';
import { C, check } from './libc.ts';
import { encodeLinkAddress, etherType, packetSocket } from './packet-socket.ts';
import { encodeSocketAddress, familyOf } from './socket-address.ts';
import type { SendTask } from './tasks.ts';
import { encodeTcpPacket, usualOptions } from './tcp-packet.ts';

const SOCK_RAW = 3;
const IPPROTO_RAW = 255;

/** Sends packets as told: through the kernel's routing, but with headers of our own. @throws CallError */
export async function send(task: SendTask): Promise<void> {
  const isSyn = task.flags.includes('S');
  const options = task.tcpOptions === undefined ? usualOptions() : Buffer.from(task.tcpOptions, 'hex');
  const packet = {
    ...task,
    options: isSyn || task.tcpOptions !== undefined ? options : new Uint8Array(),
    payload: Buffer.from(task.payload),
  };
  // The kernel writes the IPv4 checksum itself (ip(7), IP_HDRINCL): a wrong one must go around it.
  const deliver = task.badIpChecksum ? throughDevice(task) : throughRouting(task);
  for (let index = 0; index < task.count; index++) {
    deliver(encodeTcpPacket({ ...packet, sourcePort: (task.sourcePort + index) & 0xffff }));
    if (task.intervalMs > 0 && index < task.count - 1) await sleep(task.intervalMs);
  }
}

function throughRouting({ destination }: SendTask): (packet: Uint8Array) => void {
  const fd = check('socket', C.socket(familyOf(destination), SOCK_RAW, IPPROTO_RAW));
  // raw(7): the port of an IPv6 destination must be 0.
  const to = encodeSocketAddress(destination, 0);
  return (packet) => check('sendto', C.sendto(fd, packet, packet.length, 0, to, to.length));
}

function throughDevice({ destination, link }: SendTask): (packet: Uint8Array) => void {
  const fd = packetSocket(0);
  const mac = Buffer.from(link.mac.replaceAll(':', ''), 'hex');
  const to = encodeLinkAddress(etherType(destination), C.ifNameToIndex(link.device), mac);
  return (packet) => check('sendto', C.sendto(fd, packet, packet.length, 0, to, to.length));
}
