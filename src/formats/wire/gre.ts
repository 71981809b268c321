import type { Layers } from './layers.ts';
import { TUNNEL_GRE } from './layers.ts';
import { ETHERTYPE_ERSPAN_II, ETHERTYPE_ERSPAN_III, ETHERTYPE_PPP, ETHERTYPE_TEB, ETHERTYPE_WCCP } from './numbers.ts';
import {
  enterTunnel,
  lacks,
  NEXT_ERSPAN_II,
  NEXT_ERSPAN_III,
  NEXT_ETHERNET,
  NEXT_IP,
  NEXT_PPP,
  NEXT_STOP,
} from './steps.ts';

const CHECKSUM = 0x8000;
const ROUTING = 0x4000;
const KEY = 0x2000;
const SEQUENCE = 0x1000;
const ACKNOWLEDGEMENT = 0x0080;

/**
 * Decodes a GRE header (RFC 2784, RFC 2890): flags and version (2 bytes), protocol (2), then where their flag is set checksum
 * and reserved (4), key (4), sequence number (4). Version 1 is that of PPTP (RFC 2637 section 4.1), with an acknowledgement
 * number (4). Source routing (RFC 1701) is not followed.
 */
export function dissectGre(view: DataView, layers: Layers): number {
  const offset = layers.cursor;
  if (lacks(layers, offset, 4)) return NEXT_STOP;
  const flags = view.getUint16(offset);
  const protocol = view.getUint16(offset + 2);
  const version = flags & 7;
  if (version > 1 || (flags & ROUTING) !== 0) return NEXT_STOP;
  let at = offset + 4;
  if ((flags & CHECKSUM) !== 0) at += 4;
  const keyOffset = at;
  if ((flags & KEY) !== 0) at += 4;
  if ((flags & SEQUENCE) !== 0) at += 4;
  if (version === 1 && (flags & ACKNOWLEDGEMENT) !== 0) at += 4;
  if (lacks(layers, at, 0)) return NEXT_STOP;
  const key = (flags & KEY) === 0 ? 0 : view.getUint32(keyOffset);
  // PPTP keeps the payload length in the upper half of the key, and the call in the lower.
  if (!enterTunnel(layers, TUNNEL_GRE, version === 1 ? key & 0xffff : key)) return NEXT_STOP;
  layers.cursor = at;
  switch (protocol) {
    case ETHERTYPE_TEB:
      return NEXT_ETHERNET;
    case ETHERTYPE_ERSPAN_II:
      return (flags & SEQUENCE) === 0 ? NEXT_ETHERNET : NEXT_ERSPAN_II;
    case ETHERTYPE_ERSPAN_III:
      return NEXT_ERSPAN_III;
    case ETHERTYPE_WCCP:
      return dissectWccp(view, layers);
    case ETHERTYPE_PPP:
      return dissectPptp(view, layers, version === 1 && (flags & SEQUENCE) === 0);
    default:
      return protocol;
  }
}

/** Decodes ERSPAN Type II: version 1 and VLAN (2 bytes), session id in the low ten bits (2), index (4); then Ethernet. */
export function dissectErspan2(view: DataView, layers: Layers): number {
  const offset = layers.cursor;
  if (lacks(layers, offset, 8) || view.getUint8(offset) >>> 4 !== 1) return NEXT_STOP;
  noteSession(layers, view.getUint16(offset + 2) & 0x3ff);
  layers.cursor = offset + 8;
  return NEXT_ETHERNET;
}

/**
 * Decodes ERSPAN Type III (draft-foschiano-erspan): as Type II but version 2, timestamp (4 bytes), security group (2), and a
 * word with the frame type (bits 10 to 14 from the right: 0 Ethernet, 2 IP) and, lowest, a flag for eight bytes more.
 */
export function dissectErspan3(view: DataView, layers: Layers): number {
  const offset = layers.cursor;
  if (lacks(layers, offset, 12) || view.getUint8(offset) >>> 4 !== 2) return NEXT_STOP;
  noteSession(layers, view.getUint16(offset + 2) & 0x3ff);
  const word = view.getUint16(offset + 10);
  layers.cursor = offset + 12 + ((word & 1) === 0 ? 0 : 8);
  const frameType = (word >>> 10) & 31;
  if (frameType === 0) return NEXT_ETHERNET;
  return frameType === 2 ? NEXT_IP : NEXT_STOP;
}

function noteSession(layers: Layers, session: number): void {
  layers.tunnelId[layers.tunnelCount - 1] = session;
}

/** WCCP version 2 puts four bytes of its own before the packet (draft-wilson-wrec-wccp-v2), version 1 none. */
function dissectWccp(view: DataView, layers: Layers): number {
  const offset = layers.cursor;
  if (lacks(layers, offset, 1)) return NEXT_STOP;
  if (view.getUint8(offset) >>> 4 !== 4) layers.cursor = offset + 4;
  return NEXT_IP;
}

/** PPP in GRE may have address and control before it; a PPTP packet that only acknowledges has no payload. */
function dissectPptp(view: DataView, layers: Layers, empty: boolean): number {
  const offset = layers.cursor;
  if (empty || lacks(layers, offset, 2)) return NEXT_STOP;
  if (view.getUint16(offset) === 0xff03) layers.cursor = offset + 2;
  return NEXT_PPP;
}
