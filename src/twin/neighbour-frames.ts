import {
  addressAt,
  bytesOf,
  ETHERNET_BYTES,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV6,
  IPPROTO_ICMPV6,
  icmpv6Frame,
  macAt,
  macBytes,
  shapeOf,
} from './frames.ts';

const ARP_BYTES = 28;
const ARP_REQUEST = 1;
const ARP_REPLY = 2;
const ND_SOLICITATION = 135;
const ND_ADVERTISEMENT = 136;
/** RFC 4861 section 4.4: solicited, override. */
const ANSWERED = 0x60;

/** A question of ARP (RFC 826) or neighbour discovery (RFC 4861). */
export interface NeighbourQuestion {
  /** The address that is asked for. */
  readonly target: string;
  /** Who asks; `0.0.0.0` or `::` when an address is only probed. */
  readonly source: string;
  readonly sourceMac: string;
}

/** The question in a frame; undefined when it holds none. */
export function neighbourQuestion(frame: Uint8Array): NeighbourQuestion | undefined {
  const { etherType, protocol, transport } = shapeOf(frame);
  if (etherType === ETHERTYPE_ARP && frame.length >= ETHERNET_BYTES + ARP_BYTES && frame[21] === ARP_REQUEST) {
    return { target: addressAt(frame, 38, 4), source: addressAt(frame, 28, 4), sourceMac: macAt(frame, 22) };
  }
  if (etherType !== ETHERTYPE_IPV6 || protocol !== IPPROTO_ICMPV6 || frame.length < transport + 24) return undefined;
  if (frame[transport] !== ND_SOLICITATION) return undefined;
  return { target: addressAt(frame, transport + 8, 16), source: addressAt(frame, 22, 16), sourceMac: macAt(frame, 6) };
}

/** The frame with which the owner of an address answers a question for it. */
export function neighbourAnswer({ target, source, sourceMac }: NeighbourQuestion, mac: string): Buffer {
  const address = bytesOf(target);
  if (address.length === 4) {
    return arpFrame(ARP_REPLY, { mac, address: target }, { mac: sourceMac, address: source }, sourceMac);
  }
  const payload = Buffer.concat([
    Buffer.from([ND_ADVERTISEMENT, 0, 0, 0, ANSWERED, 0, 0, 0]),
    address,
    Buffer.from([2, 1]),
    macBytes(mac),
  ]);
  return icmpv6Frame({ sourceMac: mac, destinationMac: sourceMac, source: target, destination: source, payload });
}

/** The frame with which a neighbour asks for an address of the host. */
export function askNeighbour(target: string, asker: { readonly mac: string; readonly address: string }): Buffer {
  const address = bytesOf(target);
  if (address.length === 4) {
    return arpFrame(ARP_REQUEST, asker, { mac: '00:00:00:00:00:00', address: target }, 'ff:ff:ff:ff:ff:ff');
  }
  const group = `ff02::1:ff${hex(address.subarray(13, 14))}:${hex(address.subarray(14, 16))}`;
  const payload = Buffer.concat([
    Buffer.from([ND_SOLICITATION, 0, 0, 0, 0, 0, 0, 0]),
    address,
    Buffer.from([1, 1]),
    macBytes(asker.mac),
  ]);
  return icmpv6Frame({
    sourceMac: asker.mac,
    destinationMac: `33:33:ff:${hex(address.subarray(13, 16)).replace(/(..)(..)(..)/, '$1:$2:$3')}`,
    source: asker.address,
    destination: group,
    payload,
  });
}

/** The address for which a frame is an answer of ARP or neighbour discovery; undefined when it is none. */
export function answeredAddress(frame: Uint8Array): string | undefined {
  const { etherType, protocol, transport } = shapeOf(frame);
  if (etherType === ETHERTYPE_ARP && frame.length >= ETHERNET_BYTES + ARP_BYTES && frame[21] === ARP_REPLY) {
    return addressAt(frame, 28, 4);
  }
  if (protocol === IPPROTO_ICMPV6 && frame[transport] === ND_ADVERTISEMENT && frame.length >= transport + 24) {
    return addressAt(frame, transport + 8, 16);
  }
  return undefined;
}

/** The link-local address that a MAC address makes (RFC 4291 appendix A). */
export function linkLocalOf(mac: string): string {
  const bytes = macBytes(mac);
  const id = Buffer.from([bytes[0]! ^ 2, bytes[1]!, bytes[2]!, 0xff, 0xfe, bytes[3]!, bytes[4]!, bytes[5]!]);
  return `fe80:0:0:0:${(id.toString('hex').match(/.{4}/g) ?? []).join(':')}`;
}

interface ArpEnd {
  readonly mac: string;
  readonly address: string;
}

function arpFrame(operation: number, sender: ArpEnd, target: ArpEnd, destinationMac: string): Buffer {
  return Buffer.concat([
    macBytes(destinationMac),
    macBytes(sender.mac),
    Buffer.from([0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4, 0, operation]),
    macBytes(sender.mac),
    bytesOf(sender.address),
    macBytes(target.mac),
    bytesOf(target.address),
  ]);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
