import { describe, expect, it } from 'vitest';
import type { LabNames, LabNode, ScenarioPlan } from '../src/model/scenario.ts';
import { growthOf, readCounters } from './counters.ts';
import { runScenario } from './run-scenario.ts';
import { labMissing } from './testing.ts';

const missing = labMissing();
if (missing !== undefined) console.log(`skipped: actors of the lab (${missing})`);

/** Shorter than the kernel's own patience, so that a test of silence is short. */
const SILENT = { patienceMs: 300 };

/** What an actor does, what the client sees of it, and which counters it moves where. */
interface ActorCase {
  readonly what: string;
  readonly family?: 4 | 6;
  readonly plan: (names: LabNames) => ScenarioPlan;
  readonly client?: readonly string[];
  readonly counters?: readonly [node: LabNode, counter: string, growth: number];
}

const CASES: readonly ActorCase[] = [
  { what: 'a listener holds what it accepts', plan: () => ({ steps: [] }), client: ['silent'] },
  { what: 'a listener greets', plan: () => ({ listener: { then: 'greet' }, steps: [] }), client: ['data'] },
  { what: 'a listener closes', plan: () => ({ listener: { then: 'close' }, steps: [] }), client: ['closed'] },
  { what: 'a listener resets', plan: () => ({ listener: { then: 'reset' }, steps: [] }), client: ['reset'] },
  { what: 'nobody listens', plan: () => ({ listener: null, steps: [] }), client: ['ECONNREFUSED'] },
  {
    what: 'a listener that never accepts fills its queue',
    plan: () => ({ listener: { accept: 'never', backlog: 0 }, steps: [], attempt: { count: 2, readMs: 0, ...SILENT } }),
    client: ['connected', 'TIMEDOUT-LOCAL'],
    counters: ['server', 'TcpExtListenOverflows', 1],
  },
  {
    what: 'a process without free descriptors accepts no more',
    plan: () => ({
      listener: { openFiles: 2, backlog: 0 },
      steps: [],
      attempt: { count: 4, readMs: 30, ...SILENT },
    }),
    client: ['silent', 'silent', 'silent', 'TIMEDOUT-LOCAL'],
    counters: ['server', 'TcpExtListenOverflows', 1],
  },
  {
    what: 'a socket filter drops',
    plan: () => ({ listener: { dropFilter: true }, steps: [], attempt: SILENT }),
    client: ['TIMEDOUT-LOCAL'],
  },
  {
    what: 'a listener wants signatures',
    plan: ({ client }) => ({ listener: { md5: { peer: client, key: 'k' } }, steps: [], attempt: SILENT }),
    client: ['TIMEDOUT-LOCAL'],
    counters: ['server', 'TcpExtTCPMD5NotFound', 1],
  },
  {
    what: 'a client signs with the right key',
    plan: ({ client, server }) => ({
      listener: { md5: { peer: client, key: 'k' } },
      steps: [],
      attempt: { md5: { peer: server, key: 'k' } },
    }),
    client: ['silent'],
  },
  {
    what: 'a client without the right to connect',
    plan: () => ({ steps: [], attempt: { landlock: true } }),
    client: ['EACCES'],
  },
  {
    what: 'a client without free descriptors',
    plan: () => ({ steps: [], attempt: { openFiles: 0 } }),
    client: ['EMFILE'],
  },
  {
    what: 'a client with an address of somebody else',
    plan: ({ unusedOnClientLink }) => ({ steps: [], attempt: { sourceAddress: unusedOnClientLink } }),
    client: ['EADDRNOTAVAIL'],
  },
  {
    what: 'a client that looks a name up in its own hosts file',
    plan: () => ({ steps: [], attempt: { address: 'synscope-lab.test' } }),
    client: ['silent'],
  },
  {
    what: 'a client that asks a name server of its own',
    plan: () => ({
      steps: [{ on: 'client', etc: { 'resolv.conf': 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n' } }],
      attempt: { address: 'nowhere.invalid' },
    }),
    client: ['EAI_AGAIN'],
  },
  {
    what: 'a client that comes back after it vanished',
    plan: ({ client }) => ({
      steps: [{ on: 'client', connect: { sourceAddress: client, sourcePort: 30_001, then: 'vanish' } }],
      attempt: { sourceAddress: client, sourcePort: 30_001 },
    }),
    client: ['silent'],
    counters: ['server', 'TcpExtTCPSYNChallenge', 1],
  },
  {
    what: 'TCP Fast Open',
    plan: () => ({
      listener: { options: [{ level: 6, option: 23, value: 16 }], then: 'greet' },
      steps: [
        { on: 'server', sysctl: { 'net.ipv4.tcp_fastopen': 3 } },
        { on: 'client', connect: { fastOpen: true, send: 'a', readMs: 50 } },
      ],
      attempt: { fastOpen: true, send: 'b' },
    }),
    client: ['data'],
    counters: ['server', 'TcpExtTCPFastOpenPassive', 1],
  },
  ...(['xdp-driver', 'xdp-generic'] as const).map(
    (hook): ActorCase => ({
      what: `${hook} drops the port and nothing else`,
      plan: ({ serverDevice, port }) => ({
        steps: [
          { on: 'server', listen: { name: 'other', port: port + 1 } },
          { on: 'server', bpf: { hook, device: serverDevice, action: 'drop' } },
        ],
        attempt: SILENT,
        meanwhile: [{ afterMs: 0, step: { on: 'client', connect: { port: port + 1 } } }],
      }),
      client: ['TIMEDOUT-LOCAL'],
      counters: ['server', 'TcpPassiveOpens', 1],
    }),
  ),
  {
    what: 'a program in the cgroup of the listener drops what goes out',
    plan: ({ unique }) => ({
      listener: { cgroup: unique },
      steps: [{ on: 'server', bpf: { hook: 'cgroup-egress', cgroup: unique, action: 'deny' } }],
      attempt: SILENT,
    }),
    client: ['TIMEDOUT-LOCAL'],
  },
  {
    what: 'a program in the cgroup of the client denies connect()',
    plan: ({ unique, family }) => ({
      steps: [
        {
          on: 'client',
          bpf: { hook: family === 4 ? 'cgroup-connect4' : 'cgroup-connect6', cgroup: unique, action: 'deny' },
        },
      ],
      attempt: { cgroup: unique },
    }),
    client: ['EPERM'],
  },
  {
    what: 'a program for socket look-ups drops the port',
    plan: () => ({ steps: [{ on: 'server', bpf: { hook: 'sk-lookup', action: 'drop' } }] }),
    client: ['ECONNREFUSED'],
    counters: ['server', 'TcpOutRsts', 1],
  },
  {
    what: 'a responder with a wrong acknowledgement',
    plan: () => ({
      listener: null,
      steps: [{ on: 'server', answerWith: { flags: 'SA', ackOffset: 4711 } }],
      attempt: SILENT,
    }),
    client: ['TIMEDOUT-LOCAL'],
    // The kernel repeats the SYN at once after the first (TCP_TIMEOUT_MIN).
    counters: ['client', 'TcpOutRsts', 2],
  },
  {
    what: 'a responder with a timestamp that nobody sent',
    plan: () => ({
      listener: null,
      steps: [{ on: 'server', answerWith: { flags: 'SA', tsecr: 1 } }],
      attempt: SILENT,
    }),
    client: ['TIMEDOUT-LOCAL'],
    counters: ['client', 'TcpExtPAWSActive', 1],
  },
  {
    what: 'a middlebox that resets, and lets nothing through',
    plan: () => ({ steps: [{ on: 'router', answerWith: { flags: 'RA', ttl: 200 } }] }),
    client: ['ECONNREFUSED'],
    counters: ['server', 'TcpPassiveOpens', 0],
  },
  {
    what: 'SYNs with a wrong TCP checksum',
    plan: () => ({ steps: [], attempt: { on: 'client', send: { flags: 'S', badTcpChecksum: true, count: 3 } } }),
    counters: ['server', 'TcpInCsumErrors', 3],
  },
  {
    what: 'SYNs with a wrong IP checksum',
    family: 4,
    plan: () => ({ steps: [], attempt: { on: 'router', send: { flags: 'S', badIpChecksum: true, count: 2 } } }),
    counters: ['server', 'IpExtInCsumErrors', 2],
  },
  {
    what: 'SYNs of nobody, whose SYN-ACKs the kernel resets',
    plan: () => ({ steps: [], attempt: { on: 'client', send: { flags: 'S', count: 4, intervalMs: 5 } } }),
    counters: ['server', 'TcpExtEmbryonicRsts', 4],
  },
  {
    what: 'a further host behind the router',
    plan: ({ elsewhere }) => ({
      steps: [{ on: 'router', attach: { name: 'far', address: elsewhere } }],
      attempt: { address: elsewhere },
    }),
    client: ['ECONNREFUSED'],
    counters: ['server', 'TcpOutRsts', 0],
  },
];

describe
  .skipIf(missing !== undefined)
  .each(
    CASES.flatMap(({ family, ...rest }) =>
      ([4, 6] as const)
        .filter((one) => family === undefined || one === family)
        .map((one) => ({ ...rest, family: one })),
    ),
  )('$what (IPv$family)', ({ plan, family, client = [], counters }) => {
  it('happens', async () => {
    await runScenario({ plan }, { family, seed: 11 }, async (setting) => {
      const before = await readCounters(setting.lab, counters?.[0] ?? 'server');
      const results = await setting.attempt();
      expect(results.map(({ errno, afterwards }) => errno ?? afterwards ?? 'connected')).toEqual(client);
      if (counters === undefined) return;
      const [node, counter, growth] = counters;
      const grown = Object.fromEntries(growthOf(before, await readCounters(setting.lab, node)));
      expect(grown[counter] ?? 0).toBe(growth);
    });
  });
});
