import {
  IPPROTO_AH,
  IPPROTO_DSTOPTS,
  IPPROTO_FRAGMENT,
  IPPROTO_HIP,
  IPPROTO_HOPOPTS,
  IPPROTO_MOBILITY,
  IPPROTO_ROUTING,
  IPPROTO_SHIM6,
} from './numbers.ts';

/** A walk along the extension headers of an IP packet. */
export interface IpChain {
  /** The header at `transportOffset`. */
  ipProtocol: number;
  transportOffset: number;
  firstFragment: boolean;
  laterFragment: boolean;
}

/**
 * Moves `chain` from its first extension header to the first header that is none (RFC 8200 section 4, RFC 7045): all are next
 * header, length in units of 8 bytes beyond the first 8, and value, but for Authentication, whose unit is 4 bytes, and
 * Fragment. Behind the header of a later fragment there is nothing to walk.
 * @returns 0, or the offset up to which it would have to read and that lies beyond `end`.
 */
export function walkExtensionHeaders(view: DataView, end: number, chain: IpChain): number {
  for (;;) {
    const offset = chain.transportOffset;
    const protocol = chain.ipProtocol;
    switch (protocol) {
      case IPPROTO_HOPOPTS:
      case IPPROTO_ROUTING:
      case IPPROTO_FRAGMENT:
      case IPPROTO_AH:
      case IPPROTO_DSTOPTS:
      case IPPROTO_MOBILITY:
      case IPPROTO_HIP:
      case IPPROTO_SHIM6:
        break;
      default:
        return 0;
    }
    if (offset + 8 > end) return offset + 8;
    chain.ipProtocol = view.getUint8(offset);
    const length = view.getUint8(offset + 1);
    if (protocol === IPPROTO_FRAGMENT) {
      chain.transportOffset = offset + 8;
      const fragment = view.getUint16(offset + 2);
      if ((fragment & 0xfff8) !== 0) {
        chain.laterFragment = true;
        return 0;
      }
      if ((fragment & 1) !== 0) chain.firstFragment = true;
    } else {
      chain.transportOffset = offset + (protocol === IPPROTO_AH ? 4 * (length + 2) : 8 * (length + 1));
    }
  }
}
