import { describe, expect, it } from 'vitest';
import type { Attempt } from '../model/facts/attempt.ts';
import type { FactMap } from '../model/facts/facts.ts';
import type { FilterHit } from '../model/facts/packet-filter.ts';
import type { RouteLookup } from '../model/facts/routing.ts';
import { judgeRouter, type RouterCase } from './join-router.ts';

const ATTEMPT: Attempt = {
  client: { address: '192.0.2.1', port: 50204 },
  server: { address: '198.51.100.7', port: 443 },
  side: 'server',
  observed: true,
  captured: true,
  family: 4,
  syns: 2,
  synAcks: 0,
  sightings: [],
  icmpErrors: [],
  inDevice: 'eth0',
  lastedMs: 1000,
};
const ROUTE: RouteLookup = {
  command: ['ip', 'route', 'get', '198.51.100.7'],
  question: '192.0.2.1 → 198.51.100.7 in through eth0',
  ok: true,
  type: 'unicast',
  device: 'eth1',
};
const HIT: FilterHit = {
  packet: 'syn-in',
  verdict: 'drop',
  certainty: 'certain',
  conditions: [],
  tool: 'nft',
  family: 'inet',
  table: 'fw',
  chain: 'forward',
  hook: 'forward',
  policy: false,
  handle: 4,
  text: 'tcp dport 443 counter drop',
  packetsDelta: 2,
};

/** The router with these facts, where the SYN came in and did not go on. */
function router(facts: Partial<FactMap>, more: Partial<RouterCase> = {}): RouterCase {
  const wrapped = Object.fromEntries(Object.entries(facts).map(([name, value]) => [name, { value, source: name }]));
  return { name: 'fw1', packet: 'syn', attempt: ATTEMPT, facts: wrapped, cameIn: ['eth0'], wentOn: [], ...more };
}

function filter(...hits: FilterHit[]): FactMap['packetFilter'] {
  return { hits, passes: [], rules: hits.length, tools: ['nft'], unread: [], counted: [] };
}

function idOf(one: RouterCase): string | undefined {
  const finding = judgeRouter(one);
  return finding && `${finding.cause.id} ${finding.cause.status}`;
}

describe('a router', () => {
  const ON = { 'net.ipv4.conf.eth0.forwarding': '1' };
  const OFF = { 'net.ipv4.conf.eth0.forwarding': '0' };

  it('that sent the packet on has nothing to answer for', () => {
    expect(idOf(router({ sysctls: OFF }, { wentOn: ['eth1'] }))).toBeUndefined();
    expect(idOf(router({ sysctls: OFF }, { cameIn: [] }))).toBeUndefined();
  });

  it('does not know what it does not read', () => {
    expect(idOf(router({}))).toBeUndefined();
    expect(idOf(router({ sysctls: ON, incomingRoute: ROUTE, packetFilter: filter(), neighbours: [] }))).toBeUndefined();
  });

  it.each<[what: string, facts: Partial<FactMap>, expected: string | undefined]>([
    ['a rule', { packetFilter: filter(HIT) }, 'path-firewall-drop-syn confirmed'],
    [
      'a rule that rejects',
      { packetFilter: filter({ ...HIT, verdict: 'reject-icmp' }) },
      'path-firewall-reject confirmed',
    ],
    ['a rule whose counter stood still', { packetFilter: filter({ ...HIT, packetsDelta: 0 }) }, undefined],
    [
      'a rule that depends, and counted',
      { packetFilter: filter({ ...HIT, certainty: 'depends' }) },
      'path-firewall-drop-syn likely',
    ],
    [
      'a rule that depends, without a counter',
      { packetFilter: filter({ ...HIT, certainty: 'depends', packetsDelta: undefined } as unknown as FilterHit) },
      undefined,
    ],
    ['a rule for the answer', { packetFilter: filter({ ...HIT, packet: 'syn-ack-out' }) }, undefined],
    ['no forwarding', { sysctls: OFF, incomingRoute: ROUTE }, 'router-forwarding-off confirmed'],
    [
      'no forwarding, and a rule behind it',
      { sysctls: OFF, packetFilter: filter(HIT) },
      'router-forwarding-off confirmed',
    ],
    [
      'a rule before the route',
      { sysctls: OFF, packetFilter: filter({ ...HIT, hook: 'prerouting' }) },
      'path-firewall-drop-syn confirmed',
    ],
    [
      'no route',
      { sysctls: ON, incomingRoute: { ...ROUTE, ok: false, failure: 'no-route' } },
      'router-no-route confirmed',
    ],
    [
      'a blackhole',
      { sysctls: ON, incomingRoute: { ...ROUTE, ok: false, failure: 'blackhole' } },
      'router-reject-route confirmed',
    ],
    [
      'its source check',
      { sysctls: ON, incomingRoute: { ...ROUTE, ok: false, failure: 'invalid-source' } },
      'rp-filter-strict confirmed',
    ],
    [
      'an error that says nothing',
      { sysctls: ON, incomingRoute: { ...ROUTE, ok: false, failure: 'other' } },
      undefined,
    ],
    [
      'a dead neighbour',
      {
        sysctls: ON,
        incomingRoute: ROUTE,
        neighbours: [{ address: '198.51.100.7', device: 'eth1', states: ['FAILED'] }],
      },
      'router-neighbour-unresolved confirmed',
    ],
    [
      'a neighbour of another interface',
      {
        sysctls: ON,
        incomingRoute: ROUTE,
        neighbours: [{ address: '198.51.100.7', device: 'eth2', states: ['FAILED'] }],
      },
      undefined,
    ],
    [
      'a gateway that answers no ARP',
      {
        sysctls: ON,
        incomingRoute: { ...ROUTE, gateway: '198.51.100.1' },
        neighbourActivity: [{ target: '198.51.100.1', direction: 'out', requests: 3, replies: 0, answeredBy: [] }],
      },
      'router-neighbour-unresolved confirmed',
    ],
    [
      'a translation of the port, behind which it is not seen',
      { packetFilter: filter({ ...HIT, verdict: 'dnat' }, HIT) },
      undefined,
    ],
  ])('%s', (_, facts, expected) => {
    expect(idOf(router(facts))).toBe(expected);
  });

  it('names the way back by its own causes', () => {
    const back = { packet: 'syn-ack' as const, attempt: { ...ATTEMPT, side: 'client' as const } };
    const noRoute = { incomingRoute: { ...ROUTE, ok: false, failure: 'no-route' as const } };
    expect(judgeRouter(router(noRoute, back))?.cause).toMatchObject({
      id: 'return-path-no-route',
      sentence: 'fw1 has no route to 192.0.2.1',
    });
    const stateful = filter({ ...HIT, packet: 'syn-ack-in', conditions: ['ct-invalid'] });
    expect(idOf(router({ packetFilter: stateful }, back))).toBe('asymmetric-stateful-firewall confirmed');
  });
});
