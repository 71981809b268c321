import type { IpLink, IpLinkAddress, IpLinkCounters } from '../../formats/iproute/addr.ts';
/** Counters of an interface; each grows only. */
export type LinkCounters = IpLinkCounters;

/** One network interface. */
export interface Link extends IpLink {
  /** Growth over the watch; empty when nothing was watched. */
  readonly growth: LinkCounters;
}

/** One address of an interface. */
export type LinkAddress = IpLinkAddress;

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
