import type { Layers } from './layers.ts';
import { TUNNEL_GENEVE, TUNNEL_VXLAN } from './layers.ts';
import { ETHERTYPE_TEB } from './numbers.ts';
import { enterTunnel, lacks, NEXT_ETHERNET, NEXT_STOP } from './steps.ts';

/**
 * Decodes a VXLAN header (RFC 7348 section 5): flags (1 byte, of which I says that the VNI counts), reserved (3), VNI (3),
 * reserved (1). Without the I flag the datagram is taken for something else that uses the port.
 */
export function dissectVxlan(view: DataView, layers: Layers): number {
  const offset = layers.cursor;
  if (lacks(layers, offset, 8) || (view.getUint8(offset) & 0x08) === 0) return NEXT_STOP;
  if (!enterTunnel(layers, TUNNEL_VXLAN, view.getUint32(offset + 4) >>> 8)) return NEXT_STOP;
  layers.cursor = offset + 8;
  return NEXT_ETHERNET;
}

/**
 * Decodes a Geneve header (RFC 8926 section 3.4): version 0 (2 bits) and length of the options in units of four bytes (6),
 * flags (1 byte), EtherType of the payload (2), VNI (3), reserved (1), options.
 */
export function dissectGeneve(view: DataView, layers: Layers): number {
  const offset = layers.cursor;
  if (lacks(layers, offset, 8)) return NEXT_STOP;
  const start = view.getUint8(offset);
  if (start >>> 6 !== 0) return NEXT_STOP;
  if (!enterTunnel(layers, TUNNEL_GENEVE, view.getUint32(offset + 4) >>> 8)) return NEXT_STOP;
  layers.cursor = offset + 8 + 4 * (start & 63);
  const etherType = view.getUint16(offset + 2);
  return etherType === ETHERTYPE_TEB ? NEXT_ETHERNET : etherType;
}
