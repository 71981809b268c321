/** What is known of one ICMP error. */
export interface IcmpMeaning {
  /** Name in the registries "ICMP Type Numbers" and "ICMPv6 Parameters" of IANA, in title case. */
  readonly name: string;
  /** What it says about a TCP segment that it quotes: one clause, to follow a colon. */
  readonly implication: string;
}

/** Names of the types, for codes that the registry does not have. */
export const ICMP_ERROR_TYPES: Readonly<Record<string, string>> = {
  '4/3': 'Destination Unreachable',
  '4/4': 'Source Quench',
  '4/11': 'Time Exceeded',
  '4/12': 'Parameter Problem',
  '6/1': 'Destination Unreachable',
  '6/2': 'Packet Too Big',
  '6/3': 'Time Exceeded',
  '6/4': 'Parameter Problem',
};

/**
 * Errors by IP version, type and code (RFC 792, RFC 1122, RFC 1812, RFC 4443, RFC 8883). What Linux means by them:
 * `ip_error()` and `ipv4_link_failure()` in net/ipv4/route.c; `ip6_pkt_drop()` and `ip6_link_failure()` in net/ipv6/route.c;
 * net/ipv4/netfilter/ipt_REJECT.c and net/netfilter/nft_reject.c.
 */
export const ICMP_ERRORS: Readonly<Record<string, IcmpMeaning>> = {
  '4/3/0': {
    name: 'Net Unreachable',
    implication: 'the sender of the error has no route to the destination',
  },
  '4/3/1': {
    name: 'Host Unreachable',
    implication:
      'the destination did not answer ARP on its last hop (host down, wrong address or VLAN), or an `unreachable` route covers it',
  },
  '4/3/2': {
    name: 'Protocol Unreachable',
    implication:
      'the destination does not take TCP at all, or a filter rejects it (REJECT --reject-with icmp-proto-unreachable)',
  },
  '4/3/3': {
    name: 'Port Unreachable',
    implication:
      'a filter rejects it (default of iptables REJECT and nft reject); a closed TCP port would have answered with RST',
  },
  '4/3/4': {
    name: "Fragmentation Needed and Don't Fragment was Set",
    implication:
      'a link on the way has a smaller MTU than the packet; the sender is to send smaller ones (path MTU discovery)',
  },
  '4/3/5': { name: 'Source Route Failed', implication: 'the source route in the packet could not be followed' },
  '4/3/6': { name: 'Destination Network Unknown', implication: 'a router does not know the destination network' },
  '4/3/7': {
    name: 'Destination Host Unknown',
    implication: 'a router knows from its link layer that the host does not exist',
  },
  '4/3/8': { name: 'Source Host Isolated', implication: 'a router considers the sender cut off (obsolete)' },
  '4/3/9': {
    name: 'Communication with Destination Network is Administratively Prohibited',
    implication: 'a filter rejects it (REJECT --reject-with icmp-net-prohibited, or a router ACL)',
  },
  '4/3/10': {
    name: 'Communication with Destination Host is Administratively Prohibited',
    implication:
      'a filter rejects it (REJECT --reject-with icmp-host-prohibited, the last rule of older Red Hat systems, or a router ACL)',
  },
  '4/3/11': {
    name: 'Destination Network Unreachable for Type of Service',
    implication: 'a router has no route to the network for this type of service (DSCP)',
  },
  '4/3/12': {
    name: 'Destination Host Unreachable for Type of Service',
    implication: 'a router has no route to the host for this type of service (DSCP)',
  },
  '4/3/13': {
    name: 'Communication Administratively Prohibited',
    implication:
      'a filter rejects it (iptables or nft reject with icmp-admin-prohibited, a router ACL, or a `prohibit` route of Linux)',
  },
  '4/3/14': { name: 'Host Precedence Violation', implication: 'a router does not permit the precedence of the packet' },
  '4/3/15': {
    name: 'Precedence Cutoff in Effect',
    implication: 'the precedence of the packet is below what a router takes',
  },
  '4/4/0': {
    name: 'Source Quench',
    implication: 'an overloaded router asks to slow down; hosts ignore it since RFC 6633',
  },
  '4/11/0': {
    name: 'Time to Live Exceeded in Transit',
    implication: 'the TTL ran out at a router: a routing loop, or a TTL that was too small from the start',
  },
  '4/11/1': {
    name: 'Fragment Reassembly Time Exceeded',
    implication: 'some fragments of the packet did not reach the destination',
  },
  '4/12/0': {
    name: 'Parameter Problem: Pointer Indicates the Error',
    implication: 'a field of the IP header is not valid',
  },
  '4/12/1': {
    name: 'Parameter Problem: Missing a Required Option',
    implication: 'the IP header lacks an option that a router requires',
  },
  '4/12/2': { name: 'Parameter Problem: Bad Length', implication: 'a length in the IP header is not valid' },
  '6/1/0': {
    name: 'No Route to Destination',
    implication: 'the sender of the error has no route to the destination, or only an `unreachable` one',
  },
  '6/1/1': {
    name: 'Communication with Destination Administratively Prohibited',
    implication:
      'a filter rejects it (ip6tables or nft reject with icmp6-adm-prohibited, a router ACL, or a `prohibit` route of Linux)',
  },
  '6/1/2': {
    name: 'Beyond Scope of Source Address',
    implication: 'the source address is not valid beyond its link, as of a link-local address that would be routed',
  },
  '6/1/3': {
    name: 'Address Unreachable',
    implication:
      'the destination did not answer neighbour discovery on its last hop (host down, wrong address or VLAN)',
  },
  '6/1/4': {
    name: 'Port Unreachable',
    implication:
      'a filter rejects it (default of ip6tables REJECT and nft reject); a closed TCP port would have answered with RST',
  },
  '6/1/5': {
    name: 'Source Address Failed Ingress/Egress Policy',
    implication: 'a filter does not permit this source address here (anti-spoofing, or reject with icmp6-policy-fail)',
  },
  '6/1/6': {
    name: 'Reject Route to Destination',
    implication:
      'a route of the sender of the error rejects the destination, or a filter rejects it with icmp6-reject-route',
  },
  '6/1/7': {
    name: 'Error in Source Routing Header',
    implication: 'the source route in the packet could not be followed',
  },
  '6/1/8': { name: 'Headers Too Long', implication: 'a router cannot process headers as long as those of the packet' },
  '6/2/0': {
    name: 'Packet Too Big',
    implication:
      'a link on the way has a smaller MTU than the packet; the sender is to send smaller ones (path MTU discovery)',
  },
  '6/3/0': {
    name: 'Hop Limit Exceeded in Transit',
    implication: 'the hop limit ran out at a router: a routing loop, or a hop limit that was too small from the start',
  },
  '6/3/1': {
    name: 'Fragment Reassembly Time Exceeded',
    implication: 'some fragments of the packet did not reach the destination',
  },
  '6/4/0': { name: 'Erroneous Header Field Encountered', implication: 'a field of the IPv6 header is not valid' },
  '6/4/1': {
    name: 'Unrecognized Next Header Type Encountered',
    implication: 'the destination does not take TCP at all, or not a header before it',
  },
  '6/4/2': {
    name: 'Unrecognized IPv6 Option Encountered',
    implication: 'an IPv6 option is not known and forbids to skip it',
  },
  '6/4/3': {
    name: 'IPv6 First Fragment Has Incomplete IPv6 Header Chain',
    implication: 'the first fragment does not hold all headers (RFC 7112)',
  },
  '6/4/4': {
    name: 'SR Upper-layer Header Error',
    implication: 'a segment routing node does not take the header that follows',
  },
  '6/4/5': {
    name: 'Unrecognized Next Header Type Encountered by Intermediate Node',
    implication: 'a router does not know a header that it would have to process',
  },
  '6/4/6': { name: 'Extension Header Too Big', implication: 'an extension header is longer than a router takes' },
  '6/4/7': {
    name: 'Extension Header Chain Too Long',
    implication: 'the extension headers are longer than a router takes',
  },
  '6/4/8': { name: 'Too Many Extension Headers', implication: 'there are more extension headers than a router takes' },
  '6/4/9': {
    name: 'Too Many Options in Extension Header',
    implication: 'there are more IPv6 options than a router takes',
  },
  '6/4/10': { name: 'Option Too Big', implication: 'an IPv6 option is longer than a router takes' },
};
