import { parseAddress } from '../wire/address.ts';
import type { LookupErrno } from './route-get.ts';
import type { IpNextHop, IpRoute } from './routes.ts';
import type { IpRule } from './rules.ts';

/** What a packet looks like to the routing code (`struct flowi4`, `struct flowi6`). */
export interface RouteFlow {
  readonly family: 4 | 6;
  readonly destination: string;
  /** Absent when none is chosen yet. */
  readonly source?: string;
  readonly ipProtocol?: number;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly mark?: number;
  readonly uid?: number;
  readonly tos?: number;
  /** Interface through which the packet came in; absent for one that this host makes (the kernel then takes `lo`). */
  readonly iif?: string;
  /** Interface through which it must leave. */
  readonly oif?: string;
  /** Only routes through `oif` count (IPv6: `RT6_LOOKUP_F_IFACE`, for bound sockets and link-local destinations). */
  readonly strict?: true;
  /** Table of the VRF that the packet belongs to, because of `iif` or `oif`. */
  readonly vrfTable?: string;
}

/** Recorded rules and tables of one host. */
export interface RouteTables {
  readonly rules: readonly IpRule[];
  readonly routes: readonly IpRoute[];
  /** Group of an interface; `default` unless known. */
  readonly groupOf?: (device: string) => string | undefined;
  /**
   * IPv6 without forwarding: gateways whose neighbour entry is FAILED are left out while there are others
   * (`rt6_check_neigh()`, RFC 4191 section 3.2).
   */
  readonly gatewayFailed?: (gateway: string, device: string | undefined) => boolean;
}

/** What the rules and tables answer, and which of them decided. */
export interface RouteDecision {
  /** The kernel's error; absent when a route was found. */
  readonly errno?: LookupErrno;
  /** The route that was found, or that refuses. */
  readonly route?: IpRoute;
  /** The rule that led to it, or that refuses. */
  readonly rule?: IpRule;
  /** The ways that may be taken: several when the kernel chooses among them by a hash, or by what it knows of neighbours. */
  readonly nextHops: readonly IpNextHop[];
  /** No route, but a `throw` route kept one of the same table from being found. */
  readonly thrownBy?: IpRoute;
  /** No route, but a rule suppressed one that was found. */
  readonly suppressedBy?: IpRule;
  /** IPv4 with `oif` and no route: the kernel takes the destination to be on that link. */
  readonly assumedOnLink?: true;
  /** False when it hangs on words that are not understood, or on something that tables do not show. */
  readonly certain: boolean;
}

/** A flow with its addresses in bytes, parsed once. */
export interface ParsedFlow extends RouteFlow {
  readonly destinationBytes: Uint8Array;
  readonly sourceBytes: Uint8Array | undefined;
}

/** Parses the addresses of a flow; undefined when they are not of its family. An unspecified source is none. */
export function parseFlow(flow: RouteFlow): ParsedFlow | undefined {
  const length = flow.family === 4 ? 4 : 16;
  const destinationBytes = parseAddress(flow.destination);
  const source = flow.source === undefined ? undefined : parseAddress(flow.source);
  if (destinationBytes?.length !== length || (flow.source !== undefined && source?.length !== length)) return undefined;
  return { ...flow, destinationBytes, sourceBytes: source?.some((byte) => byte !== 0) ? source : undefined };
}
