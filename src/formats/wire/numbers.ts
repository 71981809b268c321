/** LINKTYPE_ values that {@link dissect} knows, from https://www.tcpdump.org/linktypes.html. */
export const LINKTYPE_NULL = 0;
export const LINKTYPE_ETHERNET = 1;
export const LINKTYPE_PPP = 9;
/** DLT_RAW of most systems; some old files store the DLT. */
export const DLT_RAW = 12;
/** DLT_RAW of OpenBSD. */
export const DLT_RAW_OPENBSD = 14;
export const LINKTYPE_PPP_HDLC = 50;
export const LINKTYPE_PPP_ETHER = 51;
export const LINKTYPE_RAW = 101;
export const LINKTYPE_C_HDLC = 104;
export const LINKTYPE_LOOP = 108;
export const LINKTYPE_LINUX_SLL = 113;
export const LINKTYPE_IPV4 = 228;
export const LINKTYPE_IPV6 = 229;
export const LINKTYPE_NFLOG = 239;
export const LINKTYPE_LINUX_SLL2 = 276;

/** EtherTypes (IEEE 802 Numbers registry of IANA). */
export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_ARP = 0x0806;
export const ETHERTYPE_TEB = 0x6558;
export const ETHERTYPE_VLAN = 0x8100;
export const ETHERTYPE_IPV6 = 0x86dd;
export const ETHERTYPE_MPLS = 0x8847;
export const ETHERTYPE_MPLS_MULTICAST = 0x8848;
export const ETHERTYPE_PPPOE_SESSION = 0x8864;
export const ETHERTYPE_PPP = 0x880b;
export const ETHERTYPE_WCCP = 0x883e;
export const ETHERTYPE_QINQ = 0x88a8;
export const ETHERTYPE_ERSPAN_II = 0x88be;
export const ETHERTYPE_QINQ_OLD = 0x9100;
export const ETHERTYPE_QINQ_OLDER = 0x9200;
export const ETHERTYPE_ERSPAN_III = 0x22eb;

/** Protocol numbers of IPv4 and next headers of IPv6 (Assigned Internet Protocol Numbers registry of IANA). */
export const IPPROTO_HOPOPTS = 0;
export const IPPROTO_ICMP = 1;
export const IPPROTO_IPV4 = 4;
export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;
export const IPPROTO_IPV6 = 41;
export const IPPROTO_ROUTING = 43;
export const IPPROTO_FRAGMENT = 44;
export const IPPROTO_GRE = 47;
export const IPPROTO_AH = 51;
export const IPPROTO_ICMPV6 = 58;
export const IPPROTO_DSTOPTS = 60;
export const IPPROTO_MOBILITY = 135;
export const IPPROTO_MPLS = 137;
export const IPPROTO_HIP = 139;
export const IPPROTO_SHIM6 = 140;

/** UDP ports of VXLAN (RFC 7348; 8472 is the Linux default), and of Geneve (RFC 8926). */
export const PORT_VXLAN = 4789;
export const PORT_VXLAN_LINUX = 8472;
export const PORT_GENEVE = 6081;
/** UDP port of MPLS in UDP (RFC 7510). */
export const PORT_MPLS = 6635;
