import { dissectEthernet, dissectLlc, dissectVlan } from './ethernet.ts';
import { dissectErspan2, dissectErspan3, dissectGre } from './gre.ts';
import { dissectIp, dissectIpv4, dissectIpv6 } from './ip.ts';
import type { Layers } from './layers.ts';
import { dissectLink } from './link.ts';
import { dissectMpls } from './mpls.ts';
import {
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  ETHERTYPE_MPLS,
  ETHERTYPE_MPLS_MULTICAST,
  ETHERTYPE_PPPOE_SESSION,
  ETHERTYPE_QINQ,
  ETHERTYPE_QINQ_OLD,
  ETHERTYPE_QINQ_OLDER,
  ETHERTYPE_VLAN,
} from './numbers.ts';
import { dissectPpp, dissectPppoe } from './ppp.ts';
import {
  NEXT_ERSPAN_II,
  NEXT_ERSPAN_III,
  NEXT_ETHERNET,
  NEXT_GENEVE,
  NEXT_GRE,
  NEXT_IP,
  NEXT_LLC,
  NEXT_PPP,
  NEXT_STOP,
  NEXT_TRANSPORT,
  NEXT_VXLAN,
  resetLayers,
} from './steps.ts';
import { dissectTransport } from './transport.ts';
import { dissectGeneve, dissectVxlan } from './vxlan.ts';

/**
 * Finds the headers of one packet, through VLAN tags and tunnels, down to the innermost TCP segment or ICMP message. Makes no
 * objects, never throws, and never reads at or beyond `end`: what cannot be decoded is said by `cut`, `malformed` and `content`.
 * @param start - first byte of the packet in `view`.
 * @param end - first byte after what was captured of it.
 * @param linkType - LINKTYPE_ value; of an unknown one the content is `CONTENT_NONE`.
 * @param layers - is overwritten.
 */
export function dissect(view: DataView, start: number, end: number, linkType: number, layers: Layers): void {
  resetLayers(layers, start, Math.max(start, Math.min(end, view.byteLength)));
  let next = dissectLink(view, linkType, layers);
  // Ends, because every header takes bytes, but for those that only choose the next one.
  while (next !== NEXT_STOP) next = dissectNext(view, next, layers);
}

function dissectNext(view: DataView, next: number, layers: Layers): number {
  switch (next) {
    case ETHERTYPE_IPV4:
      return dissectIpv4(view, layers);
    case ETHERTYPE_IPV6:
      return dissectIpv6(view, layers);
    case NEXT_TRANSPORT:
      return dissectTransport(view, layers);
    case NEXT_ETHERNET:
      return dissectEthernet(view, layers);
    case NEXT_IP:
      return dissectIp(view, layers);
    case ETHERTYPE_VLAN:
    case ETHERTYPE_QINQ:
    case ETHERTYPE_QINQ_OLD:
    case ETHERTYPE_QINQ_OLDER:
      return dissectVlan(view, layers);
    case ETHERTYPE_MPLS:
    case ETHERTYPE_MPLS_MULTICAST:
      return dissectMpls(view, layers);
    case ETHERTYPE_PPPOE_SESSION:
      return dissectPppoe(view, layers);
    case NEXT_LLC:
      return dissectLlc(view, layers);
    case NEXT_PPP:
      return dissectPpp(view, layers);
    case NEXT_GRE:
      return dissectGre(view, layers);
    case NEXT_ERSPAN_II:
      return dissectErspan2(view, layers);
    case NEXT_ERSPAN_III:
      return dissectErspan3(view, layers);
    case NEXT_VXLAN:
      return dissectVxlan(view, layers);
    case NEXT_GENEVE:
      return dissectGeneve(view, layers);
    default:
      return NEXT_STOP;
  }
}
