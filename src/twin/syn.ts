/** The SYN that a twin is asked about. */
export interface SynSpec {
  readonly family: 4 | 6;
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly destinationPort: number;
  /** The interface of the host on which it came in; of a client's twin, none. */
  readonly device?: string;
  /** Who delivered it: the MAC address of its sender on the link. Known from a capture or from the neighbour table. */
  readonly sourceMac?: string;
  /** TTL or hop limit with which it came in. */
  readonly ttl?: number;
  /** Somebody on the link was seen to ask for the address by ARP first; else only an address of the link is taken to be asked for. */
  readonly isAskedFor?: boolean;
  /** The captured frame from its Ethernet header on, hexadecimal. */
  readonly frame?: string;
  /** The captured packet from its IP header on, hexadecimal, where the capture has no Ethernet header. Made from the fields above
   * when neither is there: then the SYN is only supposed, and the twin is asked as well whether it answers ARP or ND for its address. */
  readonly packet?: string;
}

/** What the twin is of. */
export type TwinRole =
  /** The SYN is for the host: a SYN-ACK has to leave, towards a living next hop. */
  | 'server'
  /** The host passes the SYN on: it has to leave by another interface, towards a living next hop. */
  | 'router'
  /** The host opens the connection: its SYN has to leave, and the SYN-ACK has to be accepted. */
  | 'client';

/** What came out of the twin, from best to worst. */
export type ReplyKind =
  /** A SYN-ACK (of a client's twin: the connection was established). */
  | 'syn-ack'
  /** The SYN itself, by another interface. */
  | 'forwarded'
  /** Of a client's twin: the SYN left, and its answer was not taken. */
  | 'syn-sent'
  /** Only an ACK: the host knows an old connection of the same addresses and ports. */
  | 'ack'
  | 'rst'
  | 'icmp'
  | 'silence';

/** What is odd about an answer. */
export type ReplayRemark =
  /** It was sent to a MAC address that nobody has. */
  | 'dead-next-hop'
  /** It bears another source address or port than the SYN was sent to: the client does not take it. */
  | 'other-source'
  /** The host does not answer ARP or ND for the address: no SYN would come. */
  | 'no-arp-answer'
  /** A SYN proxy answers it, and the host resets the connection when the client's ACK comes. */
  | 'reset-after-ack'
  /** It is answered, and who asks by ARP for its address, which is one of another interface, gets no answer: perhaps nobody asks. */
  | 'unasked'
  /** The SYN itself went back to who delivered it: the host is not the one that it is for, and takes that for it. */
  | 'returned'
  /** It left by another interface than the SYN came in by. That alone is no failure. */
  | 'other-device'
  /** A router sent it back by the interface that it came in by. That alone is no failure. */
  | 'same-device';

/** One SYN and what it led to. */
export interface Replay {
  readonly reply: ReplyKind;
  /** Whether it is what the role asks for, towards a next hop that lives. Everything else is a failure. */
  readonly isAnswered: boolean;
  /** Interface by which the answer left. */
  readonly device?: string;
  /** MAC address that it was sent to. */
  readonly nextHop?: string;
  readonly remark?: ReplayRemark;
  /** Requests of ARP and neighbour discovery to which nobody answered: `eth0 192.0.2.1`. */
  readonly unanswered: readonly string[];
  /** What is assumed in it: `192.0.2.1 on eth0 answers ARP`. */
  readonly assumed: readonly string[];
  /** Type and code of an ICMP error, errno of a connect(): in words. */
  readonly detail?: string;
  /** Sequence number of the SYN-ACK, where one came out. */
  readonly sequence?: number;
}

/** One replay under the microscope. */
export interface Explanation {
  readonly replay: Replay;
  /** Counters of the namespace that grew, by the name of /proc/net: `TcpExtListenDrops`. */
  readonly counters: Readonly<Record<string, number>>;
  /** Drops of packets that the kernel reported, in order: `NETFILTER_DROP nft_do_chain`. Empty as well where tracing cannot be had. */
  readonly drops: readonly string[];
  /** Route look-ups, as the kernel's trace points print them. */
  readonly lookups: readonly string[];
  /** Rules of nftables that the packets met, in order: `inet fw input handle 5 drop`, `ip filter INPUT policy drop`. Handles are the twin's. */
  readonly rules: readonly string[];
  /** Why the kernel's own trace is not in it. */
  readonly untraced?: string;
}

/** How much of the original is in the twin. */
export interface Fidelity {
  readonly equal: number;
  readonly total: number;
  /** By kind: `routes`, `addresses`, `nft`, ... */
  readonly parts: readonly { readonly kind: string; readonly equal: number; readonly total: number }[];
  /** What differs: `route: default via 192.0.2.1 dev eth0 is missing`. The first ones. */
  readonly differences: readonly string[];
}
