import {
  type Attribute,
  addressOf,
  attribute,
  decodeAttributes,
  encodeAttributes,
  find,
  findAddress,
  findNumber,
  u32,
  viewOf,
} from './attributes.ts';
import { known } from './known.ts';
import { align4, type NetlinkMessage } from './message.ts';
import { AF_INET, AF_INET6, RTM_DELROUTE, RTM_NEWROUTE } from './rtnetlink.ts';

/** Where a route leads: one of several for a multipath route. */
export interface NetlinkNexthop {
  readonly gateway?: string;
  readonly linkIndex?: number;
  /** Share of the traffic; 1 for a route with one next hop. */
  readonly weight: number;
  /** RTNH_F_* (linux/rtnetlink.h). */
  readonly flags: number;
}

/** A route (`struct rtmsg`, linux/rtnetlink.h). */
export interface NetlinkRoute {
  readonly family: number;
  /** Absent for the default route. */
  readonly destination?: string;
  readonly destinationLength: number;
  readonly source?: string;
  readonly sourceLength: number;
  readonly table: number;
  /** RTPROT_*: 2 kernel, 3 boot, 4 static, 9 router advertisement, 16 DHCP. */
  readonly protocol: number;
  readonly scope: number;
  /** RTN_*: 1 unicast, 2 local, 6 blackhole, 7 unreachable, 8 prohibit. */
  readonly type: number;
  readonly tos: number;
  /** RTM_F_* and RTNH_F_*. */
  readonly flags: number;
  readonly metric?: number;
  readonly preferredSource?: string;
  /** Empty for a route that leads nowhere, and for one that names a next hop object. */
  readonly nexthops: readonly NetlinkNexthop[];
  /** Number of a next hop object (RTA_NH_ID). */
  readonly nexthopId?: number;
  /** Time that the route has left, in units of USER_HZ (1/100 s); below 0 it is listed, but no longer used (IPv6). */
  readonly expires?: number;
  readonly attributes: readonly Attribute[];
}

/** The next hop is not used: its interface is down. */
const RTNH_F_DEAD = 1;
const RTNH_F_ONLINK = 4;
/** Its interface has no carrier. */
const RTNH_F_LINKDOWN = 16;
/** The route was made by a lookup (a cached exception), not by anybody who configured it. */
export const RTM_F_CLONED = 0x200;

const RTA_DST = 1;
const RTA_SRC = 2;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_PREFSRC = 7;
const RTA_MULTIPATH = 9;
const RTA_CACHEINFO = 12;
const RTA_TABLE = 15;
const RTA_VIA = 18;
const RTA_NH_ID = 30;
const ROUTE_HEAD_BYTES = 12;
const NEXTHOP_HEAD_BYTES = 8;

/** Decodes RTM_NEWROUTE and RTM_DELROUTE of IPv4 and IPv6; undefined for other messages. */
export function decodeRoute({ type, body }: NetlinkMessage): NetlinkRoute | undefined {
  if ((type !== RTM_NEWROUTE && type !== RTM_DELROUTE) || body.length < ROUTE_HEAD_BYTES) return undefined;
  if (body[0] !== AF_INET && body[0] !== AF_INET6) return undefined;
  const attributes = decodeAttributes(body, ROUTE_HEAD_BYTES);
  const flags = viewOf(body).getUint32(8, true);
  const cache = find(attributes, RTA_CACHEINFO);
  return {
    family: body[0],
    ...known('destination', findAddress(attributes, RTA_DST)),
    destinationLength: body[1]!,
    ...known('source', findAddress(attributes, RTA_SRC)),
    sourceLength: body[2]!,
    table: findNumber(attributes, RTA_TABLE) ?? body[4]!,
    protocol: body[5]!,
    scope: body[6]!,
    type: body[7]!,
    tos: body[3]!,
    flags,
    ...known('metric', findNumber(attributes, RTA_PRIORITY)),
    ...known('preferredSource', findAddress(attributes, RTA_PREFSRC)),
    nexthops: nexthopsOf(attributes, flags & 0xff),
    ...known('nexthopId', findNumber(attributes, RTA_NH_ID)),
    ...known('expires', cache !== undefined && cache.length >= 12 ? expiry(cache) : undefined),
    attributes,
  };
}

/** `rta_expires` of `struct rta_cacheinfo`; 0 stands for a route that does not expire. */
function expiry(cache: Uint8Array): number | undefined {
  const value = viewOf(cache).getInt32(8, true);
  return value === 0 ? undefined : value;
}

function nexthopsOf(attributes: readonly Attribute[], flags: number): NetlinkNexthop[] {
  const several = find(attributes, RTA_MULTIPATH);
  if (several !== undefined) return multipath(several);
  const gateway = gatewayOf(attributes);
  const linkIndex = findNumber(attributes, RTA_OIF);
  if (gateway === undefined && linkIndex === undefined) return [];
  return [{ ...known('gateway', gateway), ...known('linkIndex', linkIndex), weight: 1, flags }];
}

/** RTA_GATEWAY, or RTA_VIA for a gateway of the other family: two bytes of family go ahead. */
function gatewayOf(attributes: readonly Attribute[]): string | undefined {
  const via = find(attributes, RTA_VIA);
  return findAddress(attributes, RTA_GATEWAY) ?? (via === undefined ? undefined : addressOf(via.subarray(2)));
}

/** A list of `struct rtnexthop`, each with its attributes. */
function multipath(bytes: Uint8Array): NetlinkNexthop[] {
  const view = viewOf(bytes);
  const hops: NetlinkNexthop[] = [];
  for (let at = 0; at + NEXTHOP_HEAD_BYTES <= bytes.length; ) {
    const length = view.getUint16(at, true);
    if (length < NEXTHOP_HEAD_BYTES || at + length > bytes.length) break;
    const inner = decodeAttributes(bytes.subarray(at, at + length), NEXTHOP_HEAD_BYTES);
    hops.push({
      ...known('gateway', gatewayOf(inner)),
      linkIndex: view.getInt32(at + 4, true),
      weight: bytes[at + 3]! + 1,
      flags: bytes[at + 2]!,
    });
    at += align4(length);
  }
  return hops;
}

/** What {@link encodeRoute} takes: a route with one next hop or none. Addresses are 4 or 16 bytes. */
export interface RouteRequest {
  readonly family: 4 | 6;
  readonly destination?: Uint8Array;
  readonly destinationLength: number;
  readonly gateway?: Uint8Array;
  readonly linkIndex?: number;
  readonly table?: number;
  readonly metric?: number;
  readonly protocol?: number;
  readonly scope?: number;
  readonly type?: number;
  /** The gateway is on the link, even where no address of the host says so. */
  readonly onLink?: boolean;
}

const RT_TABLE_MAIN = 254;
const RTPROT_STATIC = 4;
const RT_SCOPE_LINK = 253;
const RTN_UNICAST = 1;

/** The body of a request to add or delete a route. */
export function encodeRoute(route: RouteRequest): Uint8Array {
  const head = new Uint8Array(ROUTE_HEAD_BYTES);
  const table = route.table ?? RT_TABLE_MAIN;
  head[0] = route.family === 4 ? AF_INET : AF_INET6;
  head[1] = route.destinationLength;
  head[4] = table < 256 ? table : 0;
  head[5] = route.protocol ?? RTPROT_STATIC;
  head[6] = route.scope ?? (route.family === 4 && route.gateway === undefined ? RT_SCOPE_LINK : 0);
  head[7] = route.type ?? RTN_UNICAST;
  viewOf(head).setUint32(8, route.onLink === true ? RTNH_F_ONLINK : 0, true);
  const list = [
    ...(route.destination === undefined ? [] : [attribute(RTA_DST, route.destination)]),
    ...(route.gateway === undefined ? [] : [attribute(RTA_GATEWAY, route.gateway)]),
    ...(route.linkIndex === undefined ? [] : [attribute(RTA_OIF, u32(route.linkIndex))]),
    ...(route.metric === undefined ? [] : [attribute(RTA_PRIORITY, u32(route.metric))]),
    attribute(RTA_TABLE, u32(table)),
  ];
  return encodeAttributes(list, head);
}

/** The body of a message of a dump as a request that makes the same route again: without what only the kernel may say. */
export function routeAgain(body: Uint8Array): Uint8Array {
  const head = body.slice(0, ROUTE_HEAD_BYTES);
  const view = viewOf(head);
  view.setUint32(8, (view.getUint32(8, true) & ~KERNEL_FLAGS) >>> 0, true);
  const list = decodeAttributes(body, ROUTE_HEAD_BYTES)
    .filter(({ type }) => type !== RTA_CACHEINFO && type !== RTA_EXPIRES)
    .map((one) => (one.type === RTA_MULTIPATH ? { ...one, value: withoutLinkState(one.value) } : one));
  return encodeAttributes(list, head);
}

const RTA_EXPIRES = 23;
/** RTNH_F_DEAD, RTNH_F_LINKDOWN, RTNH_F_OFFLOAD, RTM_F_OFFLOAD, RTM_F_TRAP, RTM_F_OFFLOAD_FAILED. */
const KERNEL_FLAGS = RTNH_F_DEAD | RTNH_F_LINKDOWN | 8 | 0x4000 | 0x8000 | 0x2000_0000;

function withoutLinkState(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  const view = viewOf(copy);
  for (let at = 0; at + NEXTHOP_HEAD_BYTES <= copy.length; ) {
    const length = view.getUint16(at, true);
    if (length < NEXTHOP_HEAD_BYTES) break;
    copy[at + 2]! &= ~(RTNH_F_DEAD | RTNH_F_LINKDOWN | 8);
    at += align4(length);
  }
  return copy;
}
