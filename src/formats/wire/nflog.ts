import type { Layers } from './layers.ts';
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from './numbers.ts';
import { lacks, NEXT_STOP } from './steps.ts';

const NFULA_PAYLOAD = 9;

/**
 * Decodes what netfilter's NFLOG target puts before the IP packet (https://www.tcpdump.org/linktypes/LINKTYPE_NFLOG.html):
 * address family, version 0, resource id (2 bytes), then attributes of length (2), type (2) and value, padded to four bytes,
 * in the byte order of the capturing host; `NFULA_PAYLOAD` has the packet.
 */
export function dissectNflog(view: DataView, layers: Layers): number {
  const offset = layers.cursor;
  if (lacks(layers, offset, 4)) return NEXT_STOP;
  const family = view.getUint8(offset);
  let at = offset + 4;
  while (!lacks(layers, at, 4)) {
    // The type is below 256: whichever order makes it so is the host's.
    const littleEndian = view.getUint8(at + 3) === 0;
    const length = view.getUint16(at, littleEndian);
    if (length < 4) {
      layers.malformed = true;
      return NEXT_STOP;
    }
    if (view.getUint16(at + 2, littleEndian) === NFULA_PAYLOAD) {
      layers.cursor = at + 4;
      if (family === 2) return ETHERTYPE_IPV4;
      return family === 10 ? ETHERTYPE_IPV6 : NEXT_STOP;
    }
    at += (length + 3) & ~3;
  }
  return NEXT_STOP;
}
