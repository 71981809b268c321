import { parseAddress } from '../wire/address.ts';
import { isPlain, lookupRoute } from './lookup-route.ts';
import { covers } from './prefix.ts';
import type { RouteDecision, RouteFlow, RouteTables } from './route-flow.ts';
import type { LookupErrno } from './route-get.ts';

/** What decides the source check of an interface, besides rules and tables. */
export interface SourceCheckSettings {
  /** The larger of `conf.all.rp_filter` and `conf.IF.rp_filter`. */
  readonly rpFilter: number;
  /** Either of `conf.all.accept_local` and `conf.IF.accept_local`. */
  readonly acceptLocal: boolean;
  /** Either of the two `src_valid_mark`: the mark of the packet counts. */
  readonly markCounts: boolean;
  /** Either of the two `route_localnet`. */
  readonly routeLocalnet: boolean;
  /** Whether the interface has an IPv4 address. */
  readonly hasAddress: boolean;
  /** Whether packets are forwarded (`conf.IF.forwarding`). */
  readonly forwarding: boolean;
  /** Whether an address is one of this host. */
  readonly isOwn: (address: string) => boolean;
  /** The interface itself, and what belongs to the same VRF: a route through any of them will do. */
  readonly sameDevice: (device: string | undefined) => boolean;
}

/** What becomes of a packet that comes in. */
export interface IncomingDecision {
  readonly errno?: LookupErrno;
  /** The source check refused it, not the route to its destination. */
  readonly source?: 'reverse-path' | 'own-address' | 'invalid';
  readonly decision: RouteDecision;
  readonly certain: boolean;
}

/**
 * Answers the route lookup of a packet that comes in through `flow.iif`: where it goes, and for IPv4 whether its source is
 * believed (`ip_route_input_slow()`, `fib_validate_source()`, net/ipv4/fib_frontend.c). IPv6 does not check sources.
 * @returns undefined when the addresses of the flow are not of its family.
 */
export function lookupIncoming(
  tables: RouteTables,
  flow: RouteFlow & { readonly source: string; readonly iif: string },
  settings: SourceCheckSettings,
): IncomingDecision | undefined {
  const decision = lookupRoute(tables, flow);
  if (decision === undefined) return undefined;
  const { certain } = decision;
  const type = decision.route?.type;
  if (flow.family === 6) {
    return { ...(decision.errno === undefined ? {} : { errno: decision.errno }), decision, certain };
  }
  if (isMartianSource(flow.source, settings)) return { errno: 'EINVAL', source: 'invalid', decision, certain: true };
  if (decision.errno !== undefined) {
    return { errno: settings.forwarding ? decision.errno : 'EHOSTUNREACH', decision, certain };
  }
  if (type === 'broadcast') return { decision, certain };
  if (type !== 'local' && !settings.forwarding) return { errno: 'EHOSTUNREACH', decision, certain };
  const outDevice = type === 'local' ? undefined : decision.nextHops[0]?.device;
  const { verdict, certain: sure } = checkSource(tables, flow, settings, outDevice);
  if (verdict === 'ok') return { decision, certain: certain && sure };
  // The kernel says EXDEV for the reverse path filter up to 6.12, EINVAL since.
  return {
    errno: verdict === 'reverse-path' ? 'EXDEV' : 'EINVAL',
    source: verdict,
    decision,
    certain: certain && sure,
  };
}

/** Sources that no packet may have (`ip_route_input_slow()`). */
function isMartianSource(source: string, { routeLocalnet }: SourceCheckSettings): boolean {
  const first = parseAddress(source)?.[0] ?? 0;
  return (
    (first >= 224 && first < 240) || first === 0 || source === '255.255.255.255' || (first === 127 && !routeLocalnet)
  );
}

interface Checked {
  readonly verdict: 'ok' | 'reverse-path' | 'own-address';
  readonly certain: boolean;
}

function checkSource(
  tables: RouteTables,
  flow: RouteFlow & { readonly source: string; readonly iif: string },
  settings: SourceCheckSettings,
  outDevice: string | undefined,
): Checked {
  if (settings.rpFilter === 0) {
    if (settings.acceptLocal) return { verdict: 'ok', certain: true };
    const customLocal = tables.routes.some(
      ({ family, type, protocol }) => family === 4 && type === 'local' && protocol !== 'kernel',
    );
    if (!customLocal && !hasCustomRules(tables.rules)) {
      return { verdict: settings.isOwn(flow.source) ? 'own-address' : 'ok', certain: true };
    }
  }
  return fullCheck(tables, flow, settings, outDevice);
}

/** `__fib_validate_source()`: looks up the way back to the source. */
function fullCheck(
  tables: RouteTables,
  flow: RouteFlow & { readonly source: string; readonly iif: string },
  { rpFilter, acceptLocal, markCounts, hasAddress, sameDevice }: SourceCheckSettings,
  outDevice: string | undefined,
): Checked {
  // Ports count only when some rule asks for them (fib4_rules_early_flow_dissect()).
  const dissected = tables.rules.some(
    ({ family, ipProtocol, sourcePorts, destinationPorts }) =>
      family === 4 && (ipProtocol !== undefined || sourcePorts !== undefined || destinationPorts !== undefined),
  );
  const { ipProtocol, sourcePort, destinationPort, vrfTable, mark, tos } = flow;
  const back: RouteFlow = {
    family: 4,
    destination: flow.source,
    source: flow.destination,
    ...(dissected && ipProtocol !== undefined ? { ipProtocol } : {}),
    ...(dissected && destinationPort !== undefined ? { sourcePort: destinationPort } : {}),
    ...(dissected && sourcePort !== undefined ? { destinationPort: sourcePort } : {}),
    ...(markCounts && mark !== undefined ? { mark } : {}),
    ...(tos === undefined ? {} : { tos }),
    ...(vrfTable === undefined ? {} : { vrfTable }),
    iif: outDevice ?? 'lo',
  };
  const found = lookupRoute(tables, back);
  const certain = found?.certain ?? false;
  const refused: Checked = { verdict: 'reverse-path', certain };
  if (found === undefined || found.errno !== undefined) return rpFilter > 0 ? refused : { verdict: 'ok', certain };
  const type = found.route?.type;
  if (type !== 'unicast' && !(type === 'local' && acceptLocal)) return { verdict: 'own-address', certain };
  // Every way of the route counts, also one that is down (fib_info_nh_uses_dev()).
  if (found.route?.nextHops.some(({ device }) => sameDevice(device))) return { verdict: 'ok', certain };
  // Without an address on the interface nothing more can be looked up.
  if (!hasAddress) return rpFilter > 0 ? refused : { verdict: 'ok', certain };
  return rpFilter === 1 ? refused : { verdict: 'ok', certain };
}

function hasCustomRules(rules: RouteTables['rules']): boolean {
  return !isPlain(rules.filter(({ family }) => family === 4));
}

/** Whether an address is one of the host: on an interface, or covered by a local route of the local table. */
export function isLocalAddress(
  address: string,
  addresses: readonly { readonly address: string }[],
  routes: RouteTables['routes'],
): boolean {
  return (
    addresses.some((own) => own.address === address) ||
    routes.some(({ type, table, destination }) => type === 'local' && table === 'local' && covers(destination, address))
  );
}
