import type { Explanation } from './entry.ts';

/** Terms of the host and of capturing. */
export const HOST_TERMS: Readonly<Record<string, Explanation>> = {
  'accept-queue': {
    title: 'connections that wait for accept()',
    aliases: ['listen queue', 'completed connection queue', 'Recv-Q'],
    meaning:
      'Each listener holds completed connections until the application takes them with accept(); the queue takes backlog + 1 of them.',
    wire: 'Full: SYN, repeated, without an answer; or the SYN-ACK again after the final ACK.',
    application: 'Clients time out, or connect and get no answer.',
    causes: ['the application is slow, stopped or out of file descriptors', 'the backlog is too small for bursts'],
    checks: [
      {
        statement:
          'On a LISTEN line Recv-Q is the number that wait, Send-Q the limit; full when Recv-Q is above Send-Q:',
        command: "ss -ltn 'sport = :PORT'",
      },
    ],
    seeAlso: ['ListenOverflows', 'backlog', 'somaxconn', 'SYN-queue'],
    references: ['listen(2)', 'sk_acceptq_is_full() in include/net/sock.h'],
  },
  'SYN-queue': {
    title: 'attempts that wait for their final ACK',
    aliases: ['syn backlog', 'request queue', 'SYN-RECV', 'SYN-RECEIVED', 'SYN_RECV'],
    meaning:
      'Requests in SYN-RECEIVED of a listener; Linux since 4.4 keeps them in the common hash table and counts them per listener.',
    wire: 'SYN, SYN-ACK, and no ACK yet.',
    traps: [
      'Since Linux 4.3 its limit is the backlog of the listener. tcp_max_syn_backlog matters only without SYN cookies: beyond three quarters of it SYNs of unknown clients are dropped, and nothing but ListenDrops moves.',
    ],
    causes: ['SYN flood', 'final ACKs that are lost', 'a small backlog'],
    checks: [{ statement: 'How many wait:', command: "ss -Htan state syn-recv 'sport = :PORT' | wc -l" }],
    seeAlso: ['SYN-cookies', 'TCPReqQFullDrop', 'accept-queue', 'tcp_max_syn_backlog'],
    references: [
      'inet_csk_reqsk_queue_is_full() in include/net/inet_connection_sock.h',
      'tcp_conn_request() in net/ipv4/tcp_input.c',
    ],
  },
  backlog: {
    title: 'the argument of listen()',
    meaning:
      'How many connections the application wants to have waiting; the kernel takes the smaller of it and somaxconn.',
    checks: [{ statement: 'The effective value is Send-Q of a LISTEN line:', command: 'ss -ltn' }],
    traps: [
      'A new value of somaxconn works only after the application calls listen() again.',
      'It has nothing to do with TCPBacklogDrop and netdev_max_backlog.',
    ],
    seeAlso: ['somaxconn', 'accept-queue', 'SYN-queue'],
    references: ['listen(2)', '__sys_listen() in net/socket.c'],
  },
  somaxconn: {
    title: 'the upper limit of every backlog',
    aliases: ['net.core.somaxconn'],
    meaning:
      'net.core.somaxconn limits the backlog of every listener in the network namespace: 128 before Linux 5.4, 4096 since.',
    checks: [
      { statement: 'The limit, and the backlogs in effect (Send-Q):', command: 'sysctl net.core.somaxconn; ss -ltn' },
    ],
    traps: [
      'It limits and does not raise: the application must ask for as much (nginx asks for 511).',
      'It works only after listen() is called again.',
    ],
    seeAlso: ['backlog', 'accept-queue', 'ListenOverflows'],
    references: ['somaxconn in Documentation/networking/ip-sysctl.rst'],
  },
  tcp_max_syn_backlog: {
    title: 'a limit that matters only without SYN cookies',
    aliases: ['net.ipv4.tcp_max_syn_backlog'],
    meaning:
      'With tcp_syncookies 0, SYNs of clients that the kernel does not remember are dropped when more than three quarters of it are half-open.',
    traps: [
      'Before Linux 4.3 it was the limit of the SYN queue; since then the backlog of the listener is.',
      'Of these drops only ListenDrops moves.',
    ],
    checks: [{ statement: 'Both settings:', command: 'sysctl net.ipv4.tcp_max_syn_backlog net.ipv4.tcp_syncookies' }],
    seeAlso: ['SYN-queue', 'SYN-cookies', 'ListenDrops'],
    references: ['tcp_conn_request() in net/ipv4/tcp_input.c'],
  },
  'SYN-cookies': {
    title: 'answering a SYN without keeping state',
    aliases: ['syncookies', 'tcp_syncookies', 'syn cookie'],
    meaning:
      'When the SYN queue is full, the server encodes the attempt in the sequence number of its SYN-ACK and rebuilds it from the final ACK.',
    wire: 'SYN, SYN-ACK as usual; the SYN-ACK is never repeated. Without timestamps the connection has no window scale and no SACK.',
    application:
      'Nothing; but when the final ACK is lost and the server is to speak first (SSH, SMTP, MySQL), the client waits for ever.',
    traps: ['They do not help when the accept queue is full.'],
    checks: [
      {
        statement: '0 off, 1 when the queue is full (default), 2 always:',
        command: 'sysctl net.ipv4.tcp_syncookies; nstat -az "TcpExtSyncookies*"',
      },
    ],
    seeAlso: ['SyncookiesSent', 'SyncookiesFailed', 'TCPReqQFullDoCookies', 'SYN-queue'],
    references: ['RFC 4987 section 3.6', 'net/ipv4/syncookies.c'],
  },
  'ephemeral-ports': {
    title: 'the ports from which a client calls',
    aliases: ['ip_local_port_range', 'port exhaustion', 'source port'],
    meaning:
      'connect() takes a free local port from ip_local_port_range; each can be used once for the same server address and port.',
    application: 'EADDRNOTAVAIL when none is left.',
    causes: [
      'many short connections to one server, whose ports wait in TIME-WAIT',
      'connections that are never closed',
    ],
    checks: [
      {
        statement: 'In use towards one server, and the range:',
        command: "ss -Htan 'dst SERVER' | wc -l; sysctl net.ipv4.ip_local_port_range",
      },
    ],
    seeAlso: ['EADDRNOTAVAIL', 'TIME-WAIT'],
    references: ['RFC 6056', '__inet_hash_connect() in net/ipv4/inet_hashtables.c'],
  },
  'return-route': {
    title: 'the route from the server back to the client',
    aliases: ['no return route', 'no route back', 'route back', 'default route'],
    meaning:
      'Before Linux answers a SYN it looks up the route for the SYN-ACK; without one it drops the SYN in silence.',
    wire: 'At the server: SYN, repeated, and nothing leaves, not even ARP or a neighbour solicitation.',
    application: 'ETIMEDOUT; hosts on the same network as the server connect.',
    traps: [
      'The drop has no drop reason: the SYN ends in consume_skb(), like one that was answered.',
      'IPv4 with rp_filter 1 or 2: IPReversePathFilter moves. With 0: ListenDrops and IpOutNoRoutes. IPv6: ListenDrops and Ip6OutNoRoutes.',
      'A closed port is silent as well, since its RST has no route either.',
    ],
    causes: [
      'the default route was lost: interface reset, DHCP lease or router advertisement expired, accept_ra with forwarding',
      'the route is in another table or VRF, or a rule rejects it',
    ],
    checks: [
      {
        statement: 'The very look-up, without any packet or privilege:',
        command: 'ip route get CLIENT from SERVER ipproto tcp sport PORT dport 45678',
      },
      {
        statement: 'Default routes and rules:',
        command: 'ip route show default; ip -6 route show default; ip rule; ip -6 rule',
      },
      {
        statement: 'With a gateway that answers, this puts it back:',
        command: 'ip route add default via GATEWAY dev DEV',
      },
    ],
    seeAlso: ['ListenDrops', 'Ip6OutNoRoutes', 'IpOutNoRoutes', 'IPReversePathFilter', 'server-silent'],
    references: [
      'tcp_v4_route_req() in net/ipv4/tcp_ipv4.c; inet_csk_route_req() in net/ipv4/inet_connection_sock.c; inet6_csk_route_req() in net/ipv6/inet6_connection_sock.c',
    ],
  },
  rp_filter: {
    title: 'reverse path filter',
    aliases: ['reverse path filter', 'reverse path filtering', 'uRPF'],
    meaning:
      'A check of the source of IPv4 packets: 1 (strict) demands that the best route back uses the interface of arrival, 2 (loose) that there is a route at all, 0 checks nothing.',
    traps: [
      'The larger of net.ipv4.conf.all.rp_filter and that of the interface counts.',
      'systemd sets 2 by default; the kernel default is 0.',
      'Switching it off does not repair a missing route.',
    ],
    checks: [{ statement: 'Would a SYN be dropped?', command: 'ip route get SERVER from CLIENT iif DEV' }],
    seeAlso: ['IPReversePathFilter', 'IP_RPFILTER', 'asymmetric-routing', 'return-route'],
    references: ['RFC 3704 section 2', 'rp_filter in Documentation/networking/ip-sysctl.rst'],
  },
  consume_skb: {
    title: 'how a refused SYN leaves the kernel',
    aliases: ['kfree_skb'],
    meaning:
      'When TCP refuses a SYN in tcp_conn_request(), the packet is freed with consume_skb(), exactly as for a SYN that was answered, so no drop is reported.',
    traps: [
      'Tools that watch skb:kfree_skb (dropwatch, tcpdrop and others) do not see a full accept queue, a full SYN queue and a missing route back.',
      'A netfilter drop is the opposite: it has a drop reason, and no counter of IP or TCP moves.',
    ],
    checks: [
      {
        statement: 'Counters and a look-up tell instead:',
        command: 'nstat -az TcpExtListenDrops; ip route get CLIENT from SERVER',
      },
    ],
    seeAlso: ['ListenDrops', 'NETFILTER_DROP', 'NOT_SPECIFIED'],
    references: ['tcp_rcv_state_process() in net/ipv4/tcp_input.c, state TCP_LISTEN'],
  },
  snaplen: {
    title: 'how many bytes of each packet a capture keeps',
    aliases: ['snap length', 'snapshot length', 'caplen'],
    meaning: 'A capture may cut off packets; a handshake needs the headers with all options, also within tunnels.',
    checks: [
      {
        statement: '160 bytes are enough without tunnels; 0 keeps everything:',
        command: "tcpdump -ni any -s 160 -w trace.pcap 'tcp or icmp or icmp6'",
      },
    ],
    seeAlso: ['segment-cut', 'tunnelled'],
    references: ['pcap(3PCAP), tcpdump(8) -s'],
  },
  vantage: {
    title: 'the point at which a capture was taken',
    aliases: ['capture point', 'observation point'],
    meaning: 'Host, network namespace, interface and direction; what a capture can prove depends on it.',
    traps: [
      'On input tcpdump listens after XDP and before tc and netfilter: a SYN in the capture may still be dropped.',
      'On output it listens after netfilter, tc and the queueing discipline: what they drop never appears.',
      'A packet that is missing in a capture was not necessarily missing on the wire: filters, drops of the capture, another interface.',
    ],
    seeAlso: ['one-sided', 'server-silent', 'lost-before-server', 'duplicates'],
    references: [
      'RFC 5470 (observation point)',
      '__netif_receive_skb_core() and dev_hard_start_xmit() in net/core/dev.c',
    ],
  },
  'clock-offset': {
    title: 'how far the clocks of two captures are apart',
    aliases: ['clock skew', 'clock difference', 'clock drift'],
    meaning:
      'Each host stamps packets by its own clock; synscope estimates the difference from packets that both captures hold.',
    traps: [
      'It can be told only within the bounds of the round-trip time: a packet cannot arrive before it was sent.',
      'A clock that was set during the capture breaks the estimate.',
    ],
    checks: [{ statement: 'Synchronise, or note the offset while capturing:', command: 'chronyc tracking' }],
    seeAlso: ['unmatched', 'vantage', 'iRTT'],
    references: ['RFC 5905 section 8 (offset from exchanged packets)'],
  },
};
