import type { Layers } from './layers.ts';
import { TUNNEL_PPPOE } from './layers.ts';
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_MPLS } from './numbers.ts';
import { enterTunnel, lacks, malformed, NEXT_PPP, NEXT_STOP, trim } from './steps.ts';

/**
 * Decodes a PPP protocol number of two bytes, or of one when it is odd (protocol field compression, RFC 1661 section 6.5).
 */
export function dissectPpp(view: DataView, layers: Layers): number {
  const offset = layers.cursor;
  if (lacks(layers, offset, 1)) return NEXT_STOP;
  let protocol = view.getUint8(offset);
  layers.cursor = offset + 1;
  if (protocol % 2 === 0) {
    if (lacks(layers, offset, 2)) return NEXT_STOP;
    protocol = view.getUint16(offset);
    layers.cursor = offset + 2;
  }
  switch (protocol) {
    case 0x0021:
      return ETHERTYPE_IPV4;
    case 0x0057:
      return ETHERTYPE_IPV6;
    case 0x0281:
    case 0x0283:
      return ETHERTYPE_MPLS;
    default:
      return NEXT_STOP;
  }
}

/**
 * Decodes a PPPoE session header (RFC 2516 section 4): version 1 and type 1, code 0, session id (2 bytes), payload length (2).
 */
export function dissectPppoe(view: DataView, layers: Layers): number {
  const offset = layers.cursor;
  if (lacks(layers, offset, 6)) return NEXT_STOP;
  if (view.getUint8(offset) !== 0x11) return malformed(layers);
  // Another code is the discovery stage, which carries no packets (LINKTYPE_PPP_ETHER does not tell them apart).
  if (view.getUint8(offset + 1) !== 0) return NEXT_STOP;
  if (!enterTunnel(layers, TUNNEL_PPPOE, view.getUint16(offset + 2))) return NEXT_STOP;
  layers.cursor = offset + 6;
  trim(layers, offset + 6 + view.getUint16(offset + 4));
  return NEXT_PPP;
}
