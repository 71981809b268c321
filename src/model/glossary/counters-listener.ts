import type { Explanation } from './entry.ts';

const WATCH = 'Watch it while a client tries:';

/** Counters of listeners, their queues and SYN cookies (`/proc/net/netstat`, per network namespace). */
export const LISTENER_COUNTERS: Readonly<Record<string, Explanation>> = {
  ListenDrops: {
    title: 'a listener refused a SYN or a final ACK',
    aliases: ['SYNs to LISTEN sockets dropped', 'listen drops'],
    meaning:
      'TCP gave up on a SYN or on the ACK that completes a handshake, for one of several reasons; the counter does not say which.',
    moves:
      'tcp_listendrop(): every refusal in tcp_conn_request() (accept queue or SYN queue full, last quarter of tcp_max_syn_backlog without cookies, no route for the SYN-ACK, IPsec policy, security module, no memory), every failure to create the socket at the final ACK, and on IPv4 an ICMP unreachable that answers the SYN-ACK.',
    wire: 'Usually SYN, repeated, and no answer. With an ICMP error in answer to the SYN-ACK: SYN, SYN-ACK, ICMP.',
    application: 'ETIMEDOUT when the SYNs are refused; connect() succeeds and stalls when the final ACK is.',
    traps: [
      'It does not mean that a queue is full: without a route back to the client it moves together with IpOutNoRoutes or Ip6OutNoRoutes, and ListenOverflows stays still.',
      'It does not move for a SYN that never reaches the listener: nftables or iptables drop, reverse path filter, closed port, bad checksum, TCP-MD5, minimum TTL, socket filter, wrong MAC address.',
      'On IPv4 a missing route with rp_filter 1 or 2 moves IPReversePathFilter instead.',
      'It is one number for all listeners; the field d of skmem in "ss -ltnm" counts per listener.',
    ],
    causes: [
      'accept queue full (ListenOverflows moves as well)',
      'no route back to the client, or a reject route (IpOutNoRoutes, or Ip6OutNoRoutes when there is no route at all)',
      'SYN queue full without SYN cookies (TCPReqQFullDrop moves as well)',
      'the gateway or client does not answer ARP, or a router answers the SYN-ACK with ICMP unreachable (IcmpInDestUnreachs moves as well; IPv4)',
      'IPsec policy with action block (XfrmOutPolBlock moves as well)',
      'without cookies: more than three quarters of tcp_max_syn_backlog are half-open',
    ],
    checks: [
      {
        statement: 'What moves together with it:',
        command: 'nstat -n; sleep 10; nstat -s | grep -E "Listen|ReqQ|NoRoutes|Unreach"',
      },
      { statement: 'Which listener:', command: 'ss -ltnm' },
      {
        statement: 'Is there a route back to a client that fails?',
        command: 'ip route get CLIENT from SERVER ipproto tcp sport PORT dport 45678',
      },
    ],
    seeAlso: [
      'ListenOverflows',
      'TCPReqQFullDrop',
      'IpOutNoRoutes',
      'Ip6OutNoRoutes',
      'return-route',
      'server-silent',
      'consume_skb',
    ],
    references: [
      'tcp_listendrop() in include/net/tcp.h; tcp_conn_request() in net/ipv4/tcp_input.c; tcp_req_err() in net/ipv4/tcp_ipv4.c',
    ],
  },
  ListenOverflows: {
    title: 'the accept queue was full',
    aliases: ['times the listen queue of a socket overflowed', 'listen overflows'],
    meaning:
      'A SYN or a final ACK came while the listener held more connections than its backlog allows, because the application did not accept() fast enough.',
    moves:
      'tcp_conn_request() for a SYN, and tcp_v4_syn_recv_sock() or tcp_v6_syn_recv_sock() for the final ACK, when sk_acceptq_is_full(). ListenDrops moves with it.',
    wire: 'SYN, repeated, without an answer; or SYN, SYN-ACK, ACK and the SYN-ACK again.',
    application:
      'ETIMEDOUT or a delay of 1 s and more; at the final ACK connect() succeeds and the data stalls. With tcp_abort_on_overflow 1: ECONNRESET.',
    traps: [
      'SYN cookies do not help against a full accept queue.',
      'The queue holds backlog + 1 connections; Send-Q of ss shows the limit, Recv-Q the number that wait.',
      'A lost route between SYN-ACK and ACK reports the drop reason TCP_LISTEN_OVERFLOW, and this counter stays still.',
    ],
    causes: [
      'the application is slow, stopped, in a long pause or deadlocked',
      'it reached its limit of file descriptors, so that accept() fails with EMFILE',
      'the backlog is too small for bursts (somaxconn: 128 before Linux 5.4, 4096 since)',
      'one member of an SO_REUSEPORT group does not accept: a fixed share of the connections fails',
    ],
    checks: [
      { statement: 'Recv-Q above Send-Q is full:', command: "ss -ltnp 'sport = :PORT'" },
      {
        statement: 'File descriptors of the process against its limit:',
        command: 'ls /proc/PID/fd | wc -l; grep "open files" /proc/PID/limits',
      },
      { statement: 'Stopped (T) or stuck (D)?', command: 'ps -o pid,stat,wchan:30,cmd -p PID' },
    ],
    seeAlso: ['ListenDrops', 'accept-queue', 'backlog', 'somaxconn', 'TCP_LISTEN_OVERFLOW'],
    references: [
      'sk_acceptq_is_full() in include/net/sock.h',
      'tcp_conn_request() in net/ipv4/tcp_input.c; tcp_v4_syn_recv_sock() in net/ipv4/tcp_ipv4.c',
      'listen(2)',
    ],
  },
  TCPReqQFullDrop: {
    title: 'the SYN queue was full and SYN cookies are off',
    meaning: 'A SYN was dropped because too many attempts of this listener wait for their final ACK.',
    moves:
      'tcp_syn_flood_action(), called by tcp_conn_request() when the request queue is full and net.ipv4.tcp_syncookies is 0. ListenDrops moves with it.',
    wire: 'SYN, repeated, without an answer; many SYN-ACKs to other clients that are repeated.',
    application: 'ETIMEDOUT, or a delay.',
    traps: [
      'With SYN cookies on, the default, TCPReqQFullDoCookies moves instead, and the SYN is answered.',
      'The kernel log says "Possible SYN flooding on port ..." once per listener.',
      'Since Linux 4.3 the limit is the backlog of the listener and not tcp_max_syn_backlog.',
    ],
    causes: [
      'SYN flood',
      'many clients whose final ACK is lost, or that never get the SYN-ACK',
      'a backlog that is too small for the rate and round-trip time',
    ],
    checks: [
      { statement: 'Half-open attempts of the port:', command: "ss -Htan state syn-recv 'sport = :PORT' | wc -l" },
      { statement: 'Cookies:', command: 'sysctl net.ipv4.tcp_syncookies net.ipv4.tcp_max_syn_backlog' },
    ],
    seeAlso: ['SYN-queue', 'SYN-cookies', 'TCPReqQFullDoCookies', 'ListenDrops'],
    references: [
      'tcp_syn_flood_action() in net/ipv4/tcp_input.c; inet_csk_reqsk_queue_is_full() in include/net/inet_connection_sock.h',
    ],
  },
  TCPReqQFullDoCookies: {
    title: 'the SYN queue was full and a SYN cookie was to answer',
    meaning:
      'The request queue of a listener was full, so that the SYN is to be answered with a SYN cookie and no state is kept.',
    moves: 'tcp_syn_flood_action() when net.ipv4.tcp_syncookies is 1 and the queue is full, or 2 (always).',
    wire: 'SYN, SYN-ACK as usual. The SYN-ACK is never repeated.',
    application:
      'Nothing. When the final ACK is lost and the client waits for the server to speak first, it waits for ever.',
    traps: [
      'It can move although nothing is answered: a full accept queue drops the SYN all the same (ListenOverflows, ListenDrops).',
      'SyncookiesSent counts the cookies that were really sent.',
    ],
    causes: ['SYN flood', 'a burst of new connections, or a small backlog', 'net.ipv4.tcp_syncookies is 2'],
    checks: [{ statement: WATCH, command: 'nstat -az TcpExtTCPReqQFullDoCookies "TcpExtSyncookies*"' }],
    seeAlso: ['SYN-cookies', 'SyncookiesSent', 'TCPReqQFullDrop'],
    references: ['tcp_syn_flood_action() in net/ipv4/tcp_input.c'],
  },
  SyncookiesSent: {
    title: 'SYN cookies sent',
    meaning: 'A SYN-ACK went out whose sequence number encodes the attempt, because the SYN queue was full.',
    moves: 'cookie_init_sequence(), called by tcp_conn_request() when it answers with a cookie.',
    traps: [
      'Sent without a matching SyncookiesRecv is normal in a flood with forged addresses; for real clients it means that their final ACK is lost.',
    ],
    causes: ['SYN flood', 'a backlog that is too small for the rate of new connections'],
    checks: [{ statement: WATCH, command: 'nstat -az "TcpExtSyncookies*" TcpExtTCPReqQFullDoCookies' }],
    seeAlso: ['SYN-cookies', 'SyncookiesRecv', 'SyncookiesFailed', 'TCPReqQFullDoCookies'],
    references: ['cookie_init_sequence() in include/net/tcp.h; net/ipv4/syncookies.c'],
  },
  SyncookiesRecv: {
    title: 'SYN cookies came back valid',
    meaning: 'A final ACK carried a valid SYN cookie, and the connection was created from it.',
    moves: 'cookie_v4_check() and cookie_v6_check(), when the check succeeds.',
    traps: ['The connection can still be refused afterwards when the accept queue is full.'],
    seeAlso: ['SYN-cookies', 'SyncookiesSent', 'SyncookiesFailed'],
    references: ['cookie_v4_check() in net/ipv4/syncookies.c'],
  },
  SyncookiesFailed: {
    title: 'an ACK carried no valid SYN cookie',
    meaning:
      'An ACK without a connection came to a listener that had sent cookies a short time ago, and the check failed; it is answered with RST.',
    moves: 'cookie_v4_check() and cookie_v6_check(), when the cookie is invalid.',
    wire: 'ACK, RST from the server.',
    application: 'connect() had succeeded; then ECONNRESET.',
    traps: [
      'Counted only within about 2 minutes after the SYN queue overflowed; at other times such an ACK is answered with RST and nothing is counted.',
    ],
    causes: [
      'the cookie is older than about 2 minutes',
      'the ACK reached another host of a cluster than the SYN',
      'forged or stray ACKs',
    ],
    checks: [{ statement: WATCH, command: 'nstat -az "TcpExtSyncookies*" TcpOutRsts' }],
    seeAlso: ['SYN-cookies', 'ECONNRESET', 'reset-after-established'],
    references: ['cookie_v4_check() in net/ipv4/syncookies.c; tcp_synq_no_recent_overflow() in include/net/tcp.h'],
  },
  TCPDeferAcceptDrop: {
    title: 'a bare final ACK was ignored because of TCP_DEFER_ACCEPT',
    meaning:
      'The listener asked to be woken only when data arrives, so the ACK that completes the handshake was dropped on purpose.',
    moves: 'tcp_check_req(), when TCP_DEFER_ACCEPT is set on the listener and the ACK carries no data.',
    wire: 'SYN, SYN-ACK, ACK, then nothing until the client sends data; the SYN-ACK may be repeated towards the end of the deferral.',
    application: 'connect() succeeds; a client that waits for the server to speak first waits.',
    causes: [
      'intended: nginx "deferred", Apache AcceptFilter',
      'harmful for protocols in which the server speaks first, and for health checks that send nothing',
    ],
    checks: [
      {
        statement: 'SYN-RECV on the server while the client has ESTAB:',
        command: "ss -tan state syn-recv 'sport = :PORT'",
      },
    ],
    seeAlso: ['outcome:half-open', 'stage:ack', 'NOT_SPECIFIED'],
    references: ['tcp_check_req() in net/ipv4/tcp_minisocks.c', 'tcp(7), TCP_DEFER_ACCEPT'],
  },
  EmbryonicRsts: {
    title: 'an unfinished handshake was reset',
    meaning: 'A connection in SYN-RECEIVED ended because a RST, or a SYN that does not fit, came in.',
    moves:
      'tcp_check_req(), on a RST or an unexpected SYN for an attempt that waits for its final ACK; also when tcp_abort_on_overflow resets.',
    wire: 'SYN, SYN-ACK, RST from the client.',
    application: 'The client gave up, or never asked.',
    causes: [
      'port scans and health checks (normal)',
      'the connect timeout of the clients is shorter than the answer takes',
      'forged SYNs: the owner of the address resets the SYN-ACK',
      'the SYN-ACK reaches the client from another address than the one it called',
    ],
    checks: [{ statement: 'Who resets:', command: "tcpdump -ni any 'tcp port PORT and tcp[tcpflags] & tcp-rst != 0'" }],
    seeAlso: ['abandoned', 'half-open', 'AttemptFails'],
    references: ['tcp_check_req() in net/ipv4/tcp_minisocks.c'],
  },
  TCPBacklogDrop: {
    title: 'a segment was dropped because the backlog of a busy socket was full',
    meaning:
      'A socket was locked by a process while more segments arrived than its backlog may hold (receive and send buffer together).',
    moves: 'tcp_add_backlog(), for sockets that exist already.',
    traps: [
      'It has nothing to do with the backlog of listen(): listeners take no lock for SYNs since Linux 4.4, and a full accept queue moves ListenOverflows.',
    ],
    causes: ['a process that copies slowly while a fast peer sends', 'small receive buffers'],
    checks: [{ statement: WATCH, command: 'nstat -az TcpExtTCPBacklogDrop' }],
    seeAlso: ['backlog', 'ListenOverflows'],
    references: ['tcp_add_backlog() in net/ipv4/tcp_ipv4.c'],
  },
  TcpPassiveOpens: {
    title: 'connections that came out of a listener',
    aliases: ['passive connection openings'],
    meaning: 'A final ACK was accepted and a socket was created for it.',
    moves: 'tcp_create_openreq_child(), at the final ACK and not at the SYN.',
    traps: ['It also moves when the route is lost between SYN-ACK and ACK, together with AttemptFails.'],
    seeAlso: ['ListenDrops', 'AttemptFails', 'outcome:established'],
    references: ['RFC 4022 (tcpPassiveOpens)', 'tcp_create_openreq_child() in net/ipv4/tcp_minisocks.c'],
  },
};
