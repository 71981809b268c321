import { parsePrefix, prefixCovers } from './prefix.ts';
import type { ParsedFlow, RouteTables } from './route-flow.ts';
import type { LookupErrno } from './route-get.ts';
import type { IpNextHop, IpRoute, IpRouteType } from './routes.ts';

/** What one table answers. */
export interface Selected {
  readonly route: IpRoute;
  /** Length of the prefix of its destination. */
  readonly prefixLength: number;
  /** Absent when it is a route that can be used. */
  readonly errno?: LookupErrno;
  readonly nextHops: readonly IpNextHop[];
  /** Another route fits as well, and which one is taken hangs on what the table does not show. */
  readonly ambiguous: boolean;
}

/** Errors of routes that refuse (`fib_props`, net/ipv4/fib_semantics.c; `ip6_rt_type_to_error()`, net/ipv6/route.c). */
const REFUSALS: { readonly [Type in IpRouteType]?: LookupErrno } = {
  blackhole: 'EINVAL',
  unreachable: 'EHOSTUNREACH',
  prohibit: 'EACCES',
  throw: 'EAGAIN',
  nat: 'EINVAL',
};

interface Candidate {
  readonly route: IpRoute;
  readonly prefixLength: number;
  readonly fromLength: number;
}

/**
 * Looks a flow up in one table: the longest prefix, then the longest source prefix (IPv6), then the lowest metric, as far as the
 * route can be used (`fib_table_lookup()`, net/ipv4/fib_trie.c; `fib6_table_lookup()`, net/ipv6/route.c).
 * @returns undefined when nothing in it fits.
 */
export function selectRoute(flow: ParsedFlow, table: string, tables: RouteTables): Selected | undefined {
  const candidates = candidatesOf(flow, tables.routes, (route) => route.table === table);
  return selectAmong(flow, candidates, tables);
}

/** The same over the routes of several tables at once, as if they were one. */
export function selectRouteIn(flow: ParsedFlow, names: readonly string[], tables: RouteTables): Selected | undefined {
  const order = (route: IpRoute): number => names.indexOf(route.table);
  const candidates = candidatesOf(flow, tables.routes, (route) => order(route) >= 0);
  return selectAmong(flow, candidates, tables, (a, b) => order(a) - order(b));
}

function candidatesOf(flow: ParsedFlow, routes: readonly IpRoute[], wanted: (route: IpRoute) => boolean): Candidate[] {
  const found: Candidate[] = [];
  /** Prefix lengths at which there are routes for certain sources: whether one of them is for this one. */
  const subtrees = new Map<number, boolean>();
  for (const route of routes) {
    if (route.family !== flow.family || !wanted(route)) continue;
    const destination = parsePrefix(route.destination);
    if (destination === undefined || !prefixCovers(destination, flow.destinationBytes)) continue;
    const from = route.from === undefined ? undefined : parsePrefix(route.from);
    const { length } = destination;
    if (from !== undefined && from.length > 0) {
      const fits = flow.sourceBytes !== undefined && prefixCovers(from, flow.sourceBytes);
      subtrees.set(length, fits || subtrees.get(length) === true);
      if (!fits) continue;
    }
    found.push({ route, prefixLength: length, fromLength: from?.length ?? 0 });
  }
  return subtrees.size === 0 ? found : beginBelowSubtrees(found, subtrees);
}

/**
 * Where a prefix has routes for other sources only, its routes for all sources are passed over as long as nothing longer was found
 * (`fib6_node_lookup_1()`, net/ipv6/ip6_fib.c: a subtree without a match goes on at the parent). `::/0` is exempt.
 */
function beginBelowSubtrees(found: readonly Candidate[], subtrees: ReadonlyMap<number, boolean>): Candidate[] {
  const seen = found.filter(({ prefixLength }) => prefixLength === 0 || subtrees.get(prefixLength) !== false);
  const first = Math.max(...seen.map(({ prefixLength }) => prefixLength), 0);
  return found.filter(({ prefixLength }) => prefixLength <= first);
}

function selectAmong(
  flow: ParsedFlow,
  candidates: readonly Candidate[],
  tables: RouteTables,
  ofTables: (a: IpRoute, b: IpRoute) => number = () => 0,
): Selected | undefined {
  const sorted = candidates.toSorted(
    (a, b) =>
      b.prefixLength - a.prefixLength ||
      b.fromLength - a.fromLength ||
      ofTables(a.route, b.route) ||
      (b.route.tos ?? 0) - (a.route.tos ?? 0) ||
      (a.route.metric ?? 0) - (b.route.metric ?? 0),
  );
  if (flow.family === 4) return selectV4(flow, sorted);
  const { gatewayFailed } = tables;
  const found = gatewayFailed === undefined ? undefined : selectV6(flow, sorted, gatewayFailed);
  return found ?? selectV6(flow, sorted, () => false);
}

function selectV4(flow: ParsedFlow, sorted: readonly Candidate[]): Selected | undefined {
  for (const [at, { route, prefixLength }] of sorted.entries()) {
    if (route.tos !== undefined && route.tos !== 0 && route.tos !== (flow.tos ?? 0)) continue;
    const errno = REFUSALS[route.type];
    if (errno !== undefined) return { route, prefixLength, errno, nextHops: [], ambiguous: false };
    const nextHops = route.nextHops.filter(
      ({ device, flags }) => !flags.includes('dead') && (flow.oif === undefined || flow.oif === device),
    );
    if (nextHops.length === 0) continue;
    const next = sorted[at + 1];
    // Default routes of one metric: fib_select_default() takes the one whose gateway answers.
    const ambiguous = next !== undefined && prefixLength === 0 && next.route.metric === route.metric;
    return { route, prefixLength, nextHops, ambiguous };
  }
  return undefined;
}

/** Routes of one prefix and metric are scored against each other (`rt6_score_route()`). */
function selectV6(
  flow: ParsedFlow,
  sorted: readonly Candidate[],
  gatewayFailed: NonNullable<RouteTables['gatewayFailed']>,
): Selected | undefined {
  // On the way in the interface of the packet takes the place of the one on the way out (ip6_pol_route_input()).
  const wanted = flow.oif ?? flow.iif;
  for (let at = 0; at < sorted.length; ) {
    const first = sorted[at]!;
    let end = at + 1;
    while (end < sorted.length && sameRank(first, sorted[end]!)) end++;
    let best: { candidate: Candidate; nextHops: readonly IpNextHop[]; score: number } | undefined;
    let equals = 0;
    for (const candidate of sorted.slice(at, end)) {
      const { route } = candidate;
      const refuses = REFUSALS[route.type] !== undefined;
      const ways = refuses ? [{ device: 'lo', flags: [] }] : route.nextHops;
      const usable = ways.filter(
        ({ device, gateway, flags }) =>
          !flags.includes('dead') &&
          !(flow.strict === true && wanted !== undefined && device !== wanted) &&
          !(gateway !== undefined && gatewayFailed(gateway, device)),
      );
      if (usable.length === 0) continue;
      const fits = wanted === undefined || usable.some(({ device }) => device === wanted);
      const score = (fits ? 1 : 0) + 2 * (route.preference === 'high' ? 2 : route.preference === 'low' ? 0 : 1);
      if (best === undefined || score > best.score) {
        best = { candidate, nextHops: refuses ? [] : usable, score };
        equals = 1;
      } else if (score === best.score) {
        best = { ...best, nextHops: [...best.nextHops, ...(refuses ? [] : usable)] };
        equals++;
      }
    }
    if (best !== undefined) {
      const { route, prefixLength } = best.candidate;
      const errno = REFUSALS[route.type];
      const ambiguous = equals > 1;
      return { route, prefixLength, nextHops: best.nextHops, ambiguous, ...(errno === undefined ? {} : { errno }) };
    }
    at = end;
  }
  return undefined;
}

function sameRank(a: Candidate, b: Candidate): boolean {
  return (
    a.prefixLength === b.prefixLength &&
    a.fromLength === b.fromLength &&
    a.route.table === b.route.table &&
    (a.route.metric ?? 0) === (b.route.metric ?? 0)
  );
}
