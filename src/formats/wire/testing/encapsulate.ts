import {
  DLT_RAW,
  DLT_RAW_OPENBSD,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  ETHERTYPE_MPLS,
  ETHERTYPE_PPPOE_SESSION,
  ETHERTYPE_TEB,
  ETHERTYPE_VLAN,
  IPPROTO_GRE,
  IPPROTO_IPV4,
  IPPROTO_IPV6,
  IPPROTO_MPLS,
  LINKTYPE_ETHERNET,
  LINKTYPE_LINUX_SLL,
  LINKTYPE_LINUX_SLL2,
  LINKTYPE_LOOP,
  LINKTYPE_NULL,
  LINKTYPE_PPP,
  LINKTYPE_PPP_ETHER,
  LINKTYPE_PPP_HDLC,
  LINKTYPE_RAW,
  PORT_GENEVE,
  PORT_VXLAN,
} from '../numbers.ts';
import { hex, join, u16, u32 } from './bytes.ts';
import { encodeIp } from './internet.ts';
import { addressOf } from './notation.ts';

/** A link type by name; {@link LINK_TYPES} has the number that belongs in the header of the capture. */
export type LinkName =
  | 'ethernet'
  | 'sll'
  | 'sll2'
  | 'raw'
  | 'raw12'
  | 'raw14'
  | 'null'
  | 'loop'
  | 'ppp'
  | 'ppp-hdlc'
  | 'ppp-ether';

/** LINKTYPE_ value of every {@link LinkName}. */
export const LINK_TYPES: Readonly<Record<LinkName, number>> = {
  ethernet: LINKTYPE_ETHERNET,
  sll: LINKTYPE_LINUX_SLL,
  sll2: LINKTYPE_LINUX_SLL2,
  raw: LINKTYPE_RAW,
  raw12: DLT_RAW,
  raw14: DLT_RAW_OPENBSD,
  null: LINKTYPE_NULL,
  loop: LINKTYPE_LOOP,
  ppp: LINKTYPE_PPP,
  'ppp-hdlc': LINKTYPE_PPP_HDLC,
  'ppp-ether': LINKTYPE_PPP_ETHER,
};

/** One encapsulation. `from` and `to` are the addresses of the outer IP header. */
export type Tunnel =
  | { readonly kind: 'vlan'; readonly id: number; readonly etherType?: number }
  | { readonly kind: 'mpls'; readonly label: number }
  | { readonly kind: 'pppoe'; readonly session: number }
  | { readonly kind: 'ipip'; readonly from: string; readonly to: string }
  | {
      readonly kind: 'gre';
      readonly from: string;
      readonly to: string;
      readonly key?: number;
      readonly sequence?: number;
      readonly checksum?: boolean;
      /** Carry an Ethernet frame (Transparent Ethernet Bridging) instead of the bare packet. */
      readonly ethernet?: boolean;
    }
  | { readonly kind: 'vxlan'; readonly from: string; readonly to: string; readonly vni: number; readonly port?: number }
  | {
      readonly kind: 'geneve';
      readonly from: string;
      readonly to: string;
      readonly vni: number;
      /** A multiple of four bytes. */
      readonly options?: ArrayLike<number>;
    };

/** Bytes, and the EtherType that says what they are. */
export interface Payload {
  readonly etherType: number;
  readonly bytes: Uint8Array;
}

/** Marks bytes as an IP packet, by their first nibble. */
export function ipPayload(bytes: Uint8Array): Payload {
  return { etherType: bytes[0]! >>> 4 === 6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4, bytes };
}

/** Wraps a payload into one encapsulation. */
export function encapsulate(inner: Payload, tunnel: Tunnel): Payload {
  const { etherType, bytes } = inner;
  switch (tunnel.kind) {
    case 'vlan':
      return { etherType: tunnel.etherType ?? ETHERTYPE_VLAN, bytes: join(u16(tunnel.id), u16(etherType), bytes) };
    case 'mpls': {
      const bottom = etherType === ETHERTYPE_MPLS ? 0 : 1;
      return { etherType: ETHERTYPE_MPLS, bytes: join(u32((tunnel.label << 12) | (bottom << 8) | 64), bytes) };
    }
    case 'pppoe': {
      const length = u16(bytes.length + 2);
      const header = join(0x11, 0, u16(tunnel.session), length, u16(pppProtocol(etherType)));
      return { etherType: ETHERTYPE_PPPOE_SESSION, bytes: join(header, bytes) };
    }
    case 'ipip':
      return overIp(tunnel, IPV4_PROTOCOLS[etherType] ?? fail(etherType, 'IP in IP'), bytes);
    case 'gre':
      return overIp(tunnel, IPPROTO_GRE, encodeGre(inner, tunnel));
    case 'vxlan':
      return overUdp(tunnel, tunnel.port ?? PORT_VXLAN, join(8, 0, 0, 0, u32(tunnel.vni << 8), ethernet(inner)));
    case 'geneve': {
      const options = tunnel.options ?? [];
      const header = join(options.length / 4, 0, u16(ETHERTYPE_TEB), u32(tunnel.vni << 8), options);
      return overUdp(tunnel, PORT_GENEVE, join(header, ethernet(inner)));
    }
  }
}

/** Puts the header of a link type before a payload. */
export function link({ etherType, bytes }: Payload, name: LinkName, outgoing: boolean): Uint8Array {
  const packetType = outgoing ? 4 : 0;
  // AF_INET and AF_INET6 of macOS.
  const family = etherType === ETHERTYPE_IPV6 ? 30 : 2;
  switch (name) {
    case 'ethernet':
      return ethernet({ etherType, bytes });
    case 'sll':
      return join(u16(packetType), u16(1), u16(6), SOURCE_MAC, 0, 0, u16(etherType), bytes);
    case 'sll2':
      return join(u16(etherType), 0, 0, u32(2), u16(1), packetType, 6, SOURCE_MAC, 0, 0, bytes);
    case 'null':
      return join(family, 0, 0, 0, bytes);
    case 'loop':
      return join(u32(family), bytes);
    case 'ppp':
      return join(u16(pppProtocol(etherType)), bytes);
    case 'ppp-hdlc':
      return join(0xff, 0x03, u16(pppProtocol(etherType)), bytes);
    case 'ppp-ether':
      return etherType === ETHERTYPE_PPPOE_SESSION ? bytes : fail(etherType, name);
    default:
      return etherType in IPV4_PROTOCOLS && etherType !== ETHERTYPE_MPLS ? bytes : fail(etherType, name);
  }
}

const SOURCE_MAC = hex('02 00 00 00 00 01');
const DESTINATION_MAC = hex('02 00 00 00 00 02');

/** Protocol numbers of what may lie directly in an IP packet. */
const IPV4_PROTOCOLS: Readonly<Record<number, number>> = {
  [ETHERTYPE_IPV4]: IPPROTO_IPV4,
  [ETHERTYPE_IPV6]: IPPROTO_IPV6,
  [ETHERTYPE_MPLS]: IPPROTO_MPLS,
};

function ethernet({ etherType, bytes }: Payload): Uint8Array {
  return join(DESTINATION_MAC, SOURCE_MAC, u16(etherType), bytes);
}

function encodeGre(inner: Payload, tunnel: Tunnel & { kind: 'gre' }): Uint8Array {
  const flags =
    (tunnel.checksum ? 0x8000 : 0) |
    (tunnel.key === undefined ? 0 : 0x2000) |
    (tunnel.sequence === undefined ? 0 : 0x1000);
  return join(
    u16(flags),
    u16(tunnel.ethernet ? ETHERTYPE_TEB : inner.etherType),
    tunnel.checksum ? [0, 0, 0, 0] : [],
    tunnel.key === undefined ? [] : u32(tunnel.key),
    tunnel.sequence === undefined ? [] : u32(tunnel.sequence),
    tunnel.ethernet ? ethernet(inner) : inner.bytes,
  );
}

function overIp(tunnel: { from: string; to: string }, protocol: number, bytes: Uint8Array): Payload {
  return ipPayload(encodeIp(addressOf(tunnel.from), addressOf(tunnel.to), protocol, bytes, {}));
}

/** The outer UDP checksum is 0, as tunnels over IPv4 send it (RFC 7348 section 4.1) and over IPv6 may (RFC 6935). */
function overUdp(tunnel: { from: string; to: string }, port: number, bytes: Uint8Array): Payload {
  return overIp(tunnel, 17, join(u16(49_152), u16(port), u16(8 + bytes.length), [0, 0], bytes));
}

function pppProtocol(etherType: number): number {
  if (etherType === ETHERTYPE_IPV4) return 0x0021;
  if (etherType === ETHERTYPE_IPV6) return 0x0057;
  if (etherType === ETHERTYPE_MPLS) return 0x0281;
  return fail(etherType, 'ppp');
}

function fail(etherType: number, where: string): never {
  throw new Error(`EtherType 0x${etherType.toString(16)} cannot lie directly in ${where}`);
}
