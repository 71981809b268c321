import { CONTENT_NONE, type Layers, MAX_TUNNELS } from './layers.ts';

/**
 * What a header is followed by, as the decoders of single protocols report it to `dissect`: an EtherType, or one of these.
 */
export const NEXT_STOP = -1;
/** IPv4 or IPv6, by the first four bits. */
export const NEXT_IP = 0x1_0000;
export const NEXT_ETHERNET = 0x1_0001;
/** A PPP protocol number. */
export const NEXT_PPP = 0x1_0002;
/** IEEE 802.2 LLC. */
export const NEXT_LLC = 0x1_0003;
/** What {@link Layers.ipProtocol} says, at {@link Layers.transportOffset}. */
export const NEXT_TRANSPORT = 0x1_0004;
export const NEXT_GRE = 0x1_0005;
export const NEXT_VXLAN = 0x1_0006;
export const NEXT_GENEVE = 0x1_0007;
export const NEXT_ERSPAN_II = 0x1_0008;
export const NEXT_ERSPAN_III = 0x1_0009;

/** Empties `layers` for the packet from `start` to `end`. */
export function resetLayers(layers: Layers, start: number, end: number): void {
  layers.content = CONTENT_NONE;
  layers.ipVersion = 0;
  layers.ipOffset = 0;
  layers.ipProtocol = 0;
  layers.transportOffset = 0;
  layers.transportBytes = 0;
  layers.end = end;
  layers.cut = false;
  layers.malformed = false;
  layers.firstFragment = false;
  layers.laterFragment = false;
  layers.direction = 0;
  layers.tunnelCount = 0;
  layers.cursor = start;
  layers.wireEnd = Number.POSITIVE_INFINITY;
}

/**
 * True when the capture does not hold all `bytes` from `offset`. Says why: `malformed` when the packet ends before them by its
 * own lengths, `cut` when only the capture does.
 */
export function lacks(layers: Layers, offset: number, bytes: number): boolean {
  if (offset + bytes <= layers.end) return false;
  if (offset + bytes > layers.wireEnd) layers.malformed = true;
  else layers.cut = true;
  return true;
}

/** Marks the packet as contradicting itself and ends its dissection. */
export function malformed(layers: Layers): number {
  layers.malformed = true;
  return NEXT_STOP;
}

/** Notes that a header says where the packet ends. */
export function trim(layers: Layers, wireEnd: number): void {
  if (wireEnd < layers.wireEnd) layers.wireEnd = wireEnd;
  if (wireEnd < layers.end) layers.end = wireEnd;
}

/** Notes one encapsulation. Returns false when there is no room for it: dissection ends there. */
export function enterTunnel(layers: Layers, kind: number, id: number): boolean {
  if (layers.tunnelCount === MAX_TUNNELS) return false;
  layers.tunnelKind[layers.tunnelCount] = kind;
  layers.tunnelId[layers.tunnelCount] = id;
  layers.tunnelCount++;
  return true;
}
