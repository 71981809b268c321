import type { Explanation } from './entry.ts';

const SOFT_ERROR =
  'A blocking connect() that holds the socket when the ICMP error arrives only remembers it and fails at the next one, about 1 s later.';

/** What errors of connect() mean on Linux. */
export const ERRNOS: Readonly<Record<string, Explanation>> = {
  ETIMEDOUT: {
    title: 'connection timed out (110)',
    aliases: ['connection timed out', 'timeout'],
    meaning: 'No acceptable answer to any of the SYNs came in the time that the kernel tries.',
    wire: 'SYN and its repetitions, or nothing at all when a rule on the client itself drops them.',
    application:
      'connect() fails after about 134 s (Linux since 6.5), 127 s (before), or what tcp_syn_retries, TCP_SYNCNT and TCP_USER_TIMEOUT say.',
    traps: [
      'A rule of nftables or iptables, or a cgroup program, that drops the SYN on output of the client gives ETIMEDOUT and not EPERM; no SYN is in the capture of the client, and TCPRetransFail moves.',
    ],
    causes: [
      'a firewall or security group drops the SYN silently',
      'the server does not answer: no route back, reverse path filter, full accept queue, input rule',
      'the answer is lost on the way back',
      'a rule on the client drops the SYN on output or the SYN-ACK on input',
    ],
    checks: [
      {
        statement: 'Does the SYN leave the client, and what comes back?',
        command: "tcpdump -ni any 'tcp port PORT or icmp or icmp6'",
      },
      {
        statement: 'Does it reach the server? Capture there at the same time, then:',
        command: 'synscope compare client.pcap server.pcap',
      },
    ],
    seeAlso: ['no-reply', 'server-silent', 'lost-before-server', 'TCPRetransFail', 'syn-schedule'],
    references: ['connect(2)', 'tcp_write_timeout() in net/ipv4/tcp_timer.c'],
  },
  ECONNREFUSED: {
    title: 'connection refused (111)',
    aliases: ['connection refused'],
    meaning: 'The SYN was answered with a RST, or with an ICMP port unreachable.',
    wire: 'SYN, RST with ACK flag (at once); or SYN, ICMP type 3 code 3, ICMPv6 type 1 code 4.',
    application: 'connect() fails after one round trip; with ICMP possibly at the second one, about 1 s later.',
    causes: [
      'nothing listens: service down, wrong port, still starting',
      'it listens on another address, family, device, VRF or network namespace',
      'a firewall rejects: tcp-reset, or the default of REJECT (port unreachable)',
      'a middlebox or load balancer without backend resets',
      'NAT or REDIRECT leads to a closed port',
    ],
    checks: [
      { statement: 'On the server, in the network namespace of the service:', command: 'ss -ltnpe sport = :PORT' },
      { statement: 'RST or ICMP, and from which TTL:', command: "tcpdump -vni any 'tcp port PORT or icmp or icmp6'" },
    ],
    seeAlso: ['refused', 'refused-by-server', 'refused-by-middlebox', 'icmp 3/3', 'icmp6 1/4', 'TcpOutRsts'],
    references: ['RFC 9293 section 3.10.7.3', 'tcp_reset() in net/ipv4/tcp_input.c'],
  },
  EHOSTUNREACH: {
    title: 'no route to host (113)',
    aliases: ['no route to host', 'host unreachable'],
    meaning:
      'An ICMP error, a failed ARP or neighbour discovery, or a local unreachable route says that the host cannot be reached.',
    wire: 'Nothing (local route); ARP or neighbour solicitations without answer (next hop); or SYN and an ICMP error.',
    application: `Right away: local route. After one round trip: ICMP. After about 3 s: ARP or neighbour discovery failed, here or at the last router. ${SOFT_ERROR}`,
    traps: [
      'IPv4 administratively prohibited (codes 10 and 13) is EHOSTUNREACH; the same on ICMPv6 is EACCES.',
      'A missing local route is ENETUNREACH, in spite of the words "no route to host".',
    ],
    causes: [
      'the next hop or the server does not answer ARP or neighbour discovery: host down, wrong VLAN, wrong gateway',
      'a firewall rejects with host unreachable, host prohibited or admin prohibited (IPv4)',
      'an unreachable route on the client or on a router',
      'a routing loop (time exceeded)',
      'an IPv6 source address of the wrong scope',
    ],
    checks: [
      { statement: 'Local route and next hop:', command: 'ip route get SERVER; ip neigh show' },
      { statement: 'Who sends which ICMP error:', command: "tcpdump -vni any 'arp or icmp or icmp6'" },
    ],
    seeAlso: ['unreachable', 'icmp-from-router', 'icmp 3/1', 'icmp 3/13', 'icmp6 1/3', 'NEIGH_FAILED'],
    references: [
      'ipv4_link_failure() in net/ipv4/route.c; icmp_err_convert in net/ipv4/icmp.c',
      'fib_props in net/ipv4/fib_semantics.c',
    ],
  },
  ENETUNREACH: {
    title: 'network is unreachable (101)',
    aliases: ['network is unreachable', 'network unreachable'],
    meaning: 'The client, or a router that said so with ICMP, has no route to the destination.',
    wire: 'Nothing, when the client itself has no route; otherwise SYN and ICMP type 3 code 0, 6, 9 or 11, or ICMPv6 type 1 code 0.',
    application: `Right away: no local route. After a round trip: ICMP. ${SOFT_ERROR}`,
    traps: [
      'An IPv6 router of Linux answers "no route" also for an unreachable route.',
      'Connecting to a broadcast or multicast address gives ENETUNREACH too.',
    ],
    causes: [
      'no default route on the client: link down, lease or router advertisement lost',
      'the host has no IPv6 connectivity and the name has an AAAA record',
      'a router on the way has no route',
    ],
    checks: [
      { statement: 'Locally:', command: 'ip route get SERVER' },
      { statement: 'Default routes of both families:', command: 'ip route show default; ip -6 route show default' },
    ],
    seeAlso: ['IpOutNoRoutes', 'Ip6OutNoRoutes', 'icmp 3/0', 'icmp6 1/0', 'return-route'],
    references: ['tcp_v4_connect() in net/ipv4/tcp_ipv4.c (counts IpOutNoRoutes)'],
  },
  EACCES: {
    title: 'permission denied (13)',
    aliases: ['permission denied'],
    meaning:
      'A local prohibit route, a security module, or an ICMPv6 error that says "prohibited" forbids the connection.',
    wire: 'Nothing, when it is local; otherwise SYN and ICMPv6 type 1 code 1, 5 or 6.',
    application: 'Right away: local. After a round trip: ICMPv6.',
    causes: [
      'a firewall rejects with ICMPv6 administratively prohibited, policy fail or reject route',
      'a prohibit route or rule on the client (VPN kill switch)',
      'a security module: Landlock, SELinux, AppArmor',
    ],
    checks: [
      {
        statement: 'Locally; a prohibit route answers "Permission denied" here too:',
        command: 'ip route get fibmatch SERVER; ip rule',
      },
      {
        statement: 'Refusals of security modules:',
        command: 'dmesg | grep -iE "avc|apparmor|landlock"; ausearch -m avc -ts recent',
      },
    ],
    seeAlso: ['icmp6 1/1', 'icmp6 1/5', 'icmp6 1/6', 'EPERM', 'icmp-from-router'],
    references: ['icmpv6_err_convert() in net/ipv6/icmp.c', 'security_socket_connect() in security/security.c'],
  },
  EPERM: {
    title: 'operation not permitted (1)',
    aliases: ['operation not permitted'],
    meaning: 'A program or policy on the client itself forbids this connect(); no packet was sent.',
    wire: 'Nothing.',
    application: 'connect() fails right away.',
    traps: [
      'A dropping output rule of nftables or iptables does not give EPERM to connect(), although ping would see it: TCP waits and fails with ETIMEDOUT.',
    ],
    causes: [
      'a BPF program on the cgroup (connect4, connect6): container policy, socket load balancer, systemd',
      'an IPsec policy with action block',
      'seccomp or a BPF security module',
    ],
    checks: [
      { statement: 'Programs on cgroups:', command: 'bpftool cgroup tree' },
      { statement: 'IPsec policies and their counters:', command: 'ip xfrm policy; cat /proc/net/xfrm_stat' },
    ],
    seeAlso: ['EACCES', 'ETIMEDOUT', 'XfrmOutPolBlock'],
    references: ['tcp_v4_pre_connect() in net/ipv4/tcp_ipv4.c', 'xfrm_lookup() in net/xfrm/xfrm_policy.c'],
  },
  EADDRNOTAVAIL: {
    title: 'cannot assign requested address (99)',
    aliases: ['cannot assign requested address'],
    meaning: 'No free local port, or no usable local address, is left for this connection.',
    wire: 'Nothing.',
    application: 'connect() or bind() fails right away.',
    causes: [
      'all ephemeral ports towards this server address and port are in use, many of them in TIME-WAIT',
      'bind() to an address that this host does not have (a virtual address that moved)',
      'IPv6 is disabled, or there is no IPv6 address to send from',
    ],
    checks: [
      {
        statement: 'Connections to this server, against the size of the port range:',
        command: "ss -Htan 'dst SERVER and dport = :PORT' | wc -l",
      },
      {
        statement: 'The range and what is kept out of it:',
        command: 'sysctl net.ipv4.ip_local_port_range net.ipv4.ip_local_reserved_ports',
      },
      { statement: 'Addresses to send from:', command: 'ip -br addr' },
    ],
    traps: ['No counter moves.'],
    seeAlso: ['TIME-WAIT', 'ephemeral-ports'],
    references: ['__inet_hash_connect() in net/ipv4/inet_hashtables.c', 'tcp_v6_connect() in net/ipv6/tcp_ipv6.c'],
  },
  ECONNRESET: {
    title: 'connection reset by peer (104)',
    aliases: ['connection reset by peer', 'connection reset'],
    meaning: 'A RST came after the SYN-ACK; rarely connect() itself returns it, usually the first read or write does.',
    wire: 'SYN, SYN-ACK, ACK, RST.',
    application: 'connect() has succeeded, and read() or write() fails; on a fast path connect() itself may report it.',
    causes: [
      'a proxy or load balancer accepted and has no backend',
      'the application closed the connection at once',
      'the accept queue overflowed and tcp_abort_on_overflow is 1',
      'the listener was restarted',
      'a SYN proxy with wrong settings, or an invalid SYN cookie',
      'content inspection resets the first data',
    ],
    checks: [
      {
        statement: 'On the server, whether its kernel reset it:',
        command: 'nstat -az TcpOutRsts TcpEstabResets TcpExtListenOverflows',
      },
      { statement: 'Who sent the RST: compare its TTL with the SYN-ACK.', command: "tcpdump -vni any 'tcp port PORT'" },
    ],
    seeAlso: ['reset-after-established', 'ListenOverflows', 'SyncookiesFailed', 'SYN-proxy'],
    references: ['tcp_reset() in net/ipv4/tcp_input.c'],
  },
  EINVAL: {
    title: 'invalid argument (22)',
    aliases: ['invalid argument'],
    meaning: 'The destination cannot be used as given, or a local blackhole route covers it.',
    wire: 'Nothing.',
    application: 'connect() fails right away.',
    causes: [
      'an IPv6 link-local address (fe80::) without its interface (fe80::1%eth0)',
      'a blackhole route or rule on the client',
      'a wrong length of the address structure',
    ],
    checks: [
      {
        statement: 'A blackhole route answers "Invalid argument" here too:',
        command: 'ip route get fibmatch SERVER; ip route show type blackhole',
      },
    ],
    traps: [
      '"ip route get SERVER from CLIENT iif DEV" also answers "Invalid argument" since Linux 6.13 (before: "Invalid cross-device link") when the reverse path filter would drop the packet.',
    ],
    seeAlso: ['EACCES', 'IPReversePathFilter'],
    references: ['fib_props in net/ipv4/fib_semantics.c (RTN_BLACKHOLE)', 'tcp_v6_connect() in net/ipv6/tcp_ipv6.c'],
  },
  EINPROGRESS: {
    title: 'operation now in progress (115)',
    aliases: ['operation now in progress'],
    meaning: 'A non-blocking connect() has sent its SYN and does not wait; this is no failure.',
    wire: 'SYN.',
    application: 'The result comes later: wait until the socket is writable, then read SO_ERROR.',
    seeAlso: ['in-progress', 'stage:syn'],
    references: ['connect(2)'],
  },
  EADDRINUSE: {
    title: 'address already in use (98)',
    aliases: ['address already in use'],
    meaning: 'The local address and port are taken: bind() on a server, or bind() to a fixed source port on a client.',
    wire: 'Nothing.',
    application: 'bind() or listen() fails right away.',
    causes: [
      'another process listens on the port',
      'an old connection of this port is in TIME-WAIT and the server does not set SO_REUSEADDR',
      'a client binds its source address first and runs out of ports (set IP_BIND_ADDRESS_NO_PORT)',
    ],
    checks: [{ statement: 'Who has it:', command: "ss -tanp 'sport = :PORT'" }],
    seeAlso: ['EADDRNOTAVAIL', 'TIME-WAIT', 'ephemeral-ports'],
    references: ['inet_csk_get_port() in net/ipv4/inet_connection_sock.c', 'ip(7), IP_BIND_ADDRESS_NO_PORT'],
  },
  EAGAIN: {
    title: 'resource temporarily unavailable (11)',
    aliases: ['resource temporarily unavailable', 'EWOULDBLOCK'],
    meaning: 'On connect() of a TCP socket this is rare: an IPsec policy waits for its security association.',
    wire: 'Nothing, or IKE negotiation.',
    application: 'connect() fails right away.',
    traps: [
      'In the trace event fib_table_lookup, -11 (EAGAIN) stands for "no route" on IPv4; the application then sees ENETUNREACH.',
    ],
    causes: [
      'an IPsec policy with a template and no security association (IKE is down), with net.core.xfrm_larval_drop 0; with 1, the default, the SYN is discarded and connect() times out',
    ],
    checks: [
      {
        statement: 'Policies, associations and counters:',
        command: 'ip xfrm policy; ip xfrm state; cat /proc/net/xfrm_stat',
      },
    ],
    seeAlso: ['ENETUNREACH', 'EPERM'],
    references: ['xfrm_lookup() in net/xfrm/xfrm_policy.c'],
  },
};
