import type { Explanation } from './entry.ts';

const ROUTE = 'ip route get CLIENT from SERVER ipproto tcp sport PORT dport 45678';

/** Counters of IP, ICMP, conntrack and IPsec (`/proc/net/snmp`, `snmp6`, `netstat`, `xfrm_stat`, `stat/nf_conntrack`). */
export const IP_COUNTERS: Readonly<Record<string, Explanation>> = {
  IpOutNoRoutes: {
    title: 'IPv4 packets of this host for which there was no route',
    aliases: ['OutNoRoutes', 'dropped because of missing route'],
    meaning:
      'A route for a packet of this host could not be had: on a server often that of a SYN-ACK, on a client that of a SYN.',
    moves:
      'inet_csk_route_req() for any failure of the look-up for a SYN-ACK; tcp_v4_connect() for ENETUNREACH; ip_queue_xmit().',
    wire: 'On a server: SYN, repeated, and nothing leaves, not even ARP. On a client: nothing.',
    application: 'On the client of such a server ETIMEDOUT; on a client itself ENETUNREACH.',
    traps: [
      'It also moves for unreachable, prohibit and blackhole routes, and for an IPsec policy with action block while the route is fine (XfrmOutPolBlock moves then).',
      'It does not move when the reverse path filter drops the SYN before (rp_filter 1 or 2), nor for a RST that cannot be routed.',
      'On a router, packets in transit count as InNoRoutes.',
    ],
    causes: [
      'the default route of the server is gone (interface reset, DHCP lease, router advertisement, wrong table or VRF)',
      'a reject route or rule',
      'an IPsec policy',
    ],
    checks: [
      { statement: 'Is there a route back to a client that fails?', command: ROUTE },
      {
        statement: 'One for each SYN, together with ListenDrops?',
        command: 'nstat -n; sleep 10; nstat -s | grep -E "NoRoutes|Listen"',
      },
    ],
    seeAlso: ['ListenDrops', 'Ip6OutNoRoutes', 'IPReversePathFilter', 'XfrmOutPolBlock', 'return-route'],
    references: ['RFC 4293 (ipSystemStatsOutNoRoutes)', 'inet_csk_route_req() in net/ipv4/inet_connection_sock.c'],
  },
  Ip6OutNoRoutes: {
    title: 'IPv6 packets of this host for which there was no route',
    meaning: 'A route for an IPv6 packet of this host could not be found: on a server often that of a SYN-ACK.',
    moves: 'ip6_dst_lookup_tail(), when the look-up fails with ENETUNREACH; also when the neighbour table is full.',
    wire: 'On a server: SYN, repeated, and nothing leaves, not even a neighbour solicitation. On a client: nothing.',
    application: 'On the client of such a server ETIMEDOUT; on a client itself ENETUNREACH.',
    traps: [
      'It does not move for unreachable, prohibit and blackhole routes: then only ListenDrops does.',
      'IPv6 has no reverse path filter in the kernel, so a missing route always shows here.',
    ],
    causes: [
      'the default route is gone: the router advertisement expired, or is ignored because forwarding is 1 and accept_ra is not 2',
      'static routes were lost when the interface was reset',
      'the route is in another table or VRF',
    ],
    checks: [
      { statement: 'Is there a route back to a client that fails?', command: ROUTE },
      {
        statement: 'Default route and who set it:',
        command: 'ip -6 route show default; sysctl net.ipv6.conf.DEV.accept_ra',
      },
    ],
    seeAlso: ['ListenDrops', 'IpOutNoRoutes', 'return-route', 'ENETUNREACH'],
    references: [
      'RFC 4293',
      'ip6_dst_lookup_tail() in net/ipv6/ip6_output.c; inet6_csk_route_req() in net/ipv6/inet6_connection_sock.c',
    ],
  },
  IpExtInNoRoutes: {
    title: 'packets in transit for which this router has no route',
    aliases: ['Ip6InNoRoutes'],
    meaning:
      'A packet to be forwarded was dropped for want of a route; the sender gets ICMP net unreachable or no route.',
    moves: 'ip_error() and ip6_pkt_drop(), on a host that forwards.',
    wire: 'SYN, ICMP type 3 code 0, or ICMPv6 type 1 code 0.',
    application: 'ENETUNREACH on the client.',
    traps: [
      'IPv4 unreachable, prohibit and blackhole routes do not count here; IPv6 unreachable and prohibit routes do.',
    ],
    causes: ['the router lacks a route to the destination, or back to the client'],
    checks: [{ statement: 'On the router:', command: 'ip route get SERVER from CLIENT iif DEV' }],
    seeAlso: ['icmp 3/0', 'icmp6 1/0', 'icmp-from-router', 'IP_INNOROUTES'],
    references: ['ip_error() in net/ipv4/route.c; ip6_pkt_drop() in net/ipv6/route.c'],
  },
  IpInAddrErrors: {
    title: 'packets for an address that is not of this host, and forwarding is off',
    aliases: ['Ip6InAddrErrors'],
    meaning: 'A packet arrived that is for another address, and this host does not forward.',
    moves: 'ip_error() with EHOSTUNREACH on a host that does not forward; ip6_forward().',
    wire: 'SYN to an address that the host does not have, without an answer and without ICMP.',
    application: 'ETIMEDOUT.',
    causes: [
      'a virtual address that moved to another host, while the sender still has the old MAC address',
      'a removed address',
      'a router or container host whose forwarding was switched off',
    ],
    checks: [
      { statement: 'Is the destination an address of this host?', command: 'ip route get SERVER; ip -br addr' },
      { statement: 'Is it to forward?', command: 'sysctl net.ipv4.ip_forward net.ipv6.conf.all.forwarding' },
    ],
    seeAlso: ['IP_INADDRERRORS', 'server-silent', 'OTHERHOST'],
    references: ['RFC 4293 (ipSystemStatsInAddrErrors)', 'ip_error() in net/ipv4/route.c'],
  },
  IPReversePathFilter: {
    title: 'packets dropped by the reverse path filter',
    aliases: ['rp_filter drops', 'IPRPFilter'],
    meaning:
      'An IPv4 packet was dropped because the route back to its source does not point to the interface on which it came (rp_filter 1), or because there is no route back at all (1 or 2).',
    moves: '__fib_validate_source(); counted in ip_rcv_finish_core().',
    wire: 'SYN, repeated, without an answer.',
    application: 'ETIMEDOUT.',
    traps: [
      'The SYN does not reach the listener, so ListenDrops and IpOutNoRoutes stay still.',
      'Switching rp_filter off does not help where the route is missing.',
      'The value that counts is the maximum of net.ipv4.conf.all.rp_filter and that of the interface; systemd sets 2 by default.',
      'IPv6 has no such filter, except for rules of nftables (fib) and ip6tables (rpfilter).',
    ],
    causes: [
      'no route back to the client (the default route is gone)',
      'several interfaces: the SYN comes in on one and the route back leads out of another (rp_filter 1)',
      'forged source addresses',
    ],
    checks: [
      {
        statement: 'Is there a route back at all, and through which interface?',
        command: 'ip route get CLIENT from SERVER',
      },
      {
        statement: 'The very check; it fails when the filter would drop:',
        command: 'ip route get SERVER from CLIENT iif DEV',
      },
      { statement: 'Settings:', command: 'sysctl -ar "net.ipv4.conf.*.rp_filter"' },
    ],
    seeAlso: ['IP_RPFILTER', 'return-route', 'IpOutNoRoutes', 'asymmetric-routing'],
    references: [
      'RFC 3704 section 2',
      '__fib_validate_source() in net/ipv4/fib_frontend.c',
      'rp_filter in Documentation/networking/ip-sysctl.rst',
    ],
  },
  IcmpInDestUnreachs: {
    title: 'ICMP destination unreachable received',
    aliases: ['Icmp6InDestUnreachs'],
    meaning: 'ICMP errors arrived that say that a packet of this host was not delivered.',
    moves: 'icmp_rcv() and icmpv6_rcv().',
    wire: 'ICMP type 3, or ICMPv6 type 1, that quotes a SYN (client) or SYN-ACK (server).',
    traps: [
      'When it moves together with OutDestUnreachs by the same amount, the host sent the error to itself: ARP failed.',
      'On a server with IPv4, together with ListenDrops: a router, or a failed ARP on its own link, answered the SYN-ACK.',
    ],
    checks: [
      {
        statement: 'What they quote, and who sends them:',
        command: "tcpdump -vni any 'icmp[0] == 3 or (icmp6 and ip6[40] == 1)'",
      },
    ],
    seeAlso: ['unreachable', 'ListenDrops', 'EHOSTUNREACH', 'NEIGH_FAILED'],
    references: ['RFC 4293', 'tcp_v4_err() in net/ipv4/tcp_ipv4.c'],
  },
  XfrmOutPolBlock: {
    title: 'packets that an IPsec policy forbids to send',
    meaning: 'An outbound IPsec policy with action block covers the packet.',
    moves: 'xfrm_lookup_with_ifid(); shown in /proc/net/xfrm_stat.',
    wire: 'On a server: SYN, repeated, nothing leaves. On a client: nothing.',
    application: 'EPERM on the client itself; ETIMEDOUT when the server has the policy.',
    traps: [
      'On an IPv4 server ListenDrops and IpOutNoRoutes move as well, exactly as without a route; this counter is the difference.',
    ],
    causes: ['a VPN that forbids unprotected traffic'],
    checks: [{ statement: 'Policies:', command: 'ip xfrm policy; grep Pol /proc/net/xfrm_stat' }],
    seeAlso: ['IpOutNoRoutes', 'ListenDrops', 'EPERM', 'XFRM_POLICY'],
    references: ['net/xfrm/xfrm_policy.c', 'Documentation/networking/xfrm_proc.rst'],
  },
  'conntrack-drop': {
    title: 'packets dropped because conntrack has no room',
    aliases: ['nf_conntrack drop', 'nf_conntrack: table full', 'table full, dropping packet', 'nf_conntrack_max'],
    meaning: 'The connection tracking table is full, and a packet of a new connection was dropped.',
    moves:
      '__nf_conntrack_alloc(), when the count reached nf_conntrack_max and early_drop() found nothing to remove; shown in /proc/net/stat/nf_conntrack (hexadecimal, a line per CPU).',
    wire: 'SYN, repeated, without an answer; established connections work.',
    application: 'ETIMEDOUT for new connections.',
    traps: [
      'No counter of IP or TCP moves. The kernel log says "nf_conntrack: table full, dropping packet".',
      'The maximum is one for the machine, the count is per network namespace.',
    ],
    causes: [
      'many short connections, a SYN flood, or timeouts that are long',
      'a maximum that is too small for the machine',
    ],
    checks: [
      {
        statement: 'Count against maximum:',
        command: 'sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max',
      },
      { statement: 'Drops:', command: 'conntrack -S' },
    ],
    seeAlso: ['NETFILTER_DROP', 'NAT', 'server-silent'],
    references: ['__nf_conntrack_alloc() in net/netfilter/nf_conntrack_core.c'],
  },
};
