import { type IpRecord, number, parseIpJson, present, record, records, text, texts } from './ip-json.ts';
import { EVERYTHING } from './prefix.ts';
import { parseTos } from './tos.ts';

/** A type of service that is named by something we do not know: not 0, which is all that a SYN needs to know. */
const UNKNOWN_TOS = 0xff;

/** Types of routes (`RTN_*`, linux/rtnetlink.h). */
export type IpRouteType =
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

const TYPES: ReadonlySet<string> = new Set([
  'unicast',
  'local',
  'broadcast',
  'anycast',
  'multicast',
  'blackhole',
  'unreachable',
  'prohibit',
  'throw',
  'nat',
] satisfies IpRouteType[]);

/** One way of a route. */
export interface IpNextHop {
  readonly device?: string;
  readonly gateway?: string;
  readonly weight?: number;
  /** `dead`, `linkdown`, `onlink`, ... */
  readonly flags: readonly string[];
}

/** One entry of a routing table, as `ip -j route show` prints it. */
export interface IpRoute {
  readonly family: 4 | 6;
  readonly table: string;
  readonly type: IpRouteType;
  readonly destination: string;
  readonly from?: string;
  readonly nextHops: readonly IpNextHop[];
  readonly preferredSource?: string;
  readonly metric?: number;
  readonly protocol?: string;
  readonly scope?: string;
  readonly expiresSeconds?: number;
  readonly tos?: number;
  readonly preference?: 'low' | 'high';
}

/**
 * Parses `ip -j route show table all`, both families at once.
 * @returns undefined when it is not JSON.
 */
export function parseRoutes(json: string): readonly IpRoute[] | undefined {
  return parseIpJson(json)?.flatMap((entry) => {
    const route = parseRoute(entry);
    return route === undefined ? [] : [route];
  });
}

/** One entry of {@link parseRoutes}; undefined for what is not an IP route (MPLS labels), or the kernel's own mark for none. */
export function parseRoute(entry: IpRecord): IpRoute | undefined {
  const destination = text(entry, 'destination') ?? text(entry, 'dst');
  const type = text(entry, 'type') ?? 'unicast';
  if (destination === undefined || !TYPES.has(type) || isNullRoute(entry, type)) return undefined;
  const family = familyOf(entry, destination);
  if (destination !== 'default' && !/^[\da-f.:]+(\/\d+)?$/i.test(destination)) return undefined;
  const from = text(entry, 'from');
  const preference = text(entry, 'pref');
  return {
    family,
    table: text(entry, 'table') ?? 'main',
    type: type as IpRouteType,
    destination: destination === 'default' ? EVERYTHING[family] : destination,
    ...present('from', from === 'default' ? EVERYTHING[family] : from),
    nextHops: nextHopsOf(entry),
    ...present('preferredSource', text(entry, 'prefsrc')),
    ...present('metric', number(entry, 'metric')),
    ...present('protocol', text(entry, 'protocol')),
    ...present('scope', text(entry, 'scope')),
    ...present('expiresSeconds', number(entry, 'expires')),
    ...('tos' in entry ? { tos: parseTos(String(entry.tos)) ?? UNKNOWN_TOS } : {}),
    ...(preference === 'low' || preference === 'high' ? { preference } : {}),
  };
}

/** IPv6 routes always carry a preference (RTA_PREF, since Linux 4.1); IPv4 routes never do. Only `default` leaves it open otherwise. */
function familyOf(entry: IpRecord, destination: string): 4 | 6 {
  if (destination !== 'default') return destination.includes(':') ? 6 : 4;
  return 'pref' in entry || (text(entry, 'gateway') ?? '').includes(':') ? 6 : 4;
}

/** Before 4.20 IPv6 tables print an entry that stands for "no route": `unreachable default dev lo metric 4294967295 error -101`. */
function isNullRoute(entry: IpRecord, type: string): boolean {
  return type === 'unreachable' && (number(entry, 'metric') === 0xffff_ffff || text(entry, 'table') === 'unspec');
}

function nextHopsOf(entry: IpRecord): readonly IpNextHop[] {
  const several = records(entry, 'nexthops');
  if (several.length > 0) return several.map(nextHopOf);
  const one = nextHopOf(entry);
  return one.device === undefined && one.gateway === undefined ? [] : [one];
}

function nextHopOf(entry: IpRecord): IpNextHop {
  return {
    ...present('device', text(entry, 'dev')),
    // An IPv4 route by an IPv6 neighbour (RFC 5549) prints `via` in place of `gateway`.
    ...present('gateway', text(entry, 'gateway') ?? text(record(entry, 'via'), 'host')),
    ...present('weight', number(entry, 'weight')),
    flags: texts(entry, 'flags'),
  };
}
