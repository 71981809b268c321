import { type ParsedFlow, parseFlow, type RouteDecision, type RouteFlow, type RouteTables } from './route-flow.ts';
import type { LookupErrno } from './route-get.ts';
import { type Selected, selectRoute, selectRouteIn } from './route-select.ts';
import type { IpRoute } from './routes.ts';
import { ruleMatches } from './rule-match.ts';
import type { IpRule } from './rules.ts';

/** Errors of rules that refuse (`fib4_rule_action()`, `fib6_rule_action()`): that of `unreachable` is not the one of such a route. */
const REFUSALS: { readonly [Action in IpRule['action']]?: LookupErrno } = {
  unreachable: 'ENETUNREACH',
  prohibit: 'EACCES',
  blackhole: 'EINVAL',
};

/**
 * Answers a route lookup from recorded rules and tables, as the kernel would (`fib_rules_lookup()`, net/core/fib_rules.c).
 * @returns undefined when the addresses of the flow are not of its family.
 */
export function lookupRoute(tables: RouteTables, flow: RouteFlow): RouteDecision | undefined {
  const parsed = parseFlow(flow);
  if (parsed === undefined) return undefined;
  const rules = tables.rules.filter(({ family }) => family === flow.family);
  const decision = walkRules(rules, tables, parsed);
  if (flow.family === 6) return decision;
  const checked = isPlain(rules)
    ? { ...decision, certain: decision.certain && agrees(decision, parsed, tables) }
    : decision;
  // ip_route_output_key_hash_rcu(): "Apparently, routing tables are wrong. Assume, that the destination is on link."
  if (checked.errno !== undefined && flow.iif === undefined && flow.oif !== undefined && flow.vrfTable === undefined) {
    return { nextHops: [{ device: flow.oif, flags: [] }], assumedOnLink: true, certain: checked.certain };
  }
  return checked;
}

function walkRules(rules: readonly IpRule[], tables: RouteTables, flow: ParsedFlow): RouteDecision {
  let certain = true;
  let thrownBy: IpRoute | undefined;
  let suppressedBy: IpRule | undefined;
  // `goto` leads forward only, so that every rule is looked at once.
  for (let at = 0; at < rules.length; at++) {
    const rule = rules[at]!;
    const matches = ruleMatches(rule, flow);
    if (matches === undefined || (rule.action === 'other' && matches)) certain = false;
    if (matches !== true) continue;
    if (rule.action === 'goto') {
      const target = rules.findIndex(({ priority }, index) => index > at && priority === rule.gotoPriority);
      if (target >= 0) at = target - 1;
      continue;
    }
    const errno = REFUSALS[rule.action];
    if (errno !== undefined) return { errno, rule, nextHops: [], certain };
    const table = rule.l3mdev === true ? flow.vrfTable : rule.table;
    const found = rule.action === 'lookup' && table !== undefined ? selectRoute(flow, table, tables) : undefined;
    if (found === undefined) continue;
    if (found.errno === 'EAGAIN') {
      thrownBy ??= hidesRoute(found.route, flow, table!, tables) ? found.route : undefined;
      continue;
    }
    if (found.errno === undefined && isSuppressed(found, rule, tables)) {
      suppressedBy ??= rule;
      continue;
    }
    const { route, nextHops, ambiguous } = found;
    return {
      ...(found.errno === undefined ? {} : { errno: found.errno }),
      route,
      rule,
      nextHops,
      certain: certain && !ambiguous,
    };
  }
  return {
    errno: 'ENETUNREACH',
    nextHops: [],
    certain,
    ...(thrownBy === undefined ? {} : { thrownBy }),
    ...(suppressedBy === undefined ? {} : { suppressedBy }),
  };
}

/** Whether a table would have had a route if it were not for this `throw` route. */
function hidesRoute(hidden: IpRoute, flow: ParsedFlow, table: string, tables: RouteTables): boolean {
  const others = tables.routes.filter((route) => route !== hidden && route.type !== 'throw');
  return selectRoute(flow, table, { ...tables, routes: others })?.errno === undefined
    ? selectRoute(flow, table, { ...tables, routes: others }) !== undefined
    : false;
}

function isSuppressed({ prefixLength, nextHops }: Selected, rule: IpRule, tables: RouteTables): boolean {
  if (rule.suppressPrefixLength !== undefined && prefixLength <= rule.suppressPrefixLength) return true;
  const device = nextHops[0]?.device;
  if (rule.suppressGroup === undefined || device === undefined) return false;
  return (tables.groupOf?.(device) ?? 'default') === rule.suppressGroup;
}

/** Whether IPv4 has the three rules that every host begins with, and no other. */
export function isPlain(rules: readonly IpRule[]): boolean {
  return rules.length === 3 && rules.every(({ text }) => /from all lookup (local|main|default)$/.test(text));
}

/**
 * Until the first rule is added IPv4 keeps the local and the main table in one trie (`fib_unmerge()`), where a longer prefix of main
 * comes before a shorter one of local. Rules and tables do not show whether that ever happened: only what both ways answer is
 * certain.
 */
function agrees(decision: RouteDecision, flow: ParsedFlow, tables: RouteTables): boolean {
  const merged = selectRouteIn(flow, ['local', 'main'], tables) ?? selectRoute(flow, 'default', tables);
  return merged?.route === decision.route;
}
