import { describe, expect, it } from 'vitest';
import type { Route, RoutingRule } from '../model/facts/routing.ts';
import { NO_ROUTE_BACK } from './shared-examples.ts';
import { listening, SUPPOSED } from './shared-examples-server.ts';
import {
  coveringRoutes,
  isWithoutRoute,
  rejectingRule,
  rejectRoute,
  routeName,
  routeOutOfReach,
} from './shared-reply.ts';

const FACTS = { attempt: SUPPOSED, outgoingRoute: NO_ROUTE_BACK, sockets: listening() };

function rule(changes: Partial<RoutingRule>): RoutingRule {
  return { family: 6, priority: 50, action: 'unreachable', text: '50: a rule', ...changes };
}

function route(destination: string, changes: Partial<Route> = {}): Route {
  return {
    family: 6,
    table: 'main',
    type: 'unicast',
    destination,
    nextHops: [{ gateway: 'fe80::1', device: 'eth0', flags: [] }],
    ...changes,
  };
}

describe('a rule that refuses the reply', () => {
  it.each<[name: string, changes: Partial<RoutingRule>, refuses: boolean]>([
    ['for everybody', {}, true],
    ['to the client', { to: '2001:db8:1::/48' }, true],
    ['to others', { to: '2001:db8:9::/48' }, false],
    ['from the server', { from: '2001:db8:2::2/128' }, true],
    ['from others', { from: '2001:db8:2::3/128' }, false],
    ['for the port', { ipProtocol: 6, sourcePorts: [443, 443] }, true],
    ['for other ports', { sourcePorts: [80, 90] }, false],
    ['for another protocol', { ipProtocol: 17 }, false],
    ['for what this host sends', { iif: 'lo' }, true],
    ['for what is forwarded', { iif: 'eth0' }, false],
    ['for a mark that the listener lacks', { fwmark: 9 }, false],
    ['for no mark', { fwmark: 0, fwmask: 0xff }, true],
    ['for all but others', { not: true, to: '2001:db8:9::/48' }, true],
    ['for all but the client', { not: true, to: '2001:db8:1::/48' }, false],
    ['for sockets that are bound', { oif: 'eth9' }, false],
    ['for users that are not known', { uids: [0, 0] }, false],
    ['of the other family', { family: 4 }, false],
    ['that leads to a table', { action: 'lookup', table: 'main' }, false],
  ])('%s', (_, changes, refuses) => {
    expect(rejectingRule({ ...FACTS, rules: [rule(changes)] })?.priority).toBe(refuses ? 50 : undefined);
  });

  it('is asked by the mark and the user of the listener', () => {
    const marked = { ...FACTS, sockets: listening({ mark: 9, uid: 33 }) };
    expect(rejectingRule({ ...marked, rules: [rule({ fwmark: 9, uids: [30, 40] })] })).toBeDefined();
    expect(rejectingRule({ ...marked, rules: [rule({ fwmark: 9, uids: [0, 0] })] })).toBeUndefined();
  });

  it('is the one that the lookup names', () => {
    const matchedRule = rule({ action: 'lookup', table: '100' });
    expect(
      rejectingRule({ ...FACTS, outgoingRoute: { ...NO_ROUTE_BACK, matchedRule }, rules: [rule({})] }),
    ).toBeUndefined();
  });
});

describe('a route that the reply cannot reach', () => {
  const routes = [route('::/0')];
  const main = rule({ action: 'lookup', table: 'main', priority: 32_766 });

  it('has no rule that leads to it without a condition', () => {
    expect(routeOutOfReach({ ...FACTS, routes, rules: [main] })).toBeUndefined();
    expect(routeOutOfReach({ ...FACTS, routes, rules: [] })?.route.destination).toBe('::/0');
    expect(routeOutOfReach({ ...FACTS, routes, rules: [{ ...main, suppressPrefixLength: 0 }] })?.rule).toBeDefined();
    expect(routeOutOfReach({ ...FACTS, routes, rules: [{ ...main, from: '2001:db8:9::/48' }] })?.rule).toBeDefined();
  });

  it('must be there, alive, and in table main', () => {
    const dead = route('::/0', { nextHops: [{ gateway: 'fe80::1', flags: ['dead'] }] });
    expect(routeOutOfReach({ ...FACTS, routes: [dead], rules: [] })).toBeUndefined();
    expect(routeOutOfReach({ ...FACTS, routes: [route('::/0', { table: '7' })], rules: [] })).toBeUndefined();
    expect(routeOutOfReach({ ...FACTS, routes: [], rules: [] })).toBeUndefined();
  });
});

describe('a route that refuses', () => {
  const throws = route('2001:db8:1::/64', { type: 'throw', nextHops: [] });
  const thrown = { ...FACTS, outgoingRoute: { ...NO_ROUTE_BACK, failure: 'throw' as const, matchedRoute: throws } };

  it('of type throw needs a usable route behind it', () => {
    expect(rejectRoute({ ...thrown, routes: [throws, route('::/0')] })).toBe(throws);
    expect(isWithoutRoute({ ...thrown, routes: [throws, route('::/0')] })).toBe(false);
    expect(rejectRoute({ ...thrown, routes: [throws] })).toBeUndefined();
    expect(isWithoutRoute({ ...thrown, routes: [throws] })).toBe(true);
  });

  it('is the most specific of its type', () => {
    const outgoingRoute = { ...NO_ROUTE_BACK, failure: 'blackhole' as const };
    const wide = route('2001:db8::/32', { type: 'blackhole', nextHops: [] });
    const narrow = route('2001:db8:1::/64', { type: 'blackhole', nextHops: [] });
    expect(rejectRoute({ ...FACTS, outgoingRoute, routes: [wide, narrow] })).toBe(narrow);
  });
});

it('orders routes by prefix and metric, and names them', () => {
  const routes = [
    route('::/0', { metric: 1 }),
    route('2001:db8:1::/64', { metric: 9 }),
    route('2001:db8:1::/64', { metric: 2 }),
  ];
  expect(coveringRoutes(routes, 6, '2001:db8:1::2').map(({ metric }) => metric)).toEqual([2, 9, 1]);
  expect(routeName(routes[0]!)).toBe('"default via fe80::1 dev eth0" in table main');
});
