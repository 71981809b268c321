import { type Bits, eitherBits, sameBits } from './bits.ts';
import { eitherNames, type Names } from './names.ts';
import { type Doubt, depends, type Truth } from './truth.ts';

/** Which packet of a handshake, on which way through the host that filters. */
export type PacketKind = 'syn-in' | 'syn-ack-out' | 'syn-out' | 'syn-ack-in' | 'ack-in' | 'ack-out';

/** Netfilter hooks of the IP families and of devices (uapi/linux/netfilter.h). */
export type Hook = 'ingress' | 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting' | 'egress';

/** Types of addresses as `fib` and `addrtype` know them (`RTN_*`). */
export type AddressType =
  | 'unspec'
  | 'unicast'
  | 'local'
  | 'broadcast'
  | 'anycast'
  | 'multicast'
  | 'blackhole'
  | 'unreachable'
  | 'prohibit'
  | 'throw';

/** Where a translation leads; what is absent stays as it is. */
export interface Translation {
  readonly address?: Bits;
  readonly port?: Bits;
}

/** Addresses and ports of a packet. */
export interface Endpoints {
  readonly source: Bits;
  readonly sourcePort: Bits;
  readonly destination: Bits;
  readonly destinationPort: Bits;
}

/** What connection tracking knows of the connection of a packet that is not its first. */
export interface Connection {
  /** The first packet was exempt from tracking. */
  readonly untracked: Truth;
  readonly ctMark: Bits;
  /** Source and destination of the first packet before any translation. */
  readonly original: Endpoints;
  /** How the first packet was translated. */
  readonly destination?: Translation;
  readonly source?: Translation;
}

/** TCP options of a packet by the name that nft gives them; what is absent from the map is unknown. */
export interface PacketOptions {
  readonly present: Readonly<Record<string, boolean>>;
  /** Of `maxseg` and `window`. */
  readonly maxSegment?: number;
  readonly windowScale?: number;
}

/** What is known of one packet when it starts on its way through the host. */
export interface FilterPacket extends Endpoints {
  readonly kind: PacketKind;
  readonly family: 4 | 6;
  /** Received through a device, or made by this host. */
  readonly origin: 'device' | 'local';
  /** As connection tracking sees it: in the direction of the first packet, or against it. */
  readonly direction: 'original' | 'reply';
  /** Byte 13 of the TCP header. */
  readonly flags: Bits;
  /** TTL or hop limit. */
  readonly ttl: Bits;
  readonly window: Bits;
  readonly options: PacketOptions;
  readonly mark: Bits;
  /** To whom its frame was addressed; undefined when that is not known. */
  readonly linkDestination?: 'host' | 'broadcast' | 'multicast' | 'otherhost';
  /** Every device whose ingress hook it passes, the lowest first; undefined when they are not known. */
  readonly ingressDevices?: readonly string[];
  /** Every device whose egress hook it passes. */
  readonly egressDevices?: readonly string[];
  /** Device by which the IP layer has it; no device for a packet of this host itself. */
  readonly inDevice: Names;
  /** Device by which it leaves; also that of the forwarding route when it is forwarded. */
  readonly outDevice: Names;
  /** Whether a received packet is delivered to this host itself, before translation. */
  readonly local: Truth;
  /** User who owns the socket that sends it; undefined when nobody knows. Only packets of this host have one. */
  readonly uid?: Bits;
  /** State that connection tracking gives it, once it looks at it. */
  readonly state: 'new' | 'established' | 'invalid' | Doubt;
  /** Of a packet that is not the first of its connection. */
  readonly connection?: Connection;
  /** Whether the way back to the source exists, and whether it leaves by the device through which the packet came. */
  readonly returnPath: { readonly exists: Truth; readonly sameDevice: Truth };
}

/** What can change on the way of a packet. */
export interface PacketState extends Endpoints {
  readonly mark: Bits;
  readonly ctMark: Bits;
  readonly untracked: Truth;
  readonly outDevice: Names;
  /** Set by `dnat` and `redirect`, and by `snat` and `masquerade`. */
  readonly destinationNat?: Translation;
  readonly sourceNat?: Translation;
  /** A rule handed it to a local socket (`tproxy`, `redirect`): it is delivered here whatever its address. */
  readonly toThisHost?: true;
}

/** The state of a packet before the first hook. */
export function initialState(packet: FilterPacket): PacketState {
  const { connection } = packet;
  return {
    source: packet.source,
    sourcePort: packet.sourcePort,
    destination: packet.destination,
    destinationPort: packet.destinationPort,
    mark: packet.mark,
    ctMark: connection?.ctMark ?? { value: 0n, unknown: 0n },
    untracked: false,
    outDevice: packet.outDevice,
    ...(connection?.destination === undefined ? {} : { destinationNat: connection.destination }),
    ...(connection?.source === undefined ? {} : { sourceNat: connection.source }),
  };
}

/** What is known when a packet is in one of two states. */
export function eitherState(a: PacketState, b: PacketState, doubt: Doubt | undefined): PacketState {
  if (a === b) return a;
  return {
    ...a,
    source: eitherBits(a.source, b.source, doubt),
    sourcePort: eitherBits(a.sourcePort, b.sourcePort, doubt),
    destination: eitherBits(a.destination, b.destination, doubt),
    destinationPort: eitherBits(a.destinationPort, b.destinationPort, doubt),
    mark: eitherBits(a.mark, b.mark, doubt),
    ctMark: eitherBits(a.ctMark, b.ctMark, doubt),
    untracked: a.untracked === b.untracked ? a.untracked : (doubt ?? depends('ct-state')),
    outDevice: eitherNames(a.outDevice, b.outDevice),
  };
}

/** Whether two states lead to the same place: translated alike. */
export function sameWay(a: PacketState, b: PacketState): boolean {
  return (
    a.toThisHost === b.toThisHost &&
    sameBits(a.destination, b.destination) &&
    sameBits(a.destinationPort, b.destinationPort) &&
    (a.destinationNat === undefined) === (b.destinationNat === undefined) &&
    (a.sourceNat === undefined) === (b.sourceNat === undefined)
  );
}
