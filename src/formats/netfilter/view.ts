import { type Bits, bits, equalBits, isKnown, partlyUnknown, unknownBits } from './bits.ts';
import { type Names, NO_DEVICE } from './names.ts';
import type { AddressType, FilterPacket, Hook, PacketState, Translation } from './packet.ts';
import { anyOf, depends, isSure, not, type Truth, UNKNOWN } from './truth.ts';

/** What rules ask of the host besides the packet; all in the family of the packet. */
export interface FilterHost {
  /** Whether an address is of this type; with a device, whether it is so on that device alone. */
  addressType(address: Bits, type: AddressType, device?: Names): Truth;
  /** Address of this host to which `redirect` sends what came by this device. */
  redirectAddress(device: Names): Bits;
  /** Device of the route to an address. */
  deviceTowards(address: Bits): Names;
  /** Kind of a device as `ip -d link` prints it: `veth`, `bridge`; undefined when it is not known. */
  deviceKind(name: string): string | undefined;
  /** Whether a program has bound a queue of NFQUEUE; undefined when that is not known. */
  queueBound(number: number): boolean | undefined;
  /** Whether IPsec protects packets of this attempt; undefined when that is not known. */
  readonly ipsec?: boolean;
}

/** A packet at one place of its way, as the expressions of a rule see it. */
export interface PacketView {
  readonly packet: FilterPacket;
  readonly state: PacketState;
  readonly hook: Hook;
  readonly priority: number;
  readonly host: FilterHost;
}

/** NF_IP_PRI_CONNTRACK (uapi/linux/netfilter_ipv4.h): from here on packets have a connection. */
const CONNTRACK_PRIORITY = -200;

const STATE_BITS = { invalid: 1, established: 2, related: 4, new: 8, untracked: 64 } as const;

const STATUS_BITS = {
  expected: 1,
  'seen-reply': 2,
  assured: 4,
  confirmed: 8,
  snat: 16,
  dnat: 32,
  dying: 512,
} as const;

/** Bits of `ct state` by name (linux/netfilter/nf_conntrack_common.h, NF_CT_STATE_BIT). */
export const CT_STATES: Readonly<Record<string, number>> = STATE_BITS;

/** Bits of `ct status` by name (uapi nf_conntrack_common.h, enum ip_conntrack_status). */
export const CT_STATUSES: Readonly<Record<string, number>> = STATUS_BITS;

/** Name of the device by which a packet came, at this hook. */
export function inputDevice({ hook, packet }: PacketView): Names {
  return hook === 'output' || hook === 'egress' || packet.origin === 'local' ? NO_DEVICE : packet.inDevice;
}

/** Name of the device by which a packet will leave, at this hook. */
export function outputDevice({ hook, state }: PacketView): Names {
  return hook === 'prerouting' || hook === 'input' || hook === 'ingress' ? NO_DEVICE : state.outDevice;
}

/** Whether connection tracking has seen the packet at this place. */
export function conntrackSeen({ hook, priority, packet }: PacketView): Truth {
  if (hook === 'ingress') return false;
  if (hook !== 'prerouting' && hook !== 'output') return true;
  // Over loopback a packet keeps what its way out gave it.
  if (hook === 'prerouting' && packet.inDevice?.every((name) => name === 'lo') === true) return true;
  if (priority === CONNTRACK_PRIORITY) return depends('ct-state');
  return priority > CONNTRACK_PRIORITY;
}

/** Value of `ct state`: one of {@link CT_STATES}. A packet without a connection is `invalid` (nft_ct_get_eval()). */
export function ctState(view: PacketView): Bits {
  const { state, packet } = view;
  if (state.untracked === true) return bits(STATE_BITS.untracked);
  const seen = conntrackSeen(view);
  if (!isSure(state.untracked)) return unknownBits(7, state.untracked);
  if (!isSure(seen)) return unknownBits(7, seen);
  if (!seen) return bits(STATE_BITS.invalid);
  if (typeof packet.state !== 'string') return unknownBits(7, packet.state);
  return bits(STATE_BITS[packet.state]);
}

/** Whether the packet has an entry of connection tracking, without which other `ct` expressions do not match. */
export function hasConnection(view: PacketView): Truth {
  const { state, packet } = view;
  if (state.untracked === true || packet.state === 'invalid') return false;
  if (!isSure(state.untracked)) return state.untracked;
  return conntrackSeen(view);
}

/** Value of `ct status`, as far as translation decides it: only one that changed something is noted (nf_nat_setup_info()). */
export function ctStatus({ state, packet }: PacketView): Bits {
  const first = packet.connection?.original ?? packet;
  const dnat = changed(state.destinationNat, first.destination, first.destinationPort);
  const snat = changed(state.sourceNat, first.source, first.sourcePort);
  const later = packet.state === 'new' ? 0 : STATUS_BITS['seen-reply'];
  const known =
    later | STATUS_BITS.expected | (isSure(dnat) ? STATUS_BITS.dnat : 0) | (isSure(snat) ? STATUS_BITS.snat : 0);
  const value = later | (dnat === true ? STATUS_BITS.dnat : 0) | (snat === true ? STATUS_BITS.snat : 0);
  // The first packet is confirmed only when it has passed; what tracking learns of the reply is not there yet.
  return partlyUnknown(value, 0xffff & ~known, depends('ct-state'));
}

function changed(to: Translation | undefined, address: Bits, port: Bits): Truth {
  if (to === undefined) return false;
  return anyOf([differs(to.address, address), differs(to.port, port)]);
}

function differs(to: Bits | undefined, from: Bits): Truth {
  if (to === undefined) return false;
  return isKnown(from) ? not(equalBits(to, from.value)) : UNKNOWN;
}
