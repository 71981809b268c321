import type { Condition } from '../../formats/netfilter/truth.ts';

/** Which packet of the handshake is looked at, on which way through this host. */
export type FilteredPacket = 'syn-in' | 'syn-ack-out' | 'syn-out' | 'syn-ack-in' | 'ack-in' | 'ack-out';

/** The end of a packet at a rule or policy, other than being let through. */
export type FilterVerdict =
  | 'drop'
  | 'reject-reset'
  | 'reject-icmp'
  | 'queue'
  | 'synproxy'
  | 'redirect'
  | 'dnat'
  | 'tproxy';

/** What a rule asks besides addresses and ports, when it matters for the cause. */
export type FilterCondition = Condition;

/** One rule or chain policy that decides about a packet of the attempt. */
export interface FilterHit {
  readonly packet: FilteredPacket;
  readonly verdict: FilterVerdict;
  /**
   * `certain`: every expression of every rule up to here is understood and the packet surely gets here. `depends`: the rule's
   * outcome hangs on a state that was not seen (a limit, a set with timeouts, conntrack). `unknown`: an expression is not understood.
   */
  readonly certainty: 'certain' | 'depends' | 'unknown';
  readonly conditions: readonly FilterCondition[];
  readonly tool: 'nft' | 'iptables' | 'ip6tables' | 'iptables-legacy' | 'ip6tables-legacy';
  /** `inet`, `ip`, `ip6`, `netdev`, ... */
  readonly family: string;
  readonly table: string;
  readonly chain: string;
  /** `prerouting`, `input`, `forward`, `output`, `postrouting`, `ingress`, `egress`. */
  readonly hook: string;
  readonly priority?: number;
  /** The policy of the chain, not a rule. */
  readonly policy: boolean;
  /** Handle of an nft rule; number of an iptables rule in its chain. */
  readonly handle?: number;
  /** The rule as its tool prints it. */
  readonly text: string;
  /**
   * Packets that its counter took during the watch; absent when it has no counter, or one that counts packets which the rule then
   * lets pass (a counter before a limit).
   */
  readonly packetsDelta?: number;
  /** Packets that its counter holds. */
  readonly packets?: number;
  /** Of `queue`: its number; of `redirect`, `dnat`, `tproxy`: where to. */
  readonly queueNumber?: number;
  readonly target?: { readonly address?: string; readonly port?: number };
  /** Of `reject-icmp`: for example `port-unreachable`, `admin-prohibited`. */
  readonly rejectWith?: string;
}

/** The rules of this host, held against the packets of this attempt. */
export interface PacketFilter {
  /** Deciding rules in the order in which the packet meets them; the first certain drop ends its list. */
  readonly hits: readonly FilterHit[];
  /** Packets of the attempt that surely pass everything that was read. */
  readonly passes: readonly FilteredPacket[];
  /** Packets of the attempt that surely do not pass, also where it is not sure which of several rules takes them. */
  readonly blocked?: readonly FilteredPacket[];
  /** Rules that were read, all tools. */
  readonly rules: number;
  /** Which rule sets were read: `nft`, `iptables-legacy`, ... */
  readonly tools: readonly string[];
  /** Rule sets that exist and could not be read. */
  readonly unread: readonly { readonly tool: string; readonly reason: string }[];
  /** Rules that dropped or rejected packets during the watch, by their own counters, whatever was evaluated. */
  readonly counted: readonly FilterHit[];
}

/** Connection tracking. */
export interface Conntrack {
  readonly count?: number;
  readonly max?: number;
  /** Entries that concern the attempt, as `conntrack -L` or /proc/net/nf_conntrack print them. */
  readonly entries: readonly {
    readonly state?: string;
    readonly unreplied: boolean;
    readonly assured: boolean;
    /** Where the reply is expected from: differs from the destination when it was translated. */
    readonly replySource?: string;
    readonly replySourcePort?: number;
    readonly text: string;
  }[];
  /** Whether the entries could be read at all. */
  readonly entriesRead: boolean;
}

/** Queues of NFQUEUE that a program has bound (/proc/net/netfilter/nfnetlink_queue). */
export interface NfQueue {
  readonly number: number;
  readonly pid: number;
  readonly waiting: number;
  readonly dropped: number;
  readonly userDropped: number;
}
