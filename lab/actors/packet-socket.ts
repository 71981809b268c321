import { C, check } from './libc.ts';

const AF_PACKET = 17;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0x800;

/** Every protocol, for {@link packetSocket}. */
export const ETH_P_ALL = 0x0003;

/** A packet socket without link headers for one protocol; 0: only to send. @throws CallError */
export function packetSocket(protocol: number): number {
  const swapped = ((protocol & 255) << 8) | (protocol >> 8);
  return check('socket', C.socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK, swapped));
}

/** EtherType of the family of an address. */
export function etherType(address: string): number {
  return address.includes(':') ? 0x86dd : 0x0800;
}

/** A sockaddr_ll (packet(7)): protocol, interface, length of the address, address. */
export function encodeLinkAddress(protocol: number, deviceIndex: number, mac: Uint8Array): Buffer {
  const encoded = Buffer.alloc(20);
  encoded.writeUInt16LE(AF_PACKET);
  encoded.writeUInt16BE(protocol, 2);
  encoded.writeInt32LE(deviceIndex, 4);
  encoded.writeUInt8(mac.length, 11);
  encoded.set(mac, 12);
  return encoded;
}
