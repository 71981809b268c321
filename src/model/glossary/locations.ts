import type { PathLocation } from '../path.ts';
import type { Explanation } from './entry.ts';

/** What the places mean at which an attempt can die, as a comparison of captures shows them. */
export const LOCATIONS: Readonly<Record<PathLocation, Explanation>> = {
  'lost-before-server': {
    title: 'the SYN left the client and never reached the server',
    meaning:
      'The SYN is in the capture nearer to the client and not in the one nearer to the server: it was lost or dropped between these two points.',
    wire: 'Client: SYN, repeated. Server: nothing of this attempt.',
    application: 'connect() fails with ETIMEDOUT.',
    causes: [
      'a firewall, security group or access list on the path drops it',
      'it was routed or translated to another host (wrong route, DNAT, load balancer, stale ARP entry)',
      "it reached the server's network card and was dropped below the capture: XDP program, full receive ring",
      'a link or tunnel on the way is down, or its MTU is too small',
    ],
    checks: [
      { statement: 'The last hop that a SYN to this port reaches:', command: 'tcptraceroute SERVER PORT' },
      {
        statement: 'On the server, an XDP program and drops of the network card (tcpdump sees neither):',
        command: 'ip -d -s -s link show dev DEV',
      },
      {
        statement: 'Whether the address is really the server: compare with the addresses that it has.',
        command: 'ip -br addr',
      },
    ],
    seeAlso: ['no-reply', 'server-silent', 'vantage'],
    references: ['packet taps come after XDP and before tc: __netif_receive_skb_core() in net/core/dev.c'],
  },
  'server-silent': {
    title: "the SYN reached the server's host, and nothing came out",
    meaning:
      'The SYN is in the capture of the server and no answer to it is: the server host dropped the SYN, or dropped its own SYN-ACK before it reached the wire.',
    wire: 'Server: SYN, repeated, and no SYN-ACK, RST or ICMP error.',
    application: 'connect() fails with ETIMEDOUT.',
    causes: [
      'a rule of nftables or iptables drops the SYN on input (no TCP or IP counter moves)',
      'the server has no usable route back to the client (IPv6, or IPv4 with rp_filter 0: ListenDrops and IpOutNoRoutes or Ip6OutNoRoutes)',
      'the reverse path filter drops the SYN (IPv4 with rp_filter 1 or 2: IPReversePathFilter)',
      'the accept queue is full (ListenOverflows), or the SYN queue without SYN cookies (TCPReqQFullDrop)',
      'an output rule, tc, a queueing discipline or cgroup drops the SYN-ACK (TcpOutSegs and TCPTimeouts move)',
      'the next hop does not answer ARP or neighbour discovery (ARP requests are in the capture)',
      'the destination MAC address or IP address is not one of this host; conntrack is full; TCP-MD5 does not match',
    ],
    checks: [
      {
        statement: 'Whether a SYN-ACK could be routed (no packet and no privilege needed):',
        command: 'ip route get CLIENT from SERVER ipproto tcp sport PORT dport 45678',
      },
      {
        statement: 'Whether the reverse path filter would drop a SYN that comes in on DEV:',
        command: 'ip route get SERVER from CLIENT iif DEV',
      },
      {
        statement: 'Which counters move while the client tries:',
        command: 'nstat -n; sleep 10; nstat -s | grep -E "Listen|ReqQ|NoRoute|Reverse|MD5"',
      },
      { statement: 'Queue and drops of this listener (field d of skmem):', command: "ss -ltnm 'sport = :PORT'" },
      { statement: 'Rules and their counters:', command: 'nft list ruleset' },
    ],
    seeAlso: ['ListenDrops', 'IPReversePathFilter', 'NETFILTER_DROP', 'accept-queue', 'return-route', 'consume_skb'],
    references: [
      'tcp_conn_request() in net/ipv4/tcp_input.c',
      'tcp_v4_route_req() in net/ipv4/tcp_ipv4.c; inet_csk_route_req() in net/ipv4/inet_connection_sock.c',
    ],
  },
  'answer-lost': {
    title: 'the SYN-ACK left the server and never reached the client',
    meaning: 'The SYN-ACK is in the capture nearer to the server and not in the one nearer to the client.',
    wire: 'Server: SYN, SYN-ACK, both repeated. Client: SYN only, repeated.',
    application: 'connect() fails with ETIMEDOUT.',
    causes: [
      'a stateful firewall on the way back never saw the SYN (asymmetric routing) and drops the SYN-ACK as invalid',
      'the server answers through another interface than the SYN came in, and a filter against forged sources drops it',
      'a router on the way back has no route to the client (an ICMP error then comes to the server)',
      'a security group or access list without a rule for answers',
      'a NAT forgot the translation, or the SYN-ACK bypasses it',
    ],
    checks: [
      {
        statement:
          'On the server, by which interface and with which MAC address the SYN comes in and the SYN-ACK leaves:',
        command: "tcpdump -eni any 'tcp port PORT'",
      },
      { statement: 'The route that the answer takes:', command: 'ip route get CLIENT from SERVER' },
      { statement: 'On the server, repeated SYN-ACKs:', command: 'nstat -az TcpExtTCPSynRetrans' },
    ],
    seeAlso: ['no-reply', 'asymmetric-routing', 'client-rejected-answer', 'TCPSynRetrans'],
    references: ['RFC 3704 (ingress filtering for multihomed networks)'],
  },
  'final-ack-lost': {
    title: 'the last ACK left the client and never reached the server',
    meaning: 'The client completed the handshake, and its ACK is missing in the capture of the server.',
    wire: 'Client: SYN, SYN-ACK, ACK, data repeated. Server: SYN, SYN-ACK, and the SYN-ACK again; no ACK, no data.',
    application: 'connect() succeeds; what is sent afterwards is never acknowledged.',
    causes: [
      'a stateful firewall on the way to the server saw the SYN only, or the directions take different paths',
      'a load balancer sends the SYN to one host and the ACK to another',
      'a filter drops segments without the SYN flag',
    ],
    checks: [
      {
        statement: 'SYN-RECV on the server while the client has ESTAB:',
        command: "ss -tan 'sport = :PORT or dport = :PORT'",
      },
    ],
    seeAlso: ['outcome:half-open', 'stage:ack', 'TCPSYNChallenge'],
    references: ['tcp_check_req() in net/ipv4/tcp_minisocks.c'],
  },
  'refused-by-server': {
    title: 'the server itself sent the RST',
    meaning:
      'The RST is in the capture of the server, and the attempt reached it: the server host refused the connection.',
    wire: 'Both captures: SYN, RST.',
    application: 'connect() fails with ECONNREFUSED.',
    causes: [
      'nothing listens on the port',
      'the listener is bound to another address, family, device or network namespace',
      'nftables or iptables on the server rejects with tcp-reset',
      'DNAT or REDIRECT on the server leads to a closed port',
    ],
    checks: [
      { statement: 'Who listens, in this network namespace:', command: 'ss -ltnpe sport = :PORT' },
      { statement: 'Kernel or firewall: TcpOutRsts moves only for the kernel.', command: 'nstat -az TcpOutRsts' },
    ],
    seeAlso: ['ECONNREFUSED', 'refused', 'NO_SOCKET', 'TcpOutRsts'],
    references: ['RFC 9293 section 3.10.7.1', 'tcp_v4_send_reset() in net/ipv4/tcp_ipv4.c'],
  },
  'refused-by-middlebox': {
    title: 'something between client and server sent the RST',
    meaning: 'The client received a RST that the server did not send.',
    wire: 'Client: SYN, RST. Server: nothing of this attempt, or its own SYN-ACK and a RST that it did not expect either.',
    application: 'connect() fails with ECONNREFUSED, or ECONNRESET later on.',
    causes: [
      'a firewall or intrusion prevention system that rejects with a reset',
      'a load balancer or proxy without a healthy backend answers in the name of the server',
      'censorship or content inspection',
    ],
    checks: [
      {
        statement: 'TTL and IP ID of the RST, against other packets from that address:',
        command: "tcpdump -vnr client.pcap 'src host SERVER and tcp port PORT'",
      },
      { statement: 'How far a SYN gets:', command: 'tcptraceroute SERVER PORT' },
    ],
    seeAlso: ['reset-by-middlebox', 'refused', 'TTL'],
    references: ['RFC 3360 (inappropriate TCP resets)'],
  },
  'icmp-from-router': {
    title: 'a box on the way reported that it could not deliver the SYN',
    meaning: 'An ICMP error that quotes the SYN came from an address that is not the server.',
    wire: 'Client: SYN, ICMP error. Server: nothing, or an ARP request without an answer on its network.',
    application:
      'connect() fails with the errno of that ICMP error: EHOSTUNREACH, ENETUNREACH, ECONNREFUSED or EACCES.',
    causes: [
      'the router has no route',
      'the server did not answer ARP or neighbour discovery on the last hop (error after about 3 s)',
      'a filter on that box rejects (error at once)',
      'a routing loop used up the TTL',
    ],
    checks: [
      {
        statement: 'Ask the box that sent it (on Linux):',
        command: 'ip route get SERVER; ip neigh show; nft list ruleset',
      },
    ],
    seeAlso: ['unreachable', 'icmp 3/1', 'icmp 3/13', 'icmp 11/0', 'EHOSTUNREACH'],
    references: ['RFC 1812 section 5.2.7', 'ip_error() in net/ipv4/route.c'],
  },
  'icmp-from-server': {
    title: 'the server itself rejected the SYN with ICMP',
    meaning: "An ICMP error that quotes the SYN came from the server's own address.",
    wire: 'Both captures: SYN, ICMP error with the address of the server as its source.',
    application:
      'connect() fails with ECONNREFUSED (port unreachable), EHOSTUNREACH (IPv4 prohibited) or EACCES (IPv6 prohibited).',
    causes: [
      "a REJECT rule in the server's firewall (port unreachable is the default; older Red Hat systems end with icmp-host-prohibited)",
      'the address is a NAT or load balancer whose backend is down: its error appears to come from the address that the client used',
    ],
    checks: [
      {
        statement: 'On the server, rules that reject, with counters:',
        command: 'nft list ruleset | grep -n reject; iptables -nvL | grep REJECT',
      },
    ],
    seeAlso: ['icmp 3/3', 'icmp 3/10', 'icmp6 1/1', 'NETFILTER_DROP'],
    references: [
      'nf_send_unreach() in net/ipv4/netfilter/nf_reject_ipv4.c',
      'nf_send_unreach6() in net/ipv6/netfilter/nf_reject_ipv6.c',
    ],
  },
  'client-rejected-answer': {
    title: 'the SYN-ACK reached the client, and the client did not accept it',
    meaning: "The answer is in the client's own capture, and the client ignored or reset it.",
    wire: 'Client: SYN, SYN-ACK, and then SYN again or RST instead of ACK.',
    application: 'connect() fails with ETIMEDOUT, or the application had given up before.',
    causes: [
      'a local firewall drops it (no rule for established traffic, conntrack full or invalid)',
      'the reverse path filter of a client with several interfaces drops it',
      'it acknowledges another SYN, or comes from another address or port',
      'the application had closed the socket: its own timeout is too short',
      'a middlebox rewrote the timestamps (PAWSActive moves)',
    ],
    checks: [
      {
        statement: 'On the client, which counters move:',
        command: 'nstat -az TcpOutRsts TcpExtPAWSActive TcpExtIPReversePathFilter',
      },
      { statement: 'Rules on the client:', command: 'nft list ruleset' },
    ],
    seeAlso: ['abandoned', 'wrong-acknowledgement', 'IPReversePathFilter', 'PAWSActive'],
    references: ['tcp_rcv_synsent_state_process() in net/ipv4/tcp_input.c'],
  },
  late: {
    title: 'it worked, after losses',
    meaning: 'The handshake completed only after a SYN or SYN-ACK had been repeated.',
    wire: 'SYN, SYN again, SYN-ACK, ACK; the captures show which copy was lost, and where.',
    application: 'connect() succeeds after 1 s, 2 s, 3 s or more instead of one round trip.',
    causes: [
      'packet loss or overload on the path',
      'the accept queue was full for a moment',
      'the first packet was dropped while ARP or neighbour discovery was under way, or a rate limit applied',
      'a challenge ACK had to clear away an old connection first',
    ],
    checks: [
      {
        statement: 'How often it happens:',
        command: 'nstat -az TcpExtTCPSynRetrans TcpActiveOpens TcpExtListenOverflows',
      },
    ],
    seeAlso: ['finding:late', 'syn-schedule', 'TCPSynRetrans'],
    references: ['RFC 6298 section 2 (RTO of 1 s before the first measurement)'],
  },
  established: {
    title: 'the handshake completed at every point',
    meaning: 'All captures agree that SYN, SYN-ACK and ACK were exchanged.',
    wire: 'SYN, SYN-ACK, ACK in every capture.',
    application: 'connect() returns 0.',
    seeAlso: ['outcome:established', 'iRTT'],
    references: ['RFC 9293 section 3.5'],
  },
  unmatched: {
    title: 'not enough was seen to say where it died',
    meaning:
      'The attempt could not be found in the other captures, and it cannot be ruled out that they merely missed it.',
    wire: 'One capture has the attempt; the other did not run at that time, used another filter, lost packets, or has a point of view that this attempt need not pass.',
    causes: [
      'the captures do not overlap in time, or a clock is far off',
      'a filter or packet loss hides it',
      'a proxy or load balancer ends the connection in between: two handshakes with different sequence numbers',
      'the capture was taken at a host that this attempt does not pass',
    ],
    checks: [
      { statement: 'Time range and number of packets of a capture:', command: 'capinfos -a -e -c server.pcap' },
      {
        statement: 'Capture both ends at the same time with the same filter:',
        command: "tcpdump -ni any -s 160 -w server.pcap 'tcp port PORT or icmp or icmp6'",
      },
    ],
    seeAlso: ['clock-offset', 'NAT', 'SYN-proxy', 'vantage'],
  },
};
