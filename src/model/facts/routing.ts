import type { IpRule } from '../../formats/iproute/rules.ts';
/** Why the kernel cannot route, by the type of the route or rule that it met. */
export type RouteFailure = 'no-route' | 'unreachable' | 'prohibit' | 'blackhole' | 'throw' | 'invalid-source' | 'other';

/** Types of routes (`RTN_*`, linux/rtnetlink.h). */
export type RouteType =
  | 'unicast'
  | 'local'
  | 'broadcast'
  | 'anycast'
  | 'multicast'
  | 'blackhole'
  | 'unreachable'
  | 'prohibit'
  | 'throw'
  | 'nat';

/** One way of a route. */
export interface NextHop {
  readonly device?: string;
  readonly gateway?: string;
  readonly weight?: number;
  /** `dead`, `linkdown`, `onlink`, ... */
  readonly flags: readonly string[];
}

/** One entry of a routing table. */
export interface Route {
  readonly family: 4 | 6;
  /** Table by number or name: `main`, `local`, `100`. */
  readonly table: string;
  readonly type: RouteType;
  /** `default` spelled out: `0.0.0.0/0`, `::/0`. */
  readonly destination: string;
  /** Only routes that are chosen by source as well (IPv6 subtrees). */
  readonly from?: string;
  readonly nextHops: readonly NextHop[];
  readonly preferredSource?: string;
  readonly metric?: number;
  /** `static`, `kernel`, `ra`, `dhcp`, ... */
  readonly protocol?: string;
  readonly scope?: string;
  /** Seconds until an advertised route expires. */
  readonly expiresSeconds?: number;
  /** Only packets with this type of service (IPv4). */
  readonly tos?: number;
  /** Preference of a router (RFC 4191), only IPv6; `medium` when absent. */
  readonly preference?: 'low' | 'high';
}

/** One policy routing rule. */
export type RoutingRule = IpRule;

/** The answer of the kernel (or of recorded tables) to one route lookup. */
export interface RouteLookup {
  /** The question, as a command that asks it again. */
  readonly command: readonly string[];
  /** What it asks, for a sentence: `2001:db8:2::2 → 2001:db8:1::2 tcp sport 443`. */
  readonly question: string;
  readonly ok: boolean;
  /** Only when it failed. */
  readonly failure?: RouteFailure;
  /** The kernel's message, only when it failed: `Network is unreachable`. */
  readonly message?: string;
  /** `local` when the packet is delivered to this host itself. */
  readonly type?: RouteType;
  readonly device?: string;
  readonly gateway?: string;
  readonly source?: string;
  readonly table?: string;
  /** The route or rule that decided, where it can be told. */
  readonly matchedRoute?: Route;
  readonly matchedRule?: RoutingRule;
  /** Computed from recorded tables instead of asked of the kernel. */
  readonly computed?: true;
}

/** One entry of the neighbour cache (ARP, ND). */
export interface Neighbour {
  readonly address: string;
  readonly device: string;
  readonly linkAddress?: string;
  /** `REACHABLE`, `STALE`, `DELAY`, `PROBE`, `FAILED`, `INCOMPLETE`, `NOARP`, `PERMANENT`. */
  readonly states: readonly string[];
}

/** A change of routes, links, addresses or rules that was seen during the watch or is in the journal. */
export interface NetworkChange {
  /** When, before the first SYN (negative after it), in milliseconds. */
  readonly beforeMs: number;
  readonly what:
    | 'route-added'
    | 'route-deleted'
    | 'link-up'
    | 'link-down'
    | 'address-added'
    | 'address-deleted'
    | 'rule-added'
    | 'rule-deleted'
    | 'other';
  readonly text: string;
  readonly source: string;
}

/** IPsec policy (`ip xfrm policy`). */
export interface XfrmPolicy {
  readonly direction: 'in' | 'out' | 'fwd' | 'other';
  readonly source: string;
  readonly destination: string;
  readonly action: 'allow' | 'block';
  /** Protocols of its templates (`esp`, `ah`); empty when it asks for none. */
  readonly templates: readonly string[];
  /** Whether its selector covers this attempt in that direction. */
  readonly matches: boolean;
  readonly text: string;
}
