import type { Change } from '../model/cause.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import type { Neighbour, NetworkChange, Route } from '../model/facts/routing.ts';
import { prefixBits, prefixContains } from '../model/prefix.ts';
import { coveringRoutes, isAlive } from './shared-reply.ts';

/** A route that could lead back to the client. */
export interface WayBack {
  readonly destination: string;
  readonly gateway: string;
  readonly device?: string;
  /** Of the route that was there; absent when it is not known. */
  readonly metric?: number;
  /** Why just this one, as the end of a title: `it was deleted 14 s before the first SYN`. */
  readonly reason: string;
  /** Nothing on this host says that it is a router: somebody must look before it is used. */
  readonly guessed?: true;
}

/** Facts from which a gateway can be known. */
export interface GatewayFacts {
  readonly attempt: Attempt;
  readonly networkChanges?: readonly NetworkChange[] | undefined;
  readonly routes?: readonly Route[] | undefined;
  readonly neighbours?: readonly Neighbour[] | undefined;
}

/** The route that a host without one should most likely have; undefined when nothing tells which router it should use. */
export function wayBack(facts: GatewayFacts): WayBack | undefined {
  return (
    deletedRoute(facts) ??
    routeOfOtherTable(facts) ??
    routerOnLink(facts) ??
    routerOfOtherFamily(facts) ??
    onlyNeighbour(facts)
  );
}

/** The change that adds it; with the placeholder `GATEWAY` when the router is not known. */
export function addRoute({ attempt, routes }: GatewayFacts, way: WayBack | undefined): Change {
  const connected = routes?.find(
    ({ family, protocol, type }) => family === attempt.family && protocol === 'kernel' && type === 'unicast',
  );
  const device = way === undefined ? (attempt.inDevice ?? connected?.nextHops[0]?.device) : way.device;
  return {
    kind: 'route',
    action: 'add',
    family: attempt.family,
    destination: way === undefined || prefixBits(way.destination) === 0 ? 'default' : way.destination,
    via: way?.gateway ?? 'GATEWAY',
    ...(device === undefined ? {} : { device }),
    ...(way?.metric === undefined ? {} : { metric: way.metric }),
  };
}

/** `default via fe80::1 dev eth0`, as `ip monitor` and the journal spell it. */
const ROUTE_TEXT =
  /(?:^|\s)(default|[\da-f.:]+(?:\/\d{1,3})?)\s+(?:.*?\s)?via\s+(?:inet6?\s+)?([\da-f.:]+)(?:.*?\sdev\s+(\S+))?/i;

/** The latest route to the client that was deleted, of those that went through a router. */
function deletedRoute({ attempt, networkChanges }: GatewayFacts): WayBack | undefined {
  const deleted = (networkChanges ?? []).filter(({ what }) => what === 'route-deleted');
  for (const { text, beforeMs } of deleted.toSorted((a, b) => a.beforeMs - b.beforeMs)) {
    const [, destination, gateway, device] = ROUTE_TEXT.exec(text) ?? [];
    if (destination === undefined || gateway === undefined || gateway.includes(':') !== (attempt.family === 6))
      continue;
    if (destination !== 'default' && !prefixContains(destination, attempt.client.address)) continue;
    const seconds = Math.round(beforeMs / 1000);
    return {
      destination,
      gateway,
      ...(device === undefined ? {} : { device }),
      ...metricOf(/\bmetric (\d+)/.exec(text)?.[1]),
      reason: seconds > 0 ? `it was deleted ${seconds} s before the first SYN` : 'it was deleted during the watch',
    };
  }
  return undefined;
}

/** A route to the client in a table that is not asked. */
function routeOfOtherTable({ attempt, routes }: GatewayFacts): WayBack | undefined {
  for (const { type, nextHops, destination, table } of coveringRoutes(routes, attempt.family, attempt.client.address)) {
    const hop = nextHops.find((one) => one.gateway !== undefined && isAlive(one));
    if (type !== 'unicast' || table === 'main' || hop?.gateway === undefined) continue;
    return { destination, gateway: hop.gateway, ...deviceOf(hop.device), reason: `table ${table} has it` };
  }
  return undefined;
}

/** A router on the link of the SYN that other routes of the family use. */
function routerOnLink({ attempt, routes }: GatewayFacts): WayBack | undefined {
  for (const { family, type, nextHops, destination } of routes ?? []) {
    const hop = nextHops.find((one) => one.gateway !== undefined && isAlive(one));
    if (family !== attempt.family || type !== 'unicast' || hop?.gateway === undefined) continue;
    if (attempt.inDevice !== undefined && hop.device !== attempt.inDevice) continue;
    return {
      destination: 'default',
      gateway: hop.gateway,
      ...deviceOf(hop.device),
      reason: `${destination} goes through this router as well`,
      guessed: true,
    };
  }
  return undefined;
}

/** The router of the other family's default route: both families mostly have the same, which shows in its link-layer address. */
function routerOfOtherFamily({ attempt, routes, neighbours }: GatewayFacts): WayBack | undefined {
  const other = attempt.family === 4 ? '::/0' : '0.0.0.0/0';
  const hop = routes?.find(({ destination, type }) => destination === other && type === 'unicast')?.nextHops[0];
  const linkAddress = neighbours?.find(
    ({ address, device }) => address === hop?.gateway && device === hop?.device,
  )?.linkAddress;
  if (hop === undefined || linkAddress === undefined) return undefined;
  const same = (neighbours ?? []).filter(
    (one) =>
      one.linkAddress === linkAddress &&
      one.device === hop.device &&
      one.address.includes(':') === (attempt.family === 6),
  );
  const found = same.find(({ address }) => address.startsWith('fe80:')) ?? same[0];
  if (found === undefined) return undefined;
  return {
    destination: 'default',
    gateway: found.address,
    ...deviceOf(hop.device),
    reason: `the default route of IPv${attempt.family === 4 ? 6 : 4} goes through the same router (${linkAddress})`,
    guessed: true,
  };
}

/** The one host that is known on the link of the SYN, when the client is not on that link: somebody there has sent the SYN on. */
function onlyNeighbour({ attempt, neighbours }: GatewayFacts): WayBack | undefined {
  const { inDevice, client, family } = attempt;
  if (inDevice === undefined || !attempt.observed) return undefined;
  const known = (neighbours ?? []).filter(
    ({ address, device, linkAddress, states }) =>
      device === inDevice &&
      linkAddress !== undefined &&
      address !== client.address &&
      address.includes(':') === (family === 6) &&
      !states.includes('FAILED'),
  );
  const found = known.find(({ address }) => address.startsWith('fe80:')) ?? known[0];
  if (found === undefined || new Set(known.map(({ linkAddress }) => linkAddress)).size > 1) return undefined;
  return {
    destination: 'default',
    gateway: found.address,
    device: inDevice,
    reason: `${found.address} is the only neighbour on ${inDevice}, through which the SYN came; make sure that it is a router`,
    guessed: true,
  };
}

function deviceOf(device: string | undefined): { readonly device?: string } {
  return device === undefined ? {} : { device };
}

function metricOf(metric: string | undefined): { readonly metric?: number } {
  return metric === undefined ? {} : { metric: Number(metric) };
}
