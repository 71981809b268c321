import type { Layers } from './layers.ts';
import { TUNNEL_VLAN } from './layers.ts';
import { ETHERTYPE_IPV4 } from './numbers.ts';
import { enterTunnel, lacks, NEXT_LLC, NEXT_STOP, trim } from './steps.ts';

/**
 * Decodes an Ethernet header: destination (6 bytes), source (6), EtherType, or length up to 1500 (IEEE 802.3 section 3.2.6).
 */
export function dissectEthernet(view: DataView, layers: Layers): number {
  const offset = layers.cursor;
  if (lacks(layers, offset, 14)) return NEXT_STOP;
  layers.cursor = offset + 14;
  return etherTypeOrLength(layers, view.getUint16(offset + 12));
}

/** Decodes an 802.1Q or 802.1ad tag behind its EtherType: priority (3 bits), DEI, VLAN id (12 bits), EtherType or length. */
export function dissectVlan(view: DataView, layers: Layers): number {
  const offset = layers.cursor;
  if (lacks(layers, offset, 4)) return NEXT_STOP;
  if (!enterTunnel(layers, TUNNEL_VLAN, view.getUint16(offset) & 0xfff)) return NEXT_STOP;
  layers.cursor = offset + 4;
  return etherTypeOrLength(layers, view.getUint16(offset + 2));
}

/**
 * Decodes IEEE 802.2 LLC: DSAP, SSAP, control. Only unnumbered information is followed: of SNAP (0xAA, then OUI and EtherType,
 * RFC 1042) and of IP (0x06).
 */
export function dissectLlc(view: DataView, layers: Layers): number {
  const offset = layers.cursor;
  if (lacks(layers, offset, 3)) return NEXT_STOP;
  if (view.getUint8(offset + 2) !== 0x03) return NEXT_STOP;
  const saps = view.getUint16(offset);
  if (saps === 0x0606) {
    layers.cursor = offset + 3;
    return ETHERTYPE_IPV4;
  }
  if (saps !== 0xaaaa || lacks(layers, offset, 8)) return NEXT_STOP;
  // RFC 1042 encapsulation, or 802.1H bridge-tunnel encapsulation.
  const organization = view.getUint32(offset + 2) & 0xff_ffff;
  if (organization !== 0 && organization !== 0xf8) return NEXT_STOP;
  layers.cursor = offset + 8;
  return view.getUint16(offset + 6);
}

function etherTypeOrLength(layers: Layers, value: number): number {
  if (value >= 0x0600) return value;
  if (value > 1500) return NEXT_STOP;
  trim(layers, layers.cursor + value);
  return NEXT_LLC;
}
