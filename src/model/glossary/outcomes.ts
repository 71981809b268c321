import type { Outcome } from '../handshake.ts';
import type { Explanation } from './entry.ts';

/** What the outcomes of a handshake mean. */
export const OUTCOME_EXPLANATIONS: Readonly<Record<Outcome, Explanation>> = {
  'no-reply': {
    title: 'nothing answered the SYN',
    meaning:
      'The client sent its SYN, repeated it, and the capture shows no answer at all: no SYN-ACK, no RST, no ICMP error.',
    wire: 'SYN, and the same SYN again (same ports, same sequence number). Linux before 6.5 repeats after 1, 2, 4, 8, 16 and 32 s; since 6.5 four times after 1 s each, then after 1, 2, 4, 8, 16 and 32 s.',
    application:
      'connect() fails with ETIMEDOUT after 127 s (Linux before 6.5) or about 134 s (since 6.5), unless the application gives up earlier.',
    causes: [
      'a firewall or security group drops the SYN silently, on the path or on the server',
      'the server host is down, or the address is not the one that was meant',
      'the server received the SYN and cannot route an answer: no route back to the client, or the reverse path filter',
      'the accept queue of the listener is full',
      'the answer was lost on the way back (asymmetric route, stateful firewall that saw only one direction)',
    ],
    checks: [
      {
        statement: 'Capture at the server: the SYN arrives there or it does not. This halves the search.',
        command: "tcpdump -ni any 'tcp port PORT or icmp or icmp6'",
      },
      { statement: 'With a capture of both ends:', command: 'synscope compare client.pcap server.pcap' },
      {
        statement: 'On the server, whether an answer could be routed:',
        command: 'ip route get CLIENT from SERVER ipproto tcp sport PORT dport 45678',
      },
      { statement: 'A closed port on the same address: a refusal proves that the path works in both directions.' },
    ],
    seeAlso: ['ETIMEDOUT', 'lost-before-server', 'server-silent', 'answer-lost', 'syn-schedule', 'ListenDrops'],
    references: [
      'RFC 9293 section 3.8.3 (R2 for SYN)',
      'RFC 6298 section 2.1 (initial RTO of 1 s)',
      'tcp_syn_retries and tcp_syn_linear_timeouts in Documentation/networking/ip-sysctl.rst',
    ],
  },
  unreachable: {
    title: 'an ICMP error answered the SYN',
    meaning: 'A router, a firewall or the server itself reported with an ICMP error that it did not deliver the SYN.',
    wire: 'SYN, then ICMP destination unreachable, time exceeded or parameter problem that quotes the SYN. Its source address is the box to look at.',
    application:
      'connect() fails with EHOSTUNREACH, ENETUNREACH, ECONNREFUSED (port unreachable) or EACCES (ICMPv6 only). An error that arrives while connect() still holds the socket is only remembered, so a blocking connect() may fail at the second one, about 1 s later.',
    causes: [
      'a firewall rejects with ICMP (port unreachable is the default of REJECT, admin prohibited of many appliances)',
      'the last router gets no answer to ARP or neighbour discovery: the server is down or on another network (error after about 3 s)',
      'a router has no route to the destination',
      'a routing loop, or a TTL that is too small (time exceeded)',
    ],
    checks: [
      { statement: 'Who sent the error, and which one:', command: "tcpdump -vni any 'icmp or icmp6'" },
      { statement: 'What type and code mean:', command: 'synscope explain icmp 3/13' },
      { statement: 'The path up to that box:', command: 'tcptraceroute SERVER PORT' },
    ],
    seeAlso: ['EHOSTUNREACH', 'ENETUNREACH', 'EACCES', 'icmp-from-router', 'icmp-from-server', 'LockDroppedIcmps'],
    references: [
      'RFC 792',
      'RFC 4443 section 3',
      'RFC 9293 section 3.9.2.2 (what TCP does with ICMP errors)',
      'tcp_v4_err() and icmp_err_convert in net/ipv4; tcp_v6_err() in net/ipv6/tcp_ipv6.c',
    ],
  },
  refused: {
    title: 'a RST answered',
    meaning: 'A RST came back instead of a SYN-ACK, or right after the handshake before the client had sent anything.',
    wire: 'SYN, then RST with ACK flag, sequence number 0, that acknowledges ISN + 1.',
    application:
      'connect() fails at once with ECONNREFUSED. When the RST comes after a SYN-ACK, connect() may succeed and the first read fails with ECONNRESET.',
    causes: [
      'nothing listens on this port: service down, still starting, or on another port',
      'it listens on another address, address family, device or network namespace (127.0.0.1, IPv4 only, inside a container)',
      'a firewall rejects with tcp-reset, on the server or on the path',
      'a load balancer or proxy without a healthy backend',
      'after a SYN-ACK: the listener was closed or restarted, or tcp_abort_on_overflow is 1 and the accept queue was full',
    ],
    checks: [
      { statement: 'On the server, who listens, and on which address:', command: 'ss -ltnpe sport = :PORT' },
      {
        statement:
          'Whether the kernel sent it: TcpOutRsts moves for a closed port, not for a reset by nftables or iptables.',
        command: 'nstat -az TcpOutRsts',
      },
      { statement: 'Who sent it: compare the TTL of the RST with that of other packets from the server.' },
    ],
    seeAlso: ['ECONNREFUSED', 'refused-by-server', 'refused-by-middlebox', 'RST', 'TcpOutRsts', 'NO_SOCKET'],
    references: [
      'RFC 9293 section 3.10.7.1 (CLOSED state) and 3.5.2 (reset generation)',
      'tcp_v4_send_reset() in net/ipv4/tcp_ipv4.c',
      'nf_send_reset() in net/ipv4/netfilter/nf_reject_ipv4.c',
    ],
  },
  'half-open': {
    title: 'the server answered and never got the final ACK, or ignored it',
    meaning:
      'The SYN-ACK is repeated: the server still waits for the ACK that completes the handshake, while the client may believe that it is connected.',
    wire: 'SYN, SYN-ACK, and the same SYN-ACK again (on Linux up to 5 times, tcp_synack_retries); with or without an ACK in between. Or the ACK, and data that is repeated and never acknowledged.',
    application:
      'connect() succeeds when the SYN-ACK reached the client; then its data is not acknowledged, and the connection stalls. Otherwise ETIMEDOUT.',
    causes: [
      'the SYN-ACK is lost on the way to the client (the client then repeats its SYN)',
      'the final ACK is lost: a stateful firewall that saw only one direction',
      'the accept queue was full when the ACK came, so the server ignored it',
      'the listener uses TCP_DEFER_ACCEPT and the client waits for the server to speak first',
      'the SYN was forged (SYN flood) or a port scan: nobody waits for the SYN-ACK',
    ],
    checks: [
      {
        statement: 'On the server, attempts that wait for the ACK:',
        command: "ss -tan state syn-recv 'sport = :PORT'",
      },
      {
        statement: 'Whether the accept queue overflows or the ACK is deferred:',
        command: 'nstat -az TcpExtListenOverflows TcpExtTCPDeferAcceptDrop',
      },
      {
        statement: 'With a capture of both ends, which packet was lost:',
        command: 'synscope compare client.pcap server.pcap',
      },
    ],
    seeAlso: ['final-ack-lost', 'answer-lost', 'accept-queue', 'TCPDeferAcceptDrop', 'TCP_LISTEN_OVERFLOW'],
    references: [
      'RFC 9293 section 3.5.1 (half-open connections)',
      'tcp_check_req() in net/ipv4/tcp_minisocks.c',
      'tcp_synack_retries in Documentation/networking/ip-sysctl.rst',
    ],
  },
  abandoned: {
    title: 'the client gave up or rejected the answer',
    meaning: 'The server answered, and the client reset the attempt instead of acknowledging it.',
    wire: 'SYN, then SYN-ACK (or an ACK that does not belong to this SYN), then RST from the client.',
    application:
      'The application closed the socket before the answer came (its own timeout), or sees nothing but a later ETIMEDOUT because the kernel rejected the answer.',
    causes: [
      'the connect timeout of the application is shorter than the answer took',
      'a port scanner or health check that resets on purpose',
      'the answer acknowledges another SYN: stale server state, a sequence-rewriting firewall, a challenge ACK',
      'the answer came from another address or port than the SYN went to (NAT bypassed, wrong source address)',
      'the address of the client was forged, and its owner resets the SYN-ACK that it never asked for',
    ],
    checks: [
      {
        statement: 'Does the acknowledgement number equal the ISN of the SYN plus 1? Show absolute numbers:',
        command: "tcpdump -Snr client.pcap 'tcp port PORT'",
      },
      {
        statement: 'On the server, resets of unfinished handshakes:',
        command: 'nstat -az TcpExtEmbryonicRsts TcpAttemptFails',
      },
    ],
    seeAlso: ['client-rejected-answer', 'wrong-acknowledgement', 'finding:challenge-ack', 'EmbryonicRsts'],
    references: [
      'RFC 9293 section 3.10.7.3 (SYN-SENT state)',
      'tcp_rcv_synsent_state_process() in net/ipv4/tcp_input.c',
    ],
  },
  'one-sided': {
    title: 'only one direction was captured',
    meaning: 'The packets of one side alone are in the capture, so that it cannot tell how the attempt ended.',
    wire: 'SYN-ACKs without SYNs, or a SYN that is followed by ACKs and data to a server whose packets are missing.',
    causes: [
      'the two directions take different paths or interfaces, and one was captured',
      'a mirror port or tap delivers one direction only',
      'the capture filter names a source or destination address, or one direction',
      'the capture began in the middle of the handshake',
    ],
    checks: [
      {
        statement: 'Capture on all interfaces, with a filter that names only the port:',
        command: "tcpdump -ni any -s 160 -w trace.pcap 'tcp port PORT or icmp or icmp6'",
      },
    ],
    seeAlso: ['capture-began-late', 'vantage', 'unmatched'],
    references: ['Zeek conn_state SHR, RSTRH, OTH'],
  },
  'in-progress': {
    title: 'the capture ended first',
    meaning: 'The capture ends so soon after the last packet of this attempt that it may still have succeeded.',
    wire: 'SYN, or SYN and SYN-ACK, and then the end of the capture before the next repetition was due.',
    application: 'A non-blocking connect() has returned EINPROGRESS and nothing else yet.',
    causes: ['the capture was stopped too early', 'a ring buffer or a packet limit (tcpdump -c) ended the file'],
    checks: [
      {
        statement: 'Capture for as long as the client keeps trying: 134 s on Linux since 6.5, 127 s before.',
        command: "timeout 150 tcpdump -ni any -w trace.pcap 'tcp port PORT or icmp or icmp6'",
      },
    ],
    seeAlso: ['capture-ended-early', 'syn-schedule'],
    references: ['connect(2), EINPROGRESS'],
  },
  established: {
    title: 'the handshake completed',
    meaning: 'SYN, SYN-ACK and ACK were exchanged, and nothing afterwards contradicts it.',
    wire: 'SYN, SYN-ACK, ACK; the time from the SYN to the ACK is the initial round-trip time (iRTT).',
    application: 'connect() returns 0.',
    causes: [
      'nothing is wrong with the handshake; if the application fails, look at what follows: TLS, authentication, a reset by the application',
    ],
    checks: [
      {
        statement:
          'Whether it took repetitions to get there, which shows as a delay of 1 s or more: look for the finding "late".',
      },
    ],
    seeAlso: ['finding:late', 'reset-after-established', 'iRTT', 'half-open'],
    references: ['RFC 9293 section 3.5'],
  },
};
