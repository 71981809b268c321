import type { Attempt } from '../../../model/facts/attempt.ts';
import type { RouteLookup } from '../../../model/facts/routing.ts';
import type { Facts } from '../gather.ts';
import type { RuleWorld } from './random-rules.ts';

/** The other facts of a plain host: one device, plain routing, one listener, nothing of traffic control. */
export function plainFacts(attempt: Attempt, { port }: Pick<RuleWorld, 'port'>): Facts {
  const { family, client, server } = attempt;
  const prefixLength = family === 4 ? 24 : 64;
  const own = attempt.side === 'server' ? server.address : client.address;
  const lookup = { command: [], question: '', ok: true, source: own } as const;
  const out: RouteLookup = { ...lookup, device: 'eth0', type: 'unicast' };
  return {
    outgoingRoute: { value: out, source: '' },
    incomingRoute: { value: { ...lookup, device: 'lo', type: 'local' }, source: '' },
    addresses: {
      value: [
        { family, address: own, prefixLength, device: 'eth0', scope: 'global', flags: [] },
        {
          family,
          address: family === 4 ? '127.0.0.1' : '::1',
          prefixLength: 8,
          device: 'lo',
          scope: 'host',
          flags: [],
        },
      ],
      source: '',
    },
    links: {
      value: [
        { index: 1, name: 'lo', flags: [], operState: 'UNKNOWN', xdp: [], counters: {}, growth: {} },
        { index: 2, name: 'eth0', kind: 'veth', flags: [], operState: 'UP', xdp: [], counters: {}, growth: {} },
      ],
      source: '',
    },
    routes: {
      value: [
        {
          family,
          table: 'main',
          type: 'unicast',
          destination: family === 4 ? '10.77.0.0/24' : 'fd77::/64',
          nextHops: [{ device: 'eth0', flags: [] }],
        },
      ],
      source: '',
    },
    rules: {
      value: ['local', 'main', 'default'].map((table, index) => ({
        family,
        priority: index,
        action: 'lookup' as const,
        table,
        text: table,
      })),
      source: '',
    },
    conntrack: { value: { entries: [], entriesRead: true }, source: '' },
    counters: { value: { now: { 'nf_conntrack.invalid': 0 }, growth: {}, intervalMs: 1000 }, source: '' },
    sockets: {
      value: {
        listeners: [],
        matching: [
          {
            address: '::',
            port,
            family: 6,
            v6only: false,
            uid: 0,
            acceptQueue: 0,
            backlog: 128,
            owners: [],
          },
        ],
        mismatched: [],
        connections: [],
        synReceived: 0,
      },
      source: '',
    },
    nfQueues: { value: [], source: '' },
    xfrmPolicies: { value: [], source: '' },
    trafficControl: { value: [], source: '' },
    bpfPrograms: { value: [], source: '' },
    sysctls: { value: {}, source: '' },
  };
}
