import type { Layers } from './layers.ts';
import { dissectNflog } from './nflog.ts';
import {
  DLT_RAW,
  DLT_RAW_OPENBSD,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  ETHERTYPE_PPPOE_SESSION,
  LINKTYPE_C_HDLC,
  LINKTYPE_ETHERNET,
  LINKTYPE_IPV4,
  LINKTYPE_IPV6,
  LINKTYPE_LINUX_SLL,
  LINKTYPE_LINUX_SLL2,
  LINKTYPE_LOOP,
  LINKTYPE_NFLOG,
  LINKTYPE_NULL,
  LINKTYPE_PPP,
  LINKTYPE_PPP_ETHER,
  LINKTYPE_PPP_HDLC,
  LINKTYPE_RAW,
} from './numbers.ts';
import { dissectSll, dissectSll2 } from './sll.ts';
import { lacks, NEXT_ETHERNET, NEXT_IP, NEXT_PPP, NEXT_STOP } from './steps.ts';

/** Decodes the header that a link type puts before each packet (https://www.tcpdump.org/linktypes.html). */
export function dissectLink(view: DataView, linkType: number, layers: Layers): number {
  switch (linkType) {
    case LINKTYPE_ETHERNET:
      return NEXT_ETHERNET;
    case LINKTYPE_LINUX_SLL:
      return dissectSll(view, layers);
    case LINKTYPE_LINUX_SLL2:
      return dissectSll2(view, layers);
    case LINKTYPE_RAW:
    case DLT_RAW:
    case DLT_RAW_OPENBSD:
      return NEXT_IP;
    case LINKTYPE_IPV4:
      return ETHERTYPE_IPV4;
    case LINKTYPE_IPV6:
      return ETHERTYPE_IPV6;
    case LINKTYPE_NULL:
    case LINKTYPE_LOOP:
      return dissectLoopback(view, layers);
    case LINKTYPE_PPP:
    case LINKTYPE_PPP_HDLC:
    case LINKTYPE_C_HDLC:
      return dissectHdlc(view, layers);
    case LINKTYPE_PPP_ETHER:
      return ETHERTYPE_PPPOE_SESSION;
    case LINKTYPE_NFLOG:
      return dissectNflog(view, layers);
    default:
      return NEXT_STOP;
  }
}

/**
 * Decodes the four bytes of BSD loopback: an address family, in the byte order of the capturing host (NULL) or big-endian
 * (LOOP); both orders are taken for both, since files get this wrong. AF_INET6 differs among systems.
 */
function dissectLoopback(view: DataView, layers: Layers): number {
  const offset = layers.cursor;
  if (lacks(layers, offset, 4)) return NEXT_STOP;
  layers.cursor = offset + 4;
  const littleEndian = view.getUint32(offset, true);
  switch (littleEndian < 0x1_0000 ? littleEndian : view.getUint32(offset)) {
    case 2:
      return ETHERTYPE_IPV4;
    case 10: // Linux
    case 23: // Windows
    case 24: // NetBSD, OpenBSD
    case 28: // FreeBSD
    case 30: // macOS
      return ETHERTYPE_IPV6;
    default:
      return NEXT_STOP;
  }
}

/**
 * Decodes what precedes a PPP protocol number: nothing (LINKTYPE_PPP at times), address 0xFF and control 0x03 (RFC 1662
 * section 3.1), or Cisco's HDLC with address 0x0F or 0x8F, control 0x00 and an EtherType.
 */
function dissectHdlc(view: DataView, layers: Layers): number {
  const offset = layers.cursor;
  if (lacks(layers, offset, 2)) return NEXT_STOP;
  const start = view.getUint16(offset);
  if (start === 0x0f00 || start === 0x8f00) {
    if (lacks(layers, offset, 4)) return NEXT_STOP;
    layers.cursor = offset + 4;
    return view.getUint16(offset + 2);
  }
  if (start === 0xff03) layers.cursor = offset + 2;
  return NEXT_PPP;
}
