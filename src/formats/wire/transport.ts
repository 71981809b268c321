import type { Layers } from './layers.ts';
import { CONTENT_ICMP, CONTENT_ICMPV6, CONTENT_TCP, TUNNEL_IPIP } from './layers.ts';
import {
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  ETHERTYPE_MPLS,
  IPPROTO_GRE,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_IPV4,
  IPPROTO_IPV6,
  IPPROTO_MPLS,
  IPPROTO_TCP,
  IPPROTO_UDP,
  PORT_GENEVE,
  PORT_MPLS,
  PORT_VXLAN,
  PORT_VXLAN_LINUX,
} from './numbers.ts';
import { enterTunnel, lacks, NEXT_GENEVE, NEXT_GRE, NEXT_STOP, NEXT_VXLAN } from './steps.ts';

/** Finds out what an IP packet carries: the content that ends the dissection, or a tunnel. */
export function dissectTransport(view: DataView, layers: Layers): number {
  if (layers.laterFragment) return NEXT_STOP;
  layers.cursor = layers.transportOffset;
  switch (layers.ipProtocol) {
    case IPPROTO_TCP:
      layers.content = CONTENT_TCP;
      checkTcp(view, layers);
      return NEXT_STOP;
    case IPPROTO_ICMP:
      return icmp(layers, 4, CONTENT_ICMP);
    case IPPROTO_ICMPV6:
      return icmp(layers, 6, CONTENT_ICMPV6);
    case IPPROTO_UDP:
      return dissectUdp(view, layers);
    case IPPROTO_IPV4:
      return enterTunnel(layers, TUNNEL_IPIP, 0) ? ETHERTYPE_IPV4 : NEXT_STOP;
    case IPPROTO_IPV6:
      return enterTunnel(layers, TUNNEL_IPIP, 0) ? ETHERTYPE_IPV6 : NEXT_STOP;
    case IPPROTO_GRE:
      return NEXT_GRE;
    case IPPROTO_MPLS:
      return ETHERTYPE_MPLS;
    default:
      return NEXT_STOP;
  }
}

/** Checks that the TCP header lies in the packet and in the capture, options included (RFC 9293 section 3.1). */
function checkTcp(view: DataView, layers: Layers): void {
  const offset = layers.transportOffset;
  if (lacks(layers, offset, 20)) return;
  const headerBytes = (view.getUint8(offset + 12) >>> 4) * 4;
  if (headerBytes < 20) layers.malformed = true;
  else lacks(layers, offset, headerBytes);
}

/** ICMP belongs to IPv4 and ICMPv6 to IPv6; anything else is not worth a guess. */
function icmp(layers: Layers, ipVersion: number, content: number): number {
  if (layers.ipVersion === ipVersion) {
    layers.content = content;
    lacks(layers, layers.transportOffset, 8);
  }
  return NEXT_STOP;
}

/** Follows tunnels in UDP (RFC 768) by their destination port. */
function dissectUdp(view: DataView, layers: Layers): number {
  const offset = layers.transportOffset;
  if (lacks(layers, offset, 8)) return NEXT_STOP;
  layers.cursor = offset + 8;
  switch (view.getUint16(offset + 2)) {
    case PORT_VXLAN:
    case PORT_VXLAN_LINUX:
      return NEXT_VXLAN;
    case PORT_GENEVE:
      return NEXT_GENEVE;
    case PORT_MPLS:
      return ETHERTYPE_MPLS;
    default:
      return NEXT_STOP;
  }
}
