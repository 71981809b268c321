import type { Explanation } from './entry.ts';

/** Terms of the protocol and of the path. */
export const PROTOCOL_TERMS: Readonly<Record<string, Explanation>> = {
  SYN: {
    title: 'the segment that asks for a connection',
    meaning: 'The first segment of a handshake: SYN flag, no ACK flag, and the initial sequence number of the client.',
    wire: 'Flags [S] in tcpdump. It carries options: MSS, window scale, SACK permitted, timestamps.',
    application: 'Sent by connect(); the socket is in SYN-SENT.',
    seeAlso: ['stage:syn', 'SYN-ACK', 'ISN', 'syn-schedule'],
    references: ['RFC 9293 sections 3.1 and 3.5'],
  },
  'SYN-ACK': {
    title: 'the answer of the server',
    aliases: ['synack'],
    meaning:
      'The second segment: it acknowledges the SYN (ISN of the client plus 1) and carries the initial sequence number of the server.',
    wire: 'Flags [S.] in tcpdump.',
    application: 'The kernel sends it without the application; accept() returns only after the final ACK.',
    seeAlso: ['stage:syn-ack', 'SYN', 'SYN-queue', 'answer-lost'],
    references: [
      'RFC 9293 section 3.5',
      'tcp_conn_request() in net/ipv4/tcp_input.c; tcp_make_synack() in net/ipv4/tcp_output.c',
    ],
  },
  RST: {
    title: 'the segment that refuses or ends a connection at once',
    aliases: ['reset'],
    meaning: 'A segment with the RST flag: there is no such connection or listener, or one side aborts.',
    wire: 'Flags [R.] in answer to a SYN (sequence number 0, acknowledges ISN + 1); [R] otherwise.',
    application: 'ECONNREFUSED in answer to a SYN, ECONNRESET later.',
    seeAlso: ['refused', 'TcpOutRsts', 'reset-by-middlebox'],
    references: ['RFC 9293 section 3.5.2'],
  },
  handshake: {
    title: 'SYN, SYN-ACK, ACK',
    aliases: ['three-way handshake', '3whs'],
    meaning:
      'Three segments by which both sides agree on their initial sequence numbers; everything that synscope looks at happens in them.',
    wire: 'SYN, SYN-ACK, ACK.',
    application: 'connect() on the client returns at the SYN-ACK, accept() on the server after the ACK.',
    seeAlso: ['SYN', 'SYN-ACK', 'iRTT', 'outcome:established'],
    references: ['RFC 9293 section 3.5'],
  },
  ISN: {
    title: 'initial sequence number',
    aliases: ['initial sequence number'],
    meaning:
      'The random number from which a side counts its bytes; it identifies one attempt, because every repetition of a SYN carries the same one.',
    wire: 'Sequence number of the SYN and of the SYN-ACK (tcpdump -S shows it as it is).',
    traps: [
      'Firewalls that randomise sequence numbers, SYN proxies and load balancers change it; two captures around such a box do not show the same number.',
    ],
    seeAlso: ['wrong-acknowledgement', 'answer-changed', 'unmatched', 'SYN-proxy'],
    references: ['RFC 6528', 'RFC 9293 section 3.4.1'],
  },
  MSS: {
    title: 'maximum segment size',
    aliases: ['maximum segment size', 'PMTU', 'path MTU'],
    meaning:
      'The largest payload that a side wants to receive in one segment, announced in its SYN; it follows from the MTU of the link (1460 bytes for 1500 with IPv4, 1440 with IPv6).',
    wire: 'Option mss in SYN and SYN-ACK.',
    application:
      'A handshake of small packets succeeds and large data stalls, when a link on the way has a smaller MTU and the ICMP errors about it are filtered.',
    checks: [
      { statement: 'Whether full-sized packets pass (IPv4, 1500 bytes):', command: 'ping -M do -s 1472 SERVER' },
    ],
    seeAlso: ['icmp 3/4', 'icmp6 2/0', 'tunnelled'],
    references: ['RFC 9293 section 3.7.1', 'RFC 6691', 'RFC 4821'],
  },
  'half-open': {
    title: 'one side believes in a connection that the other does not have',
    meaning:
      'Two uses: an attempt that waits for its final ACK (SYN-RECEIVED), and a connection whose other end has forgotten it (RFC 9293).',
    wire: 'SYN-ACK repeated; or an ACK in answer to a SYN.',
    seeAlso: ['outcome:half-open', 'SYN-queue', 'challenge-ack'],
    references: ['RFC 9293 section 3.5.1', 'RFC 4987 section 2'],
  },
  'challenge-ack': {
    title: 'the ACK that asks "did you mean that?"',
    meaning:
      'A host that gets a SYN, or a RST that is not exactly in place, for a connection that it has, answers with an ACK; a peer that has lost the connection answers that with a RST, and the old connection is gone.',
    wire: 'SYN, ACK with old numbers, RST, SYN again, SYN-ACK.',
    application: 'A short delay, or ETIMEDOUT when a firewall drops the ACK or the RST.',
    checks: [{ statement: 'On the server:', command: 'nstat -az TcpExtTCPChallengeACK TcpExtTCPSYNChallenge' }],
    seeAlso: ['finding:challenge-ack', 'TCPSYNChallenge', 'TIME-WAIT'],
    references: ['RFC 5961 sections 3 and 4', 'tcp_send_challenge_ack() in net/ipv4/tcp_input.c'],
  },
  'TIME-WAIT': {
    title: 'the state in which a closed connection lingers',
    meaning:
      'The side that closed first keeps the pair of addresses and ports for a while, so that late segments do no harm; 60 s on Linux.',
    wire: 'A SYN for such a pair gets a SYN-ACK when it is clearly newer (timestamp or sequence number), otherwise an ACK.',
    application: 'Many of them on a client: EADDRNOTAVAIL, when all ports towards one server are used up.',
    traps: [
      'net.ipv4.tcp_tw_recycle broke clients behind NAT and is gone since Linux 4.12; tcp_tw_reuse concerns outgoing connections only.',
    ],
    checks: [
      {
        statement: 'How many, by peer:',
        command: "ss -Htan state time-wait | awk '{print $4}' | sort | uniq -c | sort -n",
      },
    ],
    seeAlso: ['PAWSTimewait', 'EADDRNOTAVAIL', 'ephemeral-ports', 'challenge-ack'],
    references: ['RFC 9293 section 3.3.2', 'RFC 6191', 'TCP_TIMEWAIT_LEN in include/net/tcp.h'],
  },
  TTL: {
    title: 'time to live, hop limit',
    aliases: ['hop limit', 'time to live'],
    meaning:
      'A number that every router lowers by one; systems begin with 64, 128 or 255, so it tells how far away the sender is.',
    wire: 'Packets of one host usually arrive with the same TTL; a RST with another one was probably sent by a box in between.',
    traps: ['Load balancing over several paths changes it by a few, and a host may use another start value for RSTs.'],
    seeAlso: ['reset-by-middlebox', 'icmp 11/0', 'TCPMinTTLDrop'],
    references: ['RFC 791 section 3.1', 'RFC 8200 section 3'],
  },
  iRTT: {
    title: 'initial round-trip time',
    aliases: ['initial rtt', 'initial round-trip time'],
    meaning:
      'The time from the SYN that was answered to the ACK that completes the handshake; the name is that of Wireshark.',
    traps: [
      'In a capture in the middle it is the sum of both legs; in one at the server only SYN-ACK to ACK crosses the network.',
      'When a SYN was repeated, the time counts from the copy that was answered, as far as that can be told.',
    ],
    seeAlso: ['handshake', 'vantage', 'finding:late'],
    references: ['Wireshark display filter tcp.analysis.initial_rtt'],
  },
  NAT: {
    title: 'network address translation',
    aliases: ['SNAT', 'DNAT', 'masquerade'],
    meaning: 'A box on the way replaces addresses and ports; the two ends see different connections.',
    wire: 'Client and server captures agree in sequence numbers, options and timestamps, not in addresses.',
    traps: [
      'Several clients share one address: timestamps and ports of one may disturb another.',
      'The ICMP errors of a backend seem to come from the address that the client called.',
    ],
    causes: ['it loses its table (restart, timeout), runs out of ports, or only one direction passes it'],
    checks: [{ statement: 'Translations on a Linux box:', command: 'conntrack -L -p tcp --dport PORT' }],
    seeAlso: ['conntrack-drop', 'unmatched', 'TIME-WAIT', 'answer-lost'],
    references: ['RFC 5382'],
  },
  'SYN-proxy': {
    title: 'a box that answers SYNs in the name of the server',
    aliases: ['synproxy', 'tcp intercept'],
    meaning:
      'It sends the SYN-ACK itself, and opens the connection to the server only after the final ACK of the client.',
    wire: 'At the client a SYN-ACK with an ISN that the server never chose; at the server a SYN that comes later, often with other options.',
    application: 'connect() succeeds although the server may be down; then the connection stalls or is reset.',
    traps: [
      'The SYNPROXY of netfilter needs nf_conntrack_tcp_loose 0; otherwise the ACK of the client reaches the listener, which answers with RST.',
    ],
    checks: [{ statement: 'Its counters, on a Linux box (a line per CPU):', command: 'cat /proc/net/stat/synproxy' }],
    seeAlso: ['SYN-cookies', 'ISN', 'ECONNRESET', 'unmatched'],
    references: ['RFC 4987 section 3.8', 'net/netfilter/nf_synproxy_core.c'],
  },
  'SYN-flood': {
    title: 'many SYNs that are never completed',
    aliases: ['syn flooding', 'possible syn flooding'],
    meaning: 'SYNs, usually with forged source addresses, that fill the SYN queue of a listener.',
    wire: 'SYNs from many addresses, SYN-ACKs that nobody acknowledges.',
    application: 'Nothing, with SYN cookies; ETIMEDOUT or delays for real clients without.',
    traps: ['The kernel message "Possible SYN flooding" appears for a small backlog and a burst of real clients too.'],
    checks: [
      {
        statement: 'Half-open attempts with their clients:',
        command: 'ss -tan state syn-recv',
      },
    ],
    seeAlso: ['SYN-cookies', 'SYN-queue', 'TCPReqQFullDrop', 'TCPReqQFullDoCookies'],
    references: ['RFC 4987'],
  },
  'asymmetric-routing': {
    title: 'the answer takes another way than the question',
    aliases: ['asymmetric route', 'asymmetric path', 'multihoming'],
    meaning:
      'SYN and SYN-ACK pass different interfaces, routers or firewalls; that is harmless until one of them keeps state or checks sources.',
    wire: 'SYN in on one interface, SYN-ACK out on another; or a SYN-ACK that disappears behind a firewall that never saw the SYN.',
    application: 'ETIMEDOUT.',
    causes: ['a server with two interfaces and one default route', 'two firewalls or providers without shared state'],
    checks: [
      { statement: 'Through which interface would the answer leave?', command: 'ip route get CLIENT from SERVER' },
      {
        statement: 'A rule that answers with the interface of the address:',
        command: 'ip rule add from SERVER table 100',
      },
    ],
    seeAlso: ['answer-lost', 'IPReversePathFilter', 'rp_filter'],
    references: ['RFC 3704 section 4'],
  },
};
