import { walkExtensionHeaders } from './ip-chain.ts';
import type { Layers } from './layers.ts';
import { CONTENT_OTHER } from './layers.ts';
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6, IPPROTO_AH } from './numbers.ts';
import { lacks, malformed, NEXT_STOP, NEXT_TRANSPORT, trim } from './steps.ts';

/** Tells IPv4 from IPv6 by the first four bits. */
export function dissectIp(view: DataView, layers: Layers): number {
  if (lacks(layers, layers.cursor, 1)) return NEXT_STOP;
  const version = view.getUint8(layers.cursor) >>> 4;
  if (version === 4) return ETHERTYPE_IPV4;
  return version === 6 ? ETHERTYPE_IPV6 : NEXT_STOP;
}

/**
 * Decodes an IPv4 header (RFC 791 section 3.1). A total length of 0 is left by segmentation offload: the packet then reaches
 * to the end of the capture.
 *
 * ```
 *  0 version, IHL   1 type of service   2 total length   4 identification   6 flags, fragment offset
 *  8 time to live   9 protocol         10 checksum      12 source          16 destination          20 options
 * ```
 */
export function dissectIpv4(view: DataView, layers: Layers): number {
  const offset = layers.cursor;
  if (lacks(layers, offset, 20)) return NEXT_STOP;
  const start = view.getUint8(offset);
  const headerBytes = (start & 15) * 4;
  const totalBytes = view.getUint16(offset + 2);
  if (start >>> 4 !== 4 || headerBytes < 20) return malformed(layers);
  if (totalBytes !== 0 && totalBytes < headerBytes) return malformed(layers);
  const ipEnd = totalBytes === 0 ? layers.end : offset + totalBytes;
  trim(layers, totalBytes === 0 ? layers.wireEnd : ipEnd);
  const fragment = view.getUint16(offset + 6) & 0x3fff;
  layers.ipVersion = 4;
  layers.ipOffset = offset;
  layers.ipProtocol = view.getUint8(offset + 9);
  layers.transportOffset = offset + headerBytes;
  layers.firstFragment = fragment === 0x2000;
  layers.laterFragment = (fragment & 0x1fff) !== 0;
  return finish(view, layers, ipEnd, layers.ipProtocol === IPPROTO_AH && !layers.laterFragment);
}

/**
 * Decodes an IPv6 header (RFC 8200 section 3) and its extension headers. A payload length of 0 is that of a jumbogram or is
 * left by segmentation offload: the packet then reaches to the end of the capture.
 *
 * ```
 *  0 version, traffic class, flow label   4 payload length   6 next header   7 hop limit   8 source   24 destination
 * ```
 */
export function dissectIpv6(view: DataView, layers: Layers): number {
  const offset = layers.cursor;
  if (lacks(layers, offset, 40)) return NEXT_STOP;
  if (view.getUint8(offset) >>> 4 !== 6) return malformed(layers);
  const payloadBytes = view.getUint16(offset + 4);
  const ipEnd = payloadBytes === 0 ? layers.end : offset + 40 + payloadBytes;
  trim(layers, payloadBytes === 0 ? layers.wireEnd : ipEnd);
  layers.ipVersion = 6;
  layers.ipOffset = offset;
  layers.ipProtocol = view.getUint8(offset + 6);
  layers.transportOffset = offset + 40;
  layers.firstFragment = false;
  layers.laterFragment = false;
  return finish(view, layers, ipEnd, true);
}

function finish(view: DataView, layers: Layers, ipEnd: number, walk: boolean): number {
  layers.content = CONTENT_OTHER;
  const needed = walk ? walkExtensionHeaders(view, layers.end, layers) : 0;
  layers.transportBytes = Math.max(0, ipEnd - layers.transportOffset);
  if (needed > 0 && lacks(layers, needed, 0)) return NEXT_STOP;
  return NEXT_TRANSPORT;
}
