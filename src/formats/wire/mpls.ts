import type { Layers } from './layers.ts';
import { TUNNEL_MPLS } from './layers.ts';
import {
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  ETHERTYPE_MPLS,
  ETHERTYPE_PPPOE_SESSION,
  ETHERTYPE_QINQ,
  ETHERTYPE_VLAN,
} from './numbers.ts';
import { enterTunnel, lacks, NEXT_ETHERNET, NEXT_STOP } from './steps.ts';

/**
 * Decodes an MPLS label stack (RFC 3032): label (20 bits), traffic class (3), bottom of stack (1), TTL (8). The stack does not
 * say what follows: a first nibble of 4 or 6 is taken for IP, 0 for an Ethernet pseudowire with or without a control word
 * (RFC 4385 section 3).
 */
export function dissectMpls(view: DataView, layers: Layers): number {
  for (;;) {
    const offset = layers.cursor;
    if (lacks(layers, offset, 4)) return NEXT_STOP;
    const entry = view.getUint32(offset);
    if (!enterTunnel(layers, TUNNEL_MPLS, entry >>> 12)) return NEXT_STOP;
    layers.cursor = offset + 4;
    if ((entry & 0x100) !== 0) break;
  }
  const offset = layers.cursor;
  if (lacks(layers, offset, 1)) return NEXT_STOP;
  switch (view.getUint8(offset) >>> 4) {
    case 4:
      return ETHERTYPE_IPV4;
    case 6:
      return ETHERTYPE_IPV6;
    case 0:
      return dissectPseudowire(view, layers);
    default:
      return NEXT_STOP;
  }
}

function dissectPseudowire(view: DataView, layers: Layers): number {
  const offset = layers.cursor;
  if (hasEtherType(view, offset + 4 + 12, layers.end)) {
    layers.cursor = offset + 4;
    return NEXT_ETHERNET;
  }
  return hasEtherType(view, offset + 12, layers.end) ? NEXT_ETHERNET : NEXT_STOP;
}

function hasEtherType(view: DataView, offset: number, end: number): boolean {
  if (offset + 2 > end) return false;
  switch (view.getUint16(offset)) {
    case ETHERTYPE_IPV4:
    case ETHERTYPE_ARP:
    case ETHERTYPE_VLAN:
    case ETHERTYPE_IPV6:
    case ETHERTYPE_MPLS:
    case ETHERTYPE_PPPOE_SESSION:
    case ETHERTYPE_QINQ:
      return true;
    default:
      return false;
  }
}
