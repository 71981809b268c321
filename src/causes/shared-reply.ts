import { sysctlNumber } from '../model/cause-facts.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import type { KernelTrace } from '../model/facts/kernel-events.ts';
import type { NextHop, Route, RouteLookup, RoutingRule } from '../model/facts/routing.ts';
import type { Listener, SocketTable } from '../model/facts/sockets.ts';
import { prefixBits, prefixContains } from '../model/prefix.ts';

/**
 * The reverse path filter that is in force on an interface: the larger of `conf.all` and its own
 * (Documentation/networking/ip-sysctl.rst). 0 off, 1 strict, 2 loose.
 */
export function rpFilterMode(
  sysctls: Readonly<Record<string, string>> | undefined,
  device: string | undefined,
): number {
  const all = sysctlNumber(sysctls, 'net.ipv4.conf.all.rp_filter') ?? 0;
  const own = device === undefined ? 0 : (sysctlNumber(sysctls, `net.ipv4.conf.${device}.rp_filter`) ?? 0);
  return Math.max(all, own);
}

/** The kernel's own last lookup of the reply; earlier tables may fail in a healthy host as well. */
export function lastReplyLookup(
  trace: KernelTrace | undefined,
): { readonly table: number; readonly err: number } | undefined {
  const last = trace?.events.findLast((event) => event.kind === 'route-lookup' && event.purpose === 'reply');
  return last?.kind === 'route-lookup' ? last : undefined;
}

/** Routes of a family that cover an address, the most specific first and of those the one with the smallest metric; those that are chosen by source as well are left out. */
export function coveringRoutes(routes: readonly Route[] | undefined, family: 4 | 6, address: string): readonly Route[] {
  return (routes ?? [])
    .filter(
      (route) => route.family === family && route.from === undefined && prefixContains(route.destination, address),
    )
    .sort(
      (a, b) =>
        (prefixBits(b.destination) ?? 0) - (prefixBits(a.destination) ?? 0) || (a.metric ?? 0) - (b.metric ?? 0),
    );
}

/** Whether a way can be used: its interface is neither down nor without carrier. */
export function isAlive({ flags }: NextHop): boolean {
  return !flags.includes('dead') && !flags.includes('linkdown');
}

/** A route as `ip route` prints it: `default via 192.0.2.254 dev eth0 (table main)`. */
export function routeName({ type, destination, nextHops, table }: Route): string {
  const [hop] = nextHops;
  const words = [
    ...(type === 'unicast' ? [] : [type]),
    prefixBits(destination) === 0 ? 'default' : destination,
    ...(hop?.gateway === undefined ? [] : ['via', hop.gateway]),
    ...(hop?.device === undefined || type !== 'unicast' ? [] : ['dev', hop.device]),
  ];
  return `"${words.join(' ')}" in table ${table}`;
}

/** Who the lookup was asked for: the listener, whose mark, user and device the kernel takes for its SYN-ACK (`inet_csk_route_req()`). */
export type ReplySender = Pick<Listener, 'mark' | 'uid' | 'device'>;

/** Whether a rule applies to the reply of the attempt as it was looked up; undefined when that hangs on something that is not known. */
function coversReply(
  rule: RoutingRule,
  { client, server, family }: Attempt,
  { mark = 0, uid, device }: ReplySender,
): boolean | undefined {
  if (rule.family !== family) return false;
  const inside = (prefix: string | undefined, address: string): boolean =>
    prefix === undefined || prefix === 'all' || prefixContains(prefix, address);
  const within = (range: readonly [number, number] | undefined, value: number): boolean =>
    range === undefined || (range[0] <= value && value <= range[1]);
  const fits =
    inside(rule.from, server.address) &&
    inside(rule.to, client.address) &&
    (rule.iif === undefined || rule.iif === 'lo') &&
    (rule.oif === undefined || rule.oif === device) &&
    (rule.tos ?? 0) === 0 &&
    (rule.ipProtocol === undefined || rule.ipProtocol === 6) &&
    (rule.fwmark === undefined || ((mark ^ rule.fwmark) & (rule.fwmask ?? 0xffff_ffff)) === 0) &&
    (uid === undefined || within(rule.uids, uid)) &&
    within(rule.sourcePorts, server.port) &&
    within(rule.destinationPorts, client.port);
  if (fits && (rule.l3mdev === true || (rule.uids !== undefined && uid === undefined))) return undefined;
  return rule.not === true ? !fits : fits;
}

/** What was asked, and the rules and routes that answered. */
export interface ReplyFacts {
  readonly attempt: Attempt;
  readonly outgoingRoute: RouteLookup;
  readonly sockets: SocketTable;
  readonly routes?: readonly Route[] | undefined;
  readonly rules?: readonly RoutingRule[] | undefined;
}

/** The rule of type unreachable, prohibit or blackhole that ended a failed lookup of the reply. */
export function rejectingRule({ attempt, outgoingRoute, sockets, rules }: ReplyFacts): RoutingRule | undefined {
  const { ok, matchedRule } = outgoingRoute;
  if (ok) return undefined;
  if (matchedRule !== undefined) return isReject(matchedRule) ? matchedRule : undefined;
  const sender = sockets.matching[0] ?? {};
  return rules?.find((rule) => isReject(rule) && coversReply(rule, attempt, sender) === true);
}

function isReject({ action }: RoutingRule): boolean {
  return action === 'unreachable' || action === 'prohibit' || action === 'blackhole';
}

/**
 * A route of table main that leads to the client although the lookup found none: the rules do not let the reply reach it. Undefined when
 * the lookup succeeded, when there is no such route, or when the rules lead to table main without a condition.
 */
export function routeOutOfReach({
  attempt,
  outgoingRoute,
  sockets,
  routes,
  rules,
}: ReplyFacts): { readonly route: Route; readonly rule?: RoutingRule } | undefined {
  if (outgoingRoute.ok || outgoingRoute.failure !== 'no-route' || rules === undefined) return undefined;
  const route = coveringRoutes(routes, attempt.family, attempt.client.address).find(
    ({ type, table, nextHops }) => type === 'unicast' && table === 'main' && nextHops.some(isAlive),
  );
  if (route === undefined) return undefined;
  const toMain = rules.filter(({ family, table }) => family === attempt.family && table === 'main');
  const bits = prefixBits(route.destination) ?? 0;
  const blocks = ({ suppressPrefixLength }: RoutingRule): boolean =>
    suppressPrefixLength !== undefined && bits <= suppressPrefixLength;
  const sender = sockets.matching[0] ?? {};
  if (toMain.some((rule) => coversReply(rule, attempt, sender) !== false && !blocks(rule))) return undefined;
  const rule = toMain.find(blocks) ?? toMain[0];
  return rule === undefined ? { route } : { route, rule };
}

/** The route that refuses the client (unreachable, prohibit, blackhole), or a throw route that hides a usable one behind it in its table. */
export function rejectRoute({ attempt, outgoingRoute, routes }: Omit<ReplyFacts, 'sockets'>): Route | undefined {
  const { ok, failure, matchedRoute } = outgoingRoute;
  if (ok) return undefined;
  const covering = coveringRoutes(routes, attempt.family, attempt.client.address);
  if (failure !== 'no-route' && failure !== 'throw') {
    const refuses = matchedRoute !== undefined && matchedRoute.type !== 'unicast';
    return refuses ? matchedRoute : covering.find(({ type }) => type === failure);
  }
  return covering.find(
    (route) =>
      route.type === 'throw' &&
      covering.find(({ table }) => table === route.table) === route &&
      covering.some(
        ({ type, table, nextHops }) => type === 'unicast' && table === route.table && nextHops.some(isAlive),
      ),
  );
}

/** Whether a failed lookup failed for want of a route: nothing refused it, and a throw route that was met hides nothing. */
export function isWithoutRoute(facts: Omit<ReplyFacts, 'sockets'>): boolean {
  const { ok, failure } = facts.outgoingRoute;
  return !ok && (failure === 'no-route' || (failure === 'throw' && rejectRoute(facts) === undefined));
}
