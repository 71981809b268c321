import type { Explanation } from './entry.ts';

const WATCH = 'Watch it while a client tries:';

/** Counters of TCP segments and timers (`/proc/net/snmp` and `/proc/net/netstat`, per network namespace). */
export const TCP_COUNTERS: Readonly<Record<string, Explanation>> = {
  TCPSynRetrans: {
    title: 'SYNs and SYN-ACKs sent again',
    meaning: 'A SYN (client) or a SYN-ACK (server) was sent again because nothing acceptable came back.',
    moves: '__tcp_retransmit_skb() for a SYN, tcp_rtx_synack() for a SYN-ACK.',
    wire: 'The same SYN or SYN-ACK again, with the same sequence number.',
    traps: [
      'A SYN is counted before it is handed to IP: it counts although the output of this host drops it (TCPRetransFail moves then). A SYN-ACK is counted only after it was handed down without an error; when the output drops it, only TCPTimeouts moves.',
      'It does not move while the first SYN still waits for ARP or neighbour discovery: TCPSpuriousRtxHostQueues moves.',
      'One number for clients and servers: look at ss for SYN-SENT and SYN-RECV.',
    ],
    causes: [
      'packets lost or filtered on the path',
      'a server that does not answer (on a client)',
      'clients that cannot be reached or that do not exist (on a server)',
    ],
    checks: [{ statement: 'Which attempts wait:', command: 'ss -tano state syn-sent; ss -tano state syn-recv' }],
    seeAlso: ['TCPTimeouts', 'TCPRetransFail', 'syn-schedule', 'answer-lost'],
    references: ['__tcp_retransmit_skb() and tcp_rtx_synack() in net/ipv4/tcp_output.c'],
  },
  TCPTimeouts: {
    title: 'retransmission timers that fired',
    meaning: 'A retransmission timeout expired: of a SYN, a SYN-ACK, or data.',
    moves: 'tcp_retransmit_timer() and, for SYN-ACKs, reqsk_timer_handler() through tcp_syn_ack_timeout().',
    traps: [
      'It moves although the packet that was to be repeated never left: TCPTimeouts without TCPSynRetrans on a server is the mark of a SYN-ACK that its own output drops.',
    ],
    causes: [
      'packet loss',
      'SYN-ACKs that are dropped on output by nftables, tc, a queueing discipline or a cgroup program',
    ],
    checks: [{ statement: WATCH, command: 'nstat -az TcpExtTCPTimeouts TcpExtTCPSynRetrans TcpExtTCPRetransFail' }],
    seeAlso: ['TCPSynRetrans', 'TCPRetransFail', 'server-silent'],
    references: ['tcp_syn_ack_timeout() and tcp_retransmit_timer() in net/ipv4/tcp_timer.c'],
  },
  TCPRetransFail: {
    title: 'a retransmission could not be sent',
    meaning: 'The IP layer of this host refused a segment that was to be sent again.',
    moves:
      '__tcp_retransmit_skb(), when sending returned an error: a netfilter drop on output, a cgroup egress program, tc or a queueing discipline.',
    wire: 'Nothing: no SYN of this attempt is in the capture of the client.',
    application: 'connect() goes on waiting and fails with ETIMEDOUT, not with EPERM.',
    causes: [
      'an output rule of nftables or iptables on the client',
      'IPAddressDeny of systemd, or another cgroup egress program',
      'tc or a queueing discipline on output',
    ],
    checks: [
      { statement: 'Rules on output, with counters:', command: 'nft list ruleset' },
      { statement: 'Programs on cgroups:', command: 'bpftool cgroup tree' },
    ],
    seeAlso: ['ETIMEDOUT', 'NETFILTER_DROP', 'BPF_CGROUP_EGRESS'],
    references: ['__tcp_retransmit_skb() in net/ipv4/tcp_output.c'],
  },
  TCPSpuriousRtxHostQueues: {
    title: 'a retransmission was skipped because the packet has not left the host',
    meaning: 'The timer fired while the first copy still sits in a queue of this host, so nothing was sent again.',
    moves: '__tcp_retransmit_skb(), when skb_still_in_host_queue().',
    wire: 'ARP requests or neighbour solicitations without an answer, and no SYN.',
    application: 'EHOSTUNREACH after about 3 s, when ARP or neighbour discovery fails.',
    causes: ['the next hop does not answer ARP or neighbour discovery', 'a full queueing discipline'],
    checks: [{ statement: 'State of the next hop:', command: 'ip neigh show' }],
    seeAlso: ['EHOSTUNREACH', 'NEIGH_FAILED', 'TCPSynRetrans'],
    references: ['skb_still_in_host_queue() in net/ipv4/tcp_output.c'],
  },
  TcpOutRsts: {
    title: 'RSTs that TCP sent',
    aliases: ['resets sent'],
    meaning: 'The TCP of this host answered something with RST, or reset a connection itself.',
    moves: 'tcp_v4_send_reset(), tcp_v6_send_response() and tcp_send_active_reset().',
    traps: [
      'It does not move for resets by nftables or iptables (REJECT with tcp-reset): nf_send_reset() bypasses TCP. A RST on the wire without this counter comes from a firewall.',
      'On IPv4 it also counts RSTs that could not be routed and never left: a closed port then looks filtered.',
    ],
    causes: [
      'a SYN to a port on which nothing listens',
      'applications that close with unread data',
      'answers to connections that this host does not know',
    ],
    checks: [{ statement: WATCH, command: 'nstat -az TcpOutRsts' }],
    seeAlso: ['refused', 'ECONNREFUSED', 'NO_SOCKET', 'RST'],
    references: ['RFC 4022 (tcpOutRsts)', 'tcp_v4_send_reset() in net/ipv4/tcp_ipv4.c'],
  },
  TcpOutSegs: {
    title: 'segments that TCP handed to IP',
    meaning:
      'Segments handed down for sending, with SYN-ACKs (repeated ones too) and resets, without repeated SYNs and data.',
    moves: '__tcp_transmit_skb(), tcp_make_synack(), tcp_v4_send_reset() and tcp_v6_send_response().',
    traps: [
      'It counts packets that never reach the wire: a SYN-ACK that nftables output, tc or a cgroup program drops is counted. TcpOutSegs that moves while the capture shows nothing leaving means a drop on output.',
    ],
    seeAlso: ['server-silent', 'TCPTimeouts'],
    references: ['RFC 4022 (tcpOutSegs)'],
  },
  TcpAttemptFails: {
    title: 'connection attempts that failed',
    aliases: ['failed connection attempts'],
    meaning: 'A connection went from SYN-SENT or SYN-RECEIVED back to CLOSED.',
    moves: 'tcp_done() for those states, and tcp_check_req() for an attempt that is reset.',
    traps: [
      'It counts both directions: attempts of this host that were refused or timed out, and attempts of others that were reset.',
      'A SYN that is dropped before a request exists does not count.',
    ],
    checks: [{ statement: WATCH, command: 'nstat -az TcpAttemptFails TcpActiveOpens TcpExtEmbryonicRsts' }],
    seeAlso: ['refused', 'EmbryonicRsts', 'ETIMEDOUT'],
    references: ['RFC 4022 (tcpAttemptFails)', 'tcp_done() in net/ipv4/tcp.c'],
  },
  TcpActiveOpens: {
    title: 'connections that this host tried to open',
    aliases: ['active connection openings'],
    meaning: 'connect() sent, or tried to send, a SYN.',
    moves: 'tcp_connect().',
    traps: [
      'It does not move when connect() fails before: no route, no free port, no usable source address, denied by policy.',
    ],
    seeAlso: ['AttemptFails', 'ENETUNREACH', 'EADDRNOTAVAIL'],
    references: ['RFC 4022 (tcpActiveOpens)', 'tcp_connect() in net/ipv4/tcp_output.c'],
  },
  TcpInCsumErrors: {
    title: 'segments with a wrong TCP checksum',
    meaning: 'Received segments were dropped because their checksum is wrong; TcpInErrs moves with it.',
    moves: 'tcp_v4_rcv() and tcp_v6_rcv(), label csum_error.',
    wire: 'SYN, repeated, without an answer; a capture at the receiver says "incorrect" cksum.',
    application: 'ETIMEDOUT.',
    traps: [
      'A wrong checksum in a capture at the sender is normal: the network card fills it in.',
      'With conntrack, the segment is first marked invalid; a rule "ct state invalid drop" then drops it, and this counter stays still.',
    ],
    causes: ['a virtual network or NAT that does not complete offloaded checksums', 'defective hardware'],
    checks: [{ statement: 'At the receiver:', command: "tcpdump -vni DEV 'tcp port PORT' | grep incorrect" }],
    seeAlso: ['TCP_CSUM', 'server-silent'],
    references: ['RFC 9293 section 3.1', 'tcp_v4_rcv() in net/ipv4/tcp_ipv4.c'],
  },
  TCPMD5NotFound: {
    title: 'a segment without the MD5 signature that is required',
    meaning: 'A listener or socket has a TCP-MD5 key for this peer, and the segment came without a signature.',
    moves: 'tcp_inbound_hash() and tcp_inbound_md5_hash(), before anything else is looked at.',
    wire: 'SYN without option 19, repeated, without an answer.',
    application: 'ETIMEDOUT.',
    traps: ['ListenDrops does not move; the drop count of the listener does (ss -ltnm, field d).'],
    causes: ['BGP with a password on one side only'],
    checks: [{ statement: 'Does the SYN carry the option (md5)?', command: "tcpdump -vni any 'tcp port 179'" }],
    seeAlso: ['TCPMD5Unexpected', 'TCPMD5Failure', 'TCP_MD5NOTFOUND'],
    references: ['RFC 2385', 'tcp_inbound_hash() in net/ipv4/tcp.c'],
  },
  TCPMD5Unexpected: {
    title: 'a segment with an MD5 signature that nobody asked for',
    meaning: 'The segment carries a TCP-MD5 signature, and there is no key for this peer.',
    moves: 'tcp_inbound_md5_hash().',
    wire: 'SYN with option 19, repeated, without an answer.',
    application: 'ETIMEDOUT.',
    causes: ['BGP with a password on one side only', 'the key is configured for another address, prefix or VRF'],
    checks: [{ statement: WATCH, command: 'nstat -az "TcpExtTCPMD5*"' }],
    seeAlso: ['TCPMD5NotFound', 'TCP_MD5UNEXPECTED'],
    references: ['RFC 2385', 'tcp_inbound_md5_hash() in net/ipv4/tcp.c'],
  },
  TCPMD5Failure: {
    title: 'a segment with a wrong MD5 signature',
    meaning: 'Both sides use TCP-MD5, and the signature does not fit the key.',
    moves: 'tcp_inbound_md5_hash().',
    wire: 'SYN with option 19, repeated, without an answer.',
    application: 'ETIMEDOUT.',
    causes: ['different passwords', 'a NAT between the peers: the addresses are part of the signature'],
    checks: [
      {
        statement: 'With the password, tcpdump checks the signature:',
        command: "tcpdump -vni any -M PASSWORD 'tcp port 179'",
      },
    ],
    seeAlso: ['TCPMD5NotFound', 'TCP_MD5FAILURE'],
    references: ['RFC 2385', 'tcp_inbound_md5_hash() in net/ipv4/tcp.c'],
  },
  TCPMinTTLDrop: {
    title: 'a segment came with a TTL below the minimum of the socket',
    meaning:
      'The listener or socket demands a minimum TTL or hop limit (IP_MINTTL, IPV6_MINHOPCOUNT), and the segment is below it.',
    moves: 'tcp_v4_rcv() and tcp_v6_rcv().',
    wire: 'SYN with a low TTL, repeated, without an answer.',
    application: 'ETIMEDOUT.',
    traps: ['ListenDrops does not move; the drop count of the listener does (ss -ltnm, field d).'],
    causes: ['BGP with ttl-security and a peer that is farther away than configured, or that does not send 255'],
    checks: [{ statement: 'TTL of the SYN:', command: "tcpdump -vni any 'tcp port 179'" }],
    seeAlso: ['TCP_MINTTL', 'TTL'],
    references: ['RFC 5082', 'tcp_v4_rcv() in net/ipv4/tcp_ipv4.c'],
  },
  TCPSYNChallenge: {
    title: 'a SYN came for a connection that exists already',
    meaning: 'A SYN hit a connection of the same addresses and ports; it is answered with a challenge ACK.',
    moves:
      'tcp_validate_incoming() for a segment with the SYN flag on a synchronized connection; tcp_send_challenge_ack() then counts TCPChallengeACK when it sends one.',
    wire: 'SYN, ACK with old numbers, RST, SYN again, SYN-ACK.',
    application: 'connect() takes a little longer, or ETIMEDOUT when a firewall drops the ACK or the RST.',
    traps: [
      'On a client it also moves for repeated SYN-ACKs: its final ACK is lost on the way to the server, or is ignored there.',
    ],
    causes: [
      'a client that vanished without closing, and the same port used again (NAT, crash)',
      'a final ACK that is lost',
    ],
    checks: [{ statement: 'The old connection, on the server:', command: 'ss -tano dst CLIENT' }],
    seeAlso: ['challenge-ack', 'TCPChallengeACK', 'TCP_INVALID_SYN', 'final-ack-lost'],
    references: ['RFC 5961 section 4.2', 'tcp_validate_incoming() in net/ipv4/tcp_input.c'],
  },
  TCPChallengeACK: {
    title: 'challenge ACKs sent',
    meaning: 'An ACK was sent to ask the peer whether a suspicious SYN or RST is meant.',
    moves:
      'tcp_send_challenge_ack(); limited by tcp_challenge_ack_limit per network namespace and by tcp_invalid_ratelimit (500 ms) per connection.',
    seeAlso: ['TCPSYNChallenge', 'term:challenge-ack'],
    references: ['RFC 5961 section 7', 'tcp_send_challenge_ack() in net/ipv4/tcp_input.c'],
  },
  PAWSTimewait: {
    title: 'a SYN to a TIME-WAIT socket had an old timestamp',
    meaning:
      'A SYN hit a connection in TIME-WAIT, and its timestamp is older than the last one seen; it is answered with an ACK instead of a SYN-ACK.',
    moves: 'tcp_timewait_state_process().',
    wire: 'SYN, ACK, RST from the client, SYN again about 1 s later, SYN-ACK.',
    application: 'connect() takes about 1 s longer, or ETIMEDOUT when a firewall drops the ACK or the RST.',
    causes: ['several clients behind one NAT address', 'a client that restarted, or timestamps rewritten on the way'],
    checks: [{ statement: 'On the server:', command: 'ss -tan state time-wait dst CLIENT' }],
    seeAlso: ['TIME-WAIT', 'challenge-ack', 'TCP_RFC7323_TW_PAWS'],
    references: ['RFC 7323 section 5', 'RFC 6191', 'tcp_timewait_state_process() in net/ipv4/tcp_minisocks.c'],
  },
  PAWSActive: {
    title: 'the SYN-ACK echoed a timestamp that was never sent',
    aliases: ['PAWSActiveRejected'],
    meaning:
      'A client rejected a SYN-ACK because the echoed timestamp (TSecr) lies outside of what it sent; it answers with RST.',
    moves: 'tcp_rcv_synsent_state_process().',
    wire: 'SYN, SYN-ACK, RST from the client.',
    application: 'ETIMEDOUT.',
    causes: ['a middlebox that rewrites timestamps in one direction only'],
    checks: [
      {
        statement: 'Compare TSval of the SYN with TSecr of the SYN-ACK:',
        command: "tcpdump -vnr client.pcap 'tcp port PORT'",
      },
    ],
    seeAlso: ['client-rejected-answer', 'TCP_RFC7323_PAWS'],
    references: ['RFC 7323 section 3.2', 'tcp_rcv_synsent_state_process() in net/ipv4/tcp_input.c'],
  },
  PAWSPassive: {
    title: 'a SYN was dropped by tcp_tw_recycle (Linux before 4.12)',
    aliases: ['PAWSPassiveRejected', 'passive connections rejected because of time stamp'],
    meaning:
      'With net.ipv4.tcp_tw_recycle 1, a SYN whose timestamp is older than the last one from this address was dropped; the setting and the counter are gone since Linux 4.12.',
    moves: 'tcp_conn_request(), Linux 4.11 and before; ListenDrops moves with it.',
    wire: 'SYN, repeated, without an answer, for some clients behind a NAT.',
    application: 'ETIMEDOUT, now and then.',
    causes: [
      'several clients behind one NAT address and tcp_tw_recycle 1',
      'clients with random timestamp offsets per connection (Linux since 4.10)',
    ],
    checks: [{ statement: 'The setting:', command: 'sysctl net.ipv4.tcp_tw_recycle' }],
    seeAlso: ['PAWSTimewait', 'ListenDrops', 'NAT'],
    references: ['commit 4396e46187ca "tcp: remove tcp_tw_recycle"'],
  },
  LockDroppedIcmps: {
    title: 'an ICMP error came while the socket was in use',
    meaning:
      'An ICMP error arrived while a process held the socket, as a blocking connect() does; it was only remembered.',
    moves: 'tcp_v4_err() and tcp_v6_err(), when sock_owned_by_user().',
    application: 'connect() does not fail at the first error but at the next one, about 1 s later.',
    traps: [
      'With a real round-trip time connect() no longer holds the socket when the error comes, and the first error counts.',
    ],
    seeAlso: ['unreachable', 'EHOSTUNREACH', 'ECONNREFUSED'],
    references: ['tcp_v4_err() in net/ipv4/tcp_ipv4.c'],
  },
};
