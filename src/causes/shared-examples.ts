import type { Attempt } from '../model/facts/attempt.ts';
import type { Counters } from '../model/facts/facts.ts';
import type { RouteLookup } from '../model/facts/routing.ts';
import type { SocketTable } from '../model/facts/sockets.ts';

// Facts that the examples of several causes begin with. Addresses are those of RFC 3849 and RFC 5737.

/** A watched IPv6 attempt at the server: one SYN that nobody answered. */
export const EXAMPLE_ATTEMPT: Attempt = {
  side: 'server',
  observed: true,
  captured: true,
  family: 6,
  client: { address: '2001:db8:1::2', port: 50204 },
  server: { address: '2001:db8:2::2', port: 443 },
  syns: 1,
  synAcks: 0,
  sightings: [{ segment: 'syn', direction: 'in', device: 'eth0', count: 1, linkDestination: 'host' }],
  icmpErrors: [],
  inDevice: 'eth0',
  lastedMs: 1030,
};

/** The same over IPv4. */
export const EXAMPLE_ATTEMPT_V4: Attempt = {
  ...EXAMPLE_ATTEMPT,
  family: 4,
  client: { address: '198.51.100.7', port: 50204 },
  server: { address: '192.0.2.1', port: 443 },
};

/** Counters that grew by this during a watch of a second; those that are only named were read and stood still. */
export function exampleCounters(growth: Readonly<Record<string, number>>, ...still: readonly string[]): Counters {
  const zeros = Object.fromEntries(still.map((name) => [name, 0]));
  return { now: { ...zeros, ...growth }, growth, intervalMs: 1000 };
}

/** The lookup of the reply when there is no route. */
export const NO_ROUTE_BACK: RouteLookup = {
  command: [
    'ip',
    '-6',
    'route',
    'get',
    '2001:db8:1::2',
    'from',
    '2001:db8:2::2',
    'ipproto',
    'tcp',
    'sport',
    '443',
    'dport',
    '50204',
  ],
  question: '2001:db8:2::2 → 2001:db8:1::2 tcp sport 443',
  ok: false,
  failure: 'no-route',
  message: 'Network is unreachable',
};

/** The same lookup when there is one. */
export const ROUTE_BACK: RouteLookup = {
  command: NO_ROUTE_BACK.command,
  question: NO_ROUTE_BACK.question,
  ok: true,
  type: 'unicast',
  device: 'eth0',
  gateway: 'fe80::1',
  source: '2001:db8:2::2',
};

/** Sockets of a host with one healthy listener on the port of the example. */
export const HEALTHY_LISTENER: SocketTable = {
  listeners: [
    {
      address: '::',
      port: 443,
      family: 6,
      v6only: false,
      acceptQueue: 0,
      backlog: 511,
      drops: 0,
      dropsDelta: 0,
      owners: [{ pid: 811, name: 'nginx' }],
    },
  ],
  matching: [
    {
      address: '::',
      port: 443,
      family: 6,
      v6only: false,
      acceptQueue: 0,
      backlog: 511,
      drops: 0,
      dropsDelta: 0,
      owners: [{ pid: 811, name: 'nginx' }],
    },
  ],
  mismatched: [],
  connections: [],
  synReceived: 0,
};
