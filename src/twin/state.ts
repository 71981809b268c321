import type { IpLink, IpLinkAddress } from '../formats/iproute/addr.ts';
import type { IpNeighbour } from '../formats/iproute/neighbours.ts';
import type { IpRoute } from '../formats/iproute/routes.ts';
import type { SocketRow } from '../formats/ss/socket-row.ts';
import type { ListenerOptions } from '../host/host.ts';

/** Version of {@link HostState}; a twin is built only from a state of its own version. */
export const STATE_VERSION = 1;

/** One interface. */
export interface LinkState extends Omit<IpLink, 'counters'> {
  /** What it is as a port: `bridge`, `bond`, `vrf`. */
  readonly portKind?: string;
  /** Words of `ip link` that tell its kind more closely, as far as a twin makes the kind: `vlan_filtering 1`. */
  readonly kindArguments?: string;
  /** The interface that it lies on (`eth0.5@eth0`). */
  readonly lower?: string;
}

/** One address of an interface. */
export interface AddressState extends IpLinkAddress {
  /** Peer of a point-to-point link. */
  readonly peer?: string;
  readonly broadcast?: string;
}

/** A part of the queueing disciplines of an interface. */
export interface Shaper {
  readonly device: string;
  readonly type: 'qdisc' | 'class' | 'filter';
  /** What messages call it. */
  readonly name: string;
  /** Body of the netlink message that makes it (`struct tcmsg` and attributes), hexadecimal. */
  readonly body: string;
}

/** One entry of a routing table. */
export interface RouteState extends IpRoute {
  /** Its words for `ip route add`, `ip -6 route add`: `default via 192.0.2.1 dev eth0 proto static`. It is also what a report calls it. */
  readonly line: string;
  /** An IPv6 route whose lifetime is over: it is still listed, and no longer used. */
  readonly isExpired: boolean;
}

/** One policy routing rule. */
export interface RuleState {
  readonly family: 4 | 6;
  readonly priority: number;
  /** Its words for `ip rule add`, without the priority: `from 10.0.0.0/8 lookup 100`. */
  readonly line: string;
}

/** Rules of one variant of iptables, as its `-save -c` printed them. */
export interface SavedRules {
  readonly tool: 'iptables-nft' | 'ip6tables-nft' | 'iptables-legacy' | 'ip6tables-legacy';
  readonly family: 4 | 6;
  readonly text: string;
}

/** Rules of nftables. */
export interface SavedNft {
  /** `text` as `nft -a list ruleset` prints it, with handles; `json` only where a recording holds nothing else. */
  readonly form: 'text' | 'json';
  readonly text: string;
}

/** One TCP socket. */
export interface SocketState extends SocketRow {
  /** Where it could be had. */
  readonly options?: ListenerOptions;
}

/** One filter of tc, as the kernel dumps it. */
export interface TrafficFilter {
  readonly device: string;
  readonly hook: 'ingress' | 'egress';
  /** `bpf`, `flower`, `u32`, ... */
  readonly kind: string;
  /** What a report calls it: `bpf dev eth0 ingress protocol all pref 49152 handle 0x1`. */
  readonly name: string;
  /** Body of its message (`struct tcmsg` and attributes), hexadecimal; absent when it cannot be made again: a program of eBPF. */
  readonly body?: string;
}

/** What could not be read of a host, and so is not in its twin. */
export interface NotRead {
  /** For example `rules of nftables`. */
  readonly what: string;
  readonly reason: string;
}

/**
 * The network state of one host (of one network namespace of it) at one moment: everything a twin is made of. Plain JSON; no
 * secrets: neither keys of IPsec nor of TCP-MD5, no payload, no arguments of processes.
 */
export interface HostState {
  readonly version: number;
  /** What it was read from, as `--on` names it. */
  readonly on: string;
  /** Release of its kernel. */
  readonly kernel?: string;
  readonly links: readonly LinkState[];
  readonly addresses: readonly AddressState[];
  readonly routes: readonly RouteState[];
  readonly rules: readonly RuleState[];
  readonly neighbours: readonly IpNeighbour[];
  /** Lines of `ip nexthop show`. */
  readonly nexthops: readonly string[];
  readonly nft?: SavedNft;
  readonly iptables: readonly SavedRules[];
  /** What `ipset save` printed. */
  readonly ipsets?: string;
  /** Values by path below /proc/sys/net: `ipv4/conf/eth0/rp_filter`. */
  readonly sysctls: Readonly<Record<string, string>>;
  /** Listeners, and of other sockets those that matter: half-open ones, and connections with the client. */
  readonly sockets: readonly SocketState[];
  /** What `ip xfrm policy` printed, entry by entry. */
  readonly xfrmPolicies: readonly string[];
  /** How many security associations IPsec has; absent when that is not known. Their keys are never read. */
  readonly xfrmStates?: number;
  /** What `tc qdisc show` printed, line by line, without counters. */
  readonly qdiscs: readonly string[];
  /** Those of them that can keep packets back, as the kernel takes them again; absent where only their lines are known. */
  readonly shapers?: readonly Shaper[];
  /** Qdiscs that only hold filters: `eth0 clsact`. */
  readonly filterHooks: readonly string[];
  /** Filters of tc at these; absent where only their hooks are known. */
  readonly trafficFilters?: readonly TrafficFilter[];
  /** BPF programs in the way of the listeners that no twin has: `cgroup_skb deny`. */
  readonly bpfPrograms: readonly string[];
  readonly conntrack: { readonly count?: number; readonly max?: number };
  readonly notRead: readonly NotRead[];
}
