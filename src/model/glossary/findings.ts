import type { FindingId } from '../handshake.ts';
import type { Explanation } from './entry.ts';

/** What the findings in a capture mean. */
export const FINDINGS: Readonly<Record<FindingId, Explanation>> = {
  late: {
    title: 'established, but only after a repetition',
    meaning: 'The handshake completed after the SYN or the SYN-ACK had been sent more than once.',
    wire: 'SYN, SYN again (1 s later or more), SYN-ACK, ACK.',
    application: 'connect() succeeds late; an application with a timeout of 1 s or less sees a failure.',
    causes: [
      'packet loss on the path',
      'an accept queue that was full for a moment',
      'a firewall or NAT that needs its first packet to create state',
      'an old connection of the same ports had to be cleared away',
    ],
    checks: [
      {
        statement: 'With a capture of both ends, which copy was lost and where:',
        command: 'synscope compare client.pcap server.pcap',
      },
    ],
    seeAlso: ['location:late', 'syn-schedule', 'TCPSynRetrans'],
    references: ['RFC 6298 section 2'],
  },
  'syn-schedule': {
    title: 'the times between repeated SYNs',
    meaning: 'The gaps between the SYNs of one attempt show which system sent them and how long it keeps trying.',
    wire: 'Linux since 6.5: 1, 1, 1, 1, 1, 2, 4, 8, 16, 32 s. Linux before: 1, 2, 4, 8, 16, 32 s. A gap that does not fit means that the application opened a new attempt, or that copies were not captured.',
    application: 'ETIMEDOUT 134 s after the first SYN (Linux since 6.5) or 127 s (before), with tcp_syn_retries 6.',
    causes: [
      'nothing acceptable answered',
      'TCP_SYNCNT, TCP_USER_TIMEOUT or tcp_syn_retries changed the number of SYNs',
    ],
    checks: [
      { statement: 'On the client:', command: 'sysctl net.ipv4.tcp_syn_retries net.ipv4.tcp_syn_linear_timeouts' },
    ],
    seeAlso: ['no-reply', 'ETIMEDOUT', 'TCPSynRetrans'],
    references: [
      'RFC 6298 section 5',
      'tcp_syn_linear_timeouts in Documentation/networking/ip-sysctl.rst',
      'tcp_retransmit_timer() in net/ipv4/tcp_timer.c',
    ],
  },
  'wrong-acknowledgement': {
    title: 'the SYN-ACK does not acknowledge this SYN',
    meaning:
      'The acknowledgement number of the SYN-ACK is not the initial sequence number of the SYN plus 1 (plus data, with Fast Open).',
    wire: 'SYN with sequence number X, SYN-ACK that acknowledges something else than X + 1; the client answers with RST.',
    application:
      'connect() does not complete with this answer; it succeeds with the next attempt of the same connect(), or ends in ETIMEDOUT.',
    causes: [
      'the server still held state of an older attempt with the same ports',
      'a firewall that rewrites sequence numbers lost its state, or only one direction passes it',
      'another box answers in the name of the server',
    ],
    checks: [{ statement: 'Absolute sequence numbers:', command: "tcpdump -Snr client.pcap 'tcp port PORT'" }],
    seeAlso: ['client-rejected-answer', 'challenge-ack', 'ISN', 'TCP_INVALID_ACK_SEQUENCE'],
    references: ['RFC 9293 section 3.10.7.3', 'tcp_rcv_synsent_state_process() in net/ipv4/tcp_input.c'],
  },
  'challenge-ack': {
    title: 'an ACK came back instead of a SYN-ACK',
    meaning:
      'The server still has a connection with the same addresses and ports, so it answers the new SYN with an ACK for that connection.',
    wire: 'SYN, ACK with numbers of the old connection, RST from the client, SYN again, SYN-ACK. It hangs when a firewall drops the ACK or the RST.',
    application: 'connect() succeeds a little later, or ends in ETIMEDOUT when the ACK or the RST is filtered.',
    causes: [
      'the client crashed, or its NAT gave the same port to a new connection, while the server kept the old one',
      'the old connection is in TIME-WAIT and the SYN does not look newer (timestamps of several clients behind one NAT)',
      'the client uses a fixed source port',
    ],
    checks: [
      { statement: 'On the server, the old connection:', command: 'ss -tan dst CLIENT' },
      {
        statement: 'Counters on the server:',
        command: 'nstat -az TcpExtTCPSYNChallenge TcpExtTCPChallengeACK TcpExtPAWSTimewait',
      },
    ],
    seeAlso: ['term:challenge-ack', 'TIME-WAIT', 'TCPSYNChallenge', 'PAWSTimewait'],
    references: [
      'RFC 5961 section 4',
      'RFC 9293 section 3.5.1',
      'tcp_validate_incoming() in net/ipv4/tcp_input.c; tcp_timewait_state_process() in net/ipv4/tcp_minisocks.c',
    ],
  },
  'reset-by-server': {
    title: 'the RST came from the server itself',
    meaning: 'TTL and other traits of the RST fit the packets that the server sends otherwise.',
    wire: 'RST whose TTL equals that of SYN-ACKs from the same address.',
    application: 'ECONNREFUSED, or ECONNRESET after the handshake.',
    causes: ['nothing listens on the port', 'the firewall of the server rejects with tcp-reset'],
    checks: [{ statement: 'On the server:', command: 'ss -ltnpe sport = :PORT' }],
    seeAlso: ['refused-by-server', 'refused', 'TTL'],
    references: ['RFC 9293 section 3.5.2'],
  },
  'reset-by-middlebox': {
    title: 'the RST came from something in between',
    meaning: 'TTL or other traits of the RST do not fit the packets of the server: another box sent it in its name.',
    wire: 'RST whose TTL differs from that of SYN-ACKs from the same address.',
    application: 'ECONNREFUSED, or ECONNRESET after the handshake.',
    causes: ['firewall, intrusion prevention or content inspection', 'a load balancer without a healthy backend'],
    checks: [
      {
        statement: 'Compare with a capture at the server: it shows no such RST leaving.',
        command: 'synscope compare client.pcap server.pcap',
      },
    ],
    traps: [
      'A host may use another TTL for its RSTs than for its connections; with one capture this is a strong hint, not a proof.',
    ],
    seeAlso: ['refused-by-middlebox', 'TTL'],
    references: ['RFC 3360'],
  },
  'reset-origin-unknown': {
    title: 'who sent the RST cannot be told from this capture',
    meaning: 'The capture has no other packet from the server to compare the RST with.',
    wire: 'SYN, RST, and nothing else from that address.',
    application: 'ECONNREFUSED.',
    checks: [
      {
        statement: 'On the server, whether its kernel sends resets while the client tries:',
        command: 'nstat -az TcpOutRsts',
      },
      { statement: 'Or connect to a port of the same server that is open, and compare the TTL.' },
    ],
    seeAlso: ['refused', 'reset-by-server', 'reset-by-middlebox'],
  },
  'reset-after-established': {
    title: 'the server reset the connection right after the handshake',
    meaning: 'SYN, SYN-ACK and ACK were exchanged, and the next thing from the server is a RST.',
    wire: 'SYN, SYN-ACK, ACK, RST.',
    application: 'connect() succeeds; the first read or write fails with ECONNRESET or EPIPE.',
    causes: [
      'a proxy or load balancer accepted the connection and has no backend',
      'the application closed it at once (limits such as MaxStartups of sshd, access control)',
      'tcp_abort_on_overflow is 1 and the accept queue is full',
      'the listener was closed or restarted while the connection waited in its queue',
      'a SYN proxy or an invalid SYN cookie',
    ],
    checks: [
      { statement: 'On the server:', command: 'nstat -az TcpExtListenOverflows TcpEstabResets TcpExtSyncookiesFailed' },
      { statement: 'Whether overflow is answered with RST:', command: 'sysctl net.ipv4.tcp_abort_on_overflow' },
    ],
    seeAlso: ['ECONNRESET', 'accept-queue', 'SYN-proxy', 'SyncookiesFailed'],
    references: [
      'tcp_check_req() in net/ipv4/tcp_minisocks.c; inet_csk_listen_stop() in net/ipv4/inet_connection_sock.c',
    ],
  },
  'simultaneous-open': {
    title: 'both sides sent a SYN',
    meaning:
      'Each side opened the connection actively and the SYNs crossed; TCP permits that, and one connection results.',
    wire: 'SYN from both sides, then SYN-ACK from both sides.',
    application: 'connect() succeeds on both sides, where both accept it.',
    causes: [
      'NAT traversal of peer-to-peer applications',
      'a client that connects to its own port (self-connection on an ephemeral port)',
    ],
    seeAlso: ['term:SYN'],
    references: ['RFC 9293 section 3.5, figure 7'],
  },
  'fast-open': {
    title: 'the SYN asks for a TCP Fast Open cookie or carries data',
    meaning: 'The client uses TCP Fast Open; some middleboxes drop such SYNs.',
    wire: 'SYN with option 34, with a cookie and data or without.',
    application:
      'Nothing, when it works; a delay of one or more repetitions when a middlebox drops the option or the data.',
    causes: ['TCP_FASTOPEN_CONNECT or MSG_FASTOPEN in the application, with net.ipv4.tcp_fastopen set'],
    checks: [
      { statement: 'Whether it works without:', command: 'sysctl -w net.ipv4.tcp_fastopen=0' },
      { statement: 'Counters:', command: "nstat -az 'TcpExtTCPFastOpen*'" },
    ],
    seeAlso: ['MSS', 'finding:late'],
    references: ['RFC 7413', 'net/ipv4/tcp_fastopen.c'],
  },
  'answer-changed': {
    title: 'two SYN-ACKs begin at different sequence numbers',
    meaning:
      'The attempt was answered twice with different initial sequence numbers: by two hosts, or by one that keeps no state.',
    wire: 'SYN, SYN-ACK with sequence number X, SYN again, SYN-ACK with sequence number Y.',
    application: 'connect() uses the first answer that fits; with two answerers the connection is then reset.',
    causes: [
      'SYN cookies or a SYN proxy: the number is computed again for each SYN',
      'the request had been dropped from the SYN queue and was created anew',
      'two hosts use the same address, or a load balancer changed its mind',
    ],
    checks: [
      {
        statement: 'Do the answers come from different MAC addresses?',
        command: "tcpdump -enr client.pcap 'tcp port PORT'",
      },
    ],
    seeAlso: ['SYN-cookies', 'SYN-proxy', 'ISN'],
    references: ['RFC 4987 section 3.6'],
  },
  'capture-began-late': {
    title: 'the beginning of this attempt was not captured',
    meaning: 'The SYN is missing: the capture began in the middle of the handshake, or one direction was not captured.',
    wire: 'SYN-ACK or ACK without the SYN before it.',
    causes: ['the capture was started after the client', 'only one direction was captured'],
    checks: [
      {
        statement: 'Start the capture first, then the client.',
        command: "tcpdump -ni any -w trace.pcap 'tcp port PORT or icmp or icmp6'",
      },
    ],
    seeAlso: ['one-sided', 'vantage'],
  },
  'capture-ended-early': {
    title: 'the capture ends too soon to judge this attempt',
    meaning: 'The next packet was not yet due when the capture ended.',
    wire: 'SYN, and the end of the file before the next SYN of the schedule.',
    causes: ['the capture was stopped too early'],
    checks: [
      {
        statement: 'Capture for as long as the client tries:',
        command: "timeout 150 tcpdump -ni any -w trace.pcap 'tcp port PORT'",
      },
    ],
    seeAlso: ['in-progress', 'syn-schedule'],
  },
  duplicates: {
    title: 'the capture holds packets more than once',
    meaning:
      'The same packet was captured at several points (interfaces of -i any, a bridge, a mirror port); copies count once and are no retransmissions.',
    wire: 'Packets that agree in all fields, including the IP identification, within a short time.',
    causes: [
      'tcpdump -i any on a host with bridges, bonds, VLANs, veth pairs or containers',
      'a mirror port that copies both the ingress and the egress',
    ],
    checks: [
      { statement: 'Capture on one interface instead:', command: "tcpdump -ni DEV -w trace.pcap 'tcp port PORT'" },
    ],
    seeAlso: ['vantage'],
  },
  'segment-cut': {
    title: 'packets were captured too short',
    meaning: 'The snap length of the capture cut off a part of the TCP header or its options.',
    wire: 'Captured length below the length on the wire, within the headers.',
    causes: ['tcpdump -s with a small number, in a tunnel with its additional headers'],
    checks: [
      {
        statement: 'Capture 160 bytes or more, or everything:',
        command: "tcpdump -ni any -s 0 -w trace.pcap 'tcp port PORT'",
      },
    ],
    seeAlso: ['snaplen', 'tunnelled'],
  },
  tunnelled: {
    title: 'the handshake was captured inside a tunnel or VLAN',
    meaning:
      'The packets carry outer headers (VLAN, MPLS, GRE, VXLAN, IP in IP, ...), so the capture shows the inner handshake at this point of the network.',
    wire: 'Outer headers before the IP header of the handshake. They lower the room for the payload: a large segment may not fit although the handshake does.',
    causes: ['overlay networks of clouds and containers, VPNs, provider networks'],
    checks: [
      { statement: 'Whether full-sized packets pass (IPv4, 1500 bytes):', command: 'ping -M do -s 1472 SERVER' },
    ],
    seeAlso: ['MSS', 'vantage'],
  },
};
