import { sysctlNumber } from '../model/cause-facts.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import type { KernelTrace } from '../model/facts/kernel-events.ts';
import type { NextHop, Route, RouteLookup, RoutingRule } from '../model/facts/routing.ts';
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

/** Whether a rule applies to the reply of the attempt; undefined when that hangs on what is not known (a mark, a user, an interface). */
function coversReply(rule: RoutingRule, { client, server, family }: Attempt): boolean | undefined {
  if (rule.family !== family) return false;
  const inside = (prefix: string | undefined, address: string): boolean =>
    prefix === undefined || prefix === 'all' || prefixContains(prefix, address);
  const within = (range: readonly [number, number] | undefined, port: number): boolean =>
    range === undefined || (range[0] <= port && port <= range[1]);
  const fits =
    inside(rule.from, server.address) &&
    inside(rule.to, client.address) &&
    (rule.iif === undefined || rule.iif === 'lo') &&
    (rule.ipProtocol === undefined || rule.ipProtocol === 6) &&
    within(rule.sourcePorts, server.port) &&
    within(rule.destinationPorts, client.port);
  const unknown = [rule.fwmark, rule.oif, rule.tos, rule.uids, rule.l3mdev].some((selector) => selector !== undefined);
  if (fits && unknown) return undefined;
  return rule.not === true ? !fits : fits;
}

/** A rule that refuses the reply, and whether that is sure. */
export interface RejectingRule {
  readonly rule: RoutingRule;
  readonly sure: boolean;
}

/** The rule of type unreachable, prohibit or blackhole that ended a failed lookup of the reply. */
export function rejectingRule(
  attempt: Attempt,
  { ok, matchedRule }: RouteLookup,
  rules: readonly RoutingRule[] | undefined,
): RejectingRule | undefined {
  if (ok) return undefined;
  if (matchedRule !== undefined) return isReject(matchedRule) ? { rule: matchedRule, sure: true } : undefined;
  const candidates = (rules ?? []).filter(isReject);
  const sure = candidates.find((rule) => coversReply(rule, attempt) === true);
  if (sure !== undefined) return { rule: sure, sure: true };
  const rule = candidates.find((one) => coversReply(one, attempt) === undefined);
  return rule === undefined ? undefined : { rule, sure: false };
}

function isReject({ action }: RoutingRule): boolean {
  return action === 'unreachable' || action === 'prohibit' || action === 'blackhole';
}

/**
 * A route of table main that leads to the client although the lookup found none: the rules do not let the reply reach it. Undefined when
 * the lookup succeeded, when there is no such route, or when the rules lead to table main without a condition.
 */
export function routeOutOfReach(
  attempt: Attempt,
  { ok, failure }: RouteLookup,
  routes: readonly Route[] | undefined,
  rules: readonly RoutingRule[] | undefined,
): { readonly route: Route; readonly rule?: RoutingRule } | undefined {
  if (ok || failure !== 'no-route' || rules === undefined) return undefined;
  const route = coveringRoutes(routes, attempt.family, attempt.client.address).find(
    ({ type, table, nextHops }) => type === 'unicast' && table === 'main' && nextHops.some(isAlive),
  );
  if (route === undefined) return undefined;
  const toMain = rules.filter(({ family, table }) => family === attempt.family && table === 'main');
  const bits = prefixBits(route.destination) ?? 0;
  const blocks = ({ suppressPrefixLength }: RoutingRule): boolean =>
    suppressPrefixLength !== undefined && bits <= suppressPrefixLength;
  if (toMain.some((rule) => coversReply(rule, attempt) !== false && !blocks(rule))) return undefined;
  const rule = toMain.find(blocks) ?? toMain[0];
  return rule === undefined ? { route } : { route, rule };
}

/** The route that refuses the client (unreachable, prohibit, blackhole), or a throw route that hides a usable one behind it in its table. */
export function rejectRoute(
  { family, client }: Attempt,
  { ok, failure, matchedRoute }: RouteLookup,
  routes: readonly Route[] | undefined,
): Route | undefined {
  if (ok) return undefined;
  if (matchedRoute !== undefined && matchedRoute.type !== 'unicast') return matchedRoute;
  const covering = coveringRoutes(routes, family, client.address);
  if (failure === 'no-route' || failure === 'throw') {
    return covering.find(
      (route) =>
        route.type === 'throw' &&
        covering.find(({ table }) => table === route.table) === route &&
        covering.some(
          ({ type, table, nextHops }) => type === 'unicast' && table === route.table && nextHops.some(isAlive),
        ),
    );
  }
  return covering.find(({ type }) => type === failure);
}
