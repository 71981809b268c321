import type { Attempt, NeighbourActivity, Surroundings } from './attempt.ts';
import type { AddressProbe, PathProbe, ProxySetting, Resolution } from './client.ts';
import type { KernelTrace } from './kernel-events.ts';
import type { BpfAttachment, Link, LinkAddress, TrafficControl } from './links.ts';
import type { Conntrack, NfQueue, PacketFilter } from './packet-filter.ts';
import type { Neighbour, NetworkChange, Route, RouteLookup, RoutingRule, XfrmPolicy } from './routing.ts';
import type { RuleTrace } from './rule-trace.ts';
import type { OtherNamespace, SocketTable } from './sockets.ts';

/** Counters of the kernel, read before and after the attempt. */
export interface Counters {
  /** By the name that nstat gives them: `TcpExtListenDrops`, `IpOutNoRoutes`, `Ip6OutNoRoutes`, `XfrmOutPolBlock`, `nf_conntrack.drop`, `synproxy.cookie_valid`. */
  readonly now: Readonly<Record<string, number>>;
  /** Growth during the watch; a name that is absent did not grow. Empty when `intervalMs` is 0. */
  readonly growth: Readonly<Record<string, number>>;
  /** Length of the watch; 0 when there was only one reading, so that nothing is known of growth. */
  readonly intervalMs: number;
}

/** The machine itself. */
export interface Machine {
  readonly hostname: string;
  /** `uname -r`, and its first two numbers. */
  readonly kernelRelease: string;
  readonly kernelVersion: readonly [major: number, minor: number];
  /** Whether we are root, or hold CAP_NET_ADMIN in the namespace that is looked at. */
  readonly privileged: boolean;
  readonly uptimeSeconds?: number;
  /** Share of time in which some task waited for memory, over ten seconds (PSI `some avg10`), in per cent. */
  readonly memoryPressurePercent?: number;
}

/** Every fact that a cause can ask for, by name. All are of one host, around one attempt. */
export interface FactMap {
  readonly attempt: Attempt;
  readonly surroundings: Surroundings;
  /** ARP and neighbour discovery that the capture saw. */
  readonly neighbourActivity: readonly NeighbourActivity[];
  readonly machine: Machine;
  /** Of the network namespace. */
  readonly counters: Counters;
  /** Of the whole machine: other namespaces move them too (`arp_cache.res_failed`, `rt_cache.in_martian_src`, `softnet.dropped`). */
  readonly hostCounters: Counters;
  readonly links: readonly Link[];
  readonly addresses: readonly LinkAddress[];
  readonly routes: readonly Route[];
  readonly rules: readonly RoutingRule[];
  readonly neighbours: readonly Neighbour[];
  /** On the server: the exact lookup of the SYN-ACK. On the client: that of the SYN. */
  readonly outgoingRoute: RouteLookup;
  /** The input path of the packet that comes in (`iif`): SYN on the server, SYN-ACK on the client; it runs the source check. */
  readonly incomingRoute: RouteLookup;
  readonly sockets: SocketTable;
  /** Values of /proc/sys by dotted name: `net.ipv4.tcp_syncookies`, `net.ipv4.conf.eth0.rp_filter`. */
  readonly sysctls: Readonly<Record<string, string>>;
  readonly packetFilter: PacketFilter;
  /** Only when the watch was allowed to put a trace rule into nftables. */
  readonly ruleTrace: RuleTrace;
  readonly conntrack: Conntrack;
  readonly nfQueues: readonly NfQueue[];
  readonly xfrmPolicies: readonly XfrmPolicy[];
  readonly trafficControl: readonly TrafficControl[];
  readonly bpfPrograms: readonly BpfAttachment[];
  readonly kernelTrace: KernelTrace;
  /** Lines of the kernel log of the time of the watch that concern the network. */
  readonly kernelLog: readonly { readonly beforeMs?: number; readonly text: string }[];
  readonly networkChanges: readonly NetworkChange[];
  readonly otherNamespaces: readonly OtherNamespace[];
  /** Cached metrics of the peer (`ip tcp_metrics`): an entry with an RTT makes it "proven". */
  readonly peerMetrics: { readonly known: boolean; readonly hasRtt: boolean };
  readonly resolution: Resolution;
  readonly proxies: readonly ProxySetting[];
  readonly addressProbes: readonly AddressProbe[];
  readonly pathProbe: PathProbe;
}

/** Name of a fact. */
export type FactName = keyof FactMap;
