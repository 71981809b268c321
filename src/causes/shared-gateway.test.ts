import { describe, expect, it } from 'vitest';
import type { Neighbour, NetworkChange, Route } from '../model/facts/routing.ts';
import { EXAMPLE_ATTEMPT, EXAMPLE_ATTEMPT_V4 } from './shared-examples.ts';
import { addRoute, wayBack } from './shared-gateway.ts';

const attempt = EXAMPLE_ATTEMPT;

function deleted(text: string, beforeMs = 14_000): NetworkChange {
  return { what: 'route-deleted', beforeMs, text, source: 'rtnetlink' };
}

function route(destination: string, gateway: string, changes: Partial<Route> = {}): Route {
  return {
    family: destination.includes(':') ? 6 : 4,
    table: 'main',
    type: 'unicast',
    destination,
    nextHops: [{ gateway, device: 'eth0', flags: [] }],
    ...changes,
  };
}

function neighbour(address: string, linkAddress: string, states: readonly string[] = ['STALE']): Neighbour {
  return { address, device: 'eth0', linkAddress, states };
}

describe('the gateway of a host without a route', () => {
  it('is that of the deleted route, the latest first', () => {
    const networkChanges = [
      deleted('Deleted default via fe80::9 dev eth0 proto static', 90_000),
      deleted('Deleted default via fe80::1 dev eth0 proto ra metric 100 pref medium'),
    ];
    expect(wayBack({ attempt, networkChanges })).toEqual({
      destination: 'default',
      gateway: 'fe80::1',
      device: 'eth0',
      metric: 100,
      reason: 'it was deleted 14 s before the first SYN',
    });
  });

  it('is not that of a deleted route to somebody else, or of the other family', () => {
    const networkChanges = [
      deleted('Deleted 2001:db8:9::/48 via fe80::1 dev eth0'),
      deleted('Deleted default via 192.0.2.254 dev eth0'),
      deleted('Deleted 2001:db8:1::/48 dev eth0 proto kernel'),
    ];
    expect(wayBack({ attempt, networkChanges })).toBeUndefined();
    const specific = [deleted('Deleted 2001:db8:1::/48 via fe80::7 dev eth3')];
    expect(wayBack({ attempt, networkChanges: specific })).toMatchObject({
      destination: '2001:db8:1::/48',
      device: 'eth3',
    });
  });

  it('may stand in another table, or in a route to others', () => {
    const other = route('::/0', 'fe80::1', { table: '100' });
    expect(wayBack({ attempt, routes: [other] })).toMatchObject({ gateway: 'fe80::1', reason: 'table 100 has it' });
    expect(wayBack({ attempt, routes: [route('2001:db8:7::/48', 'fe80::2')] })).toMatchObject({ gateway: 'fe80::2' });
    const down = route('::/0', 'fe80::1', {
      table: '100',
      nextHops: [{ gateway: 'fe80::1', device: 'eth0', flags: ['linkdown'] }],
    });
    expect(wayBack({ attempt, routes: [down] })).toBeUndefined();
  });

  it('is the router of the other family, by its link-layer address', () => {
    const facts = {
      attempt: EXAMPLE_ATTEMPT_V4,
      routes: [route('::/0', 'fe80::1')],
      neighbours: [
        neighbour('fe80::1', '02:00:00:00:00:01'),
        neighbour('192.0.2.254', '02:00:00:00:00:01'),
        neighbour('192.0.2.7', '02:00:00:00:00:07'),
      ],
    };
    expect(wayBack(facts)).toMatchObject({ gateway: '192.0.2.254', destination: 'default' });
    expect(addRoute(facts, wayBack(facts))).toMatchObject({
      action: 'add',
      family: 4,
      via: '192.0.2.254',
      device: 'eth0',
    });
  });

  it('is guessed when only one host is known on the link, and not with two', () => {
    const one = [neighbour('2001:db8:2::1', '02:00:00:00:00:01'), neighbour('fe80::1', '02:00:00:00:00:01')];
    expect(wayBack({ attempt, neighbours: one })).toMatchObject({ gateway: 'fe80::1', guessed: true });
    const two = [...one, neighbour('2001:db8:2::77', '02:00:00:00:00:77')];
    expect(wayBack({ attempt, neighbours: two })).toBeUndefined();
    expect(
      wayBack({ attempt, neighbours: [neighbour('2001:db8:2::1', '02:00:00:00:00:01', ['FAILED'])] }),
    ).toBeUndefined();
  });

  it('is a placeholder when nothing tells it', () => {
    expect(addRoute({ attempt }, undefined)).toEqual({
      kind: 'route',
      action: 'add',
      family: 6,
      destination: 'default',
      via: 'GATEWAY',
      device: 'eth0',
    });
  });
});
