/** Counters of an interface; each grows only. */
export interface LinkCounters {
  readonly rxPackets?: number;
  readonly rxErrors?: number;
  readonly rxDropped?: number;
  readonly rxMissed?: number;
  readonly rxFifo?: number;
  readonly rxNoHandler?: number;
  /** Frames for another host's MAC that the IP layer threw away (since 5.19). */
  readonly rxOtherhostDropped?: number;
  readonly txPackets?: number;
  readonly txErrors?: number;
  readonly txDropped?: number;
  readonly txCarrier?: number;
}

/** One network interface. */
export interface Link {
  readonly index: number;
  readonly name: string;
  /** `veth`, `bridge`, `vlan`, `bond`, `vrf`, ...; absent for a physical one. */
  readonly kind?: string;
  readonly linkAddress?: string;
  readonly mtuBytes?: number;
  /** `UP`, `LOWER_UP`, `NOARP`, `PROMISC`, ... as `ip link` prints them. */
  readonly flags: readonly string[];
  /** `UP`, `DOWN`, `LOWERLAYERDOWN`, `UNKNOWN`, ... */
  readonly operState: string;
  readonly master?: string;
  /** State of a bridge port: `forwarding`, `blocking`, `disabled`, ... */
  readonly bridgePortState?: string;
  /** Name of the VRF it belongs to. */
  readonly vrf?: string;
  /** Routing table of the VRF that it is, or belongs to; by number or name, as routes name it. */
  readonly vrfTable?: string;
  /** Group of interfaces (`default` unless set), as rules with `suppress_ifgroup` name it. */
  readonly group?: string;
  /** XDP programs that are attached, by mode. */
  readonly xdp: readonly { readonly mode: string; readonly id?: number; readonly name?: string }[];
  readonly counters: LinkCounters;
  /** Growth over the watch; empty when nothing was watched. */
  readonly growth: LinkCounters;
}

/** One address of an interface. */
export interface LinkAddress {
  readonly family: 4 | 6;
  readonly address: string;
  readonly prefixLength: number;
  readonly device: string;
  readonly scope: string;
  /** `tentative`, `dadfailed`, `deprecated`, `nodad`, `temporary`, `secondary`, ... */
  readonly flags: readonly string[];
}

/** A queueing discipline, filter or program on the way of a packet through an interface. */
export interface TrafficControl {
  readonly device: string;
  readonly where: 'ingress' | 'egress' | 'root';
  /** `tbf`, `fq_codel`, `clsact`, `bpf`, `police`, ... */
  readonly kind: string;
  readonly handle?: string;
  /** As `tc` prints its parameters. */
  readonly text: string;
  readonly dropped: number;
  readonly overlimits: number;
  readonly droppedDelta: number;
  readonly overlimitsDelta: number;
  /** A filter that surely drops this packet by what it says (action drop with a match that covers the attempt). */
  readonly dropsSyn?: boolean;
  readonly dropsAnswer?: boolean;
}

/** A BPF program that can decide about a handshake. */
export interface BpfAttachment {
  readonly hook:
    | 'xdp'
    | 'tc-ingress'
    | 'tc-egress'
    | 'cgroup-ingress'
    | 'cgroup-egress'
    | 'cgroup-connect4'
    | 'cgroup-connect6'
    | 'cgroup-other'
    | 'sk-lookup'
    | 'reuseport'
    | 'socket-filter'
    | 'lsm'
    | 'other';
  readonly id?: number;
  readonly name?: string;
  /** Interface, cgroup path or netns. */
  readonly target?: string;
  /** Whether it lies on the way of this attempt (the listener's or client's cgroup, the interface of the SYN), where that can be told. */
  readonly onPath?: boolean;
}
