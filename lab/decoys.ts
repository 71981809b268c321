import type { LabNode, LabStep, ScenarioPlan } from '../src/model/scenario.ts';
import type { LabAddresses } from './plan-names.ts';
import { type Random, seededRandom } from './random.ts';

/** What is known of a run when its decoys are chosen. */
interface Situation {
  readonly addresses: LabAddresses;
  readonly random: Random;
  readonly family: 4 | 6;
  readonly device: string;
  /** A port that neither the scenario nor another decoy uses. */
  readonly freePort: number;
}

/** A harmless thing that real hosts have, and that looks like trouble to those who do not look closely. */
interface Decoy {
  readonly name: string;
  readonly on: readonly LabNode[];
  /** Left out when the scenario's own steps mention this: both could not be there, or it would not be harmless. */
  readonly unless?: RegExp;
  steps(node: LabNode, situation: Situation): readonly LabStep[];
  /** Done while the attempt runs. */
  meanwhile?(node: LabNode, situation: Situation): ScenarioPlan['meanwhile'];
}

/** The decoys of one run. */
export interface ChosenDecoys {
  readonly names: readonly string[];
  readonly steps: readonly LabStep[];
  readonly meanwhile: NonNullable<ScenarioPlan['meanwhile']>;
}

const NO_DECOYS: ChosenDecoys = { names: [], steps: [], meanwhile: [] };
/** Documentation prefixes (RFC 5737, RFC 3849) that the lab itself never uses. */
const STRANGERS = {
  4: { prefix: '203.0.113.0/24', host: '203.0.113.77', other: '192.0.2.0/25' },
  6: { prefix: '2001:db8:dead::/48', host: '2001:db8:dead::77', other: '2001:db8:bad::/48' },
} as const;

const DECOYS: readonly Decoy[] = [
  {
    name: 'nft rules that only count, or drop what is for other ports and addresses',
    on: ['client', 'server'],
    steps: (on, { family, freePort }) => [
      {
        on,
        nft: `table inet site {
  set blocked { type ipv${family}_addr; flags interval; elements = { ${STRANGERS[family].prefix} }; }
  chain input { type filter hook input priority 10; policy accept;
    counter comment "all that comes in"
    ip${family === 6 ? '6' : ''} saddr @blocked counter drop
    tcp dport ${freePort} counter drop
    udp dport 1900 drop
  }
  chain output { type filter hook output priority 10; policy accept;
    tcp sport ${freePort} counter drop
    ip${family === 6 ? '6' : ''} daddr ${STRANGERS[family].host} counter reject
  }
}`,
      },
    ],
  },
  {
    name: 'a rule that logs, a limit that is never reached, and a rule set of another family',
    on: ['client', 'server'],
    steps: (on, { family, freePort }) => [
      {
        on,
        nft: `table ${family === 4 ? 'ip6' : 'ip'} other { chain input { type filter hook input priority 0; tcp dport ${freePort} drop; } }
table inet guard { chain input { type filter hook input priority 5;
    tcp flags syn limit rate over 2000/second burst 500 packets counter drop
    tcp dport ${freePort} log prefix "guard: " drop
  }
}`,
      },
    ],
  },
  {
    name: 'iptables rules for other ports and addresses',
    on: ['client', 'server'],
    unless: /iptables/,
    steps: (on, { family, freePort }) => {
      const tool = family === 4 ? 'iptables' : 'ip6tables';
      return [
        [tool, '-A', 'INPUT', '-p', 'tcp', '--dport', String(freePort), '-j', 'DROP'],
        [tool, '-A', 'INPUT', '-s', STRANGERS[family].prefix, '-j', 'REJECT'],
        [tool, '-A', 'OUTPUT', '-d', STRANGERS[family].host, '-j', 'DROP'],
      ].map((argv): LabStep => ({ on, run: argv, mayFail: true }));
    },
  },
  {
    name: 'an accept queue on another port that overflowed before',
    on: ['server'],
    unless: /ListenOverflows|tcp_abort_on_overflow/,
    steps: (on, { freePort, addresses, family }) => {
      const target = { address: addresses.links[family].server.host, port: freePort };
      return [
        { on, listen: { name: 'stuck', port: freePort, backlog: 0, accept: 'never' } },
        // Locally, so that the way between the hosts stays untouched.
        { on, connect: { ...target, count: 3, patienceMs: 60 } },
      ];
    },
  },
  {
    name: 'connections that were refused before',
    on: ['client', 'server'],
    steps: (on, { freePort, addresses, family }) => [
      {
        on,
        connect: {
          address: addresses.links[family][on === 'server' ? 'server' : 'client'].host,
          port: freePort + 1,
          count: 3,
        },
      },
    ],
  },
  {
    name: 'a second service that is used all the time',
    on: ['server'],
    steps: (on, { freePort, addresses, family }) => [
      { on, listen: { name: 'busy', port: freePort + 2, backlog: 16, then: 'close' } },
      {
        on,
        connect: {
          address: addresses.links[family].server.host,
          port: freePort + 2,
          count: 4,
          readMs: 60,
          then: 'close',
        },
      },
    ],
    meanwhile: (on, { freePort, addresses, family }) =>
      [40, 400, 900].map((afterMs) => ({
        afterMs,
        step: {
          on,
          connect: {
            address: addresses.links[family].server.host,
            port: freePort + 2,
            count: 2,
            readMs: 50,
            then: 'close',
          },
        },
      })),
  },
  {
    name: 'routes that refuse what is for others',
    on: ['client', 'server', 'router'],
    steps: (on, { family }) => [
      { on, run: ['ip', `-${family}`, 'route', 'add', 'blackhole', STRANGERS[family].prefix] },
      { on, run: ['ip', `-${family}`, 'route', 'add', 'prohibit', STRANGERS[family].other] },
    ],
  },
  {
    name: 'rules for marks and sources that nothing has',
    on: ['client', 'server', 'router'],
    steps: (on, { family }) => [
      { on, run: ['ip', `-${family}`, 'rule', 'add', 'pref', '90', 'fwmark', '0x77', 'prohibit'] },
      { on, run: ['ip', `-${family}`, 'rule', 'add', 'pref', '91', 'from', STRANGERS[family].prefix, 'lookup', '77'] },
      { on, run: ['ip', `-${family}`, 'route', 'add', 'unreachable', 'default', 'table', '77'] },
    ],
  },
  {
    name: 'a neighbour that is gone',
    on: ['client', 'server', 'router'],
    steps: (on, { family, addresses, device }) => {
      const link = addresses.links[family][on === 'client' ? 'client' : 'server'];
      return [{ on, run: ['ip', 'neigh', 'replace', link.spare, 'dev', device, 'nud', 'failed'], mayFail: true }];
    },
  },
  {
    name: 'an XDP program that lets everything pass',
    on: ['server'],
    unless: /xdp|mtu/,
    steps: (on, { device }) => [{ on, bpf: { hook: 'xdp-generic', device, action: 'pass' } }],
  },
  {
    name: 'traffic control that matches nothing',
    on: ['client', 'server'],
    unless: /"tc"/,
    steps: (on, { device }) => [
      { on, run: ['tc', 'qdisc', 'add', 'dev', device, 'clsact'] },
      ...(['ingress', 'egress'] as const).map(
        (direction): LabStep => ({
          on,
          run: [
            ...['tc', 'filter', 'add', 'dev', device, direction, 'protocol', 'ip', 'u32'],
            ...['match', 'ip', 'dst', STRANGERS[4].host, 'action', 'drop'],
          ],
          mayFail: true,
        }),
      ),
    ],
  },
  {
    name: 'a second address, and a link that is down',
    on: ['client', 'server'],
    steps: (on, { family, addresses, device }) => {
      const link = addresses.links[family][on === 'client' ? 'client' : 'server'];
      const address = `${link.second}/${family === 4 ? 32 : 128}`;
      return [
        // Deprecated, or it might be chosen as a source.
        {
          on,
          run: [
            'ip',
            `-${family}`,
            'address',
            'add',
            address,
            'dev',
            device,
            ...(family === 6 ? ['nodad', 'preferred_lft', '0'] : []),
          ],
        },
        { on, run: ['ip', 'link', 'add', 'spare0', 'type', 'veth', 'peer', 'name', 'spare1'] },
      ];
    },
  },
  {
    name: 'the default route a second time, with a worse metric',
    on: ['client', 'server'],
    unless: /default|"route"|"rule"|"link"|disable_ipv6|"flush"|"address"|"addr"/,
    steps: (on, { family, addresses, device }) => {
      const via = addresses.links[family][on === 'client' ? 'client' : 'server'].router;
      return [
        { on, run: ['ip', `-${family}`, 'route', 'add', 'default', 'via', via, 'dev', device, 'metric', '4000'] },
      ];
    },
  },
];

/** Chooses decoys for a scenario: by the seed alone, and none that would get in its way. */
export function chooseDecoys(addresses: LabAddresses, family: 4 | 6, plan: ScenarioPlan): ChosenDecoys {
  const random = seededRandom(addresses.seed ^ 0x5eed);
  const words = JSON.stringify(plan);
  const freePort = drawFreePort(random, addresses.port);
  const chosen: [node: LabNode, decoy: Decoy][] = [];
  for (const [node, count] of [
    ['server', random.integer(3, 5)],
    ['client', random.integer(1, 3)],
    ['router', random.integer(0, 1)],
  ] as const) {
    const fitting = DECOYS.filter(({ on, unless }) => on.includes(node) && unless?.test(words) !== true);
    for (const decoy of random.sample(fitting, count)) chosen.push([node, decoy]);
  }
  return chosen.reduce((sum, [node, decoy]) => {
    const device = {
      client: addresses.devices.client,
      server: addresses.devices.server,
      router: addresses.devices.routerServer,
    };
    const situation = { addresses, random, family, freePort, device: device[node] };
    return {
      names: [...sum.names, `${node}: ${decoy.name}`],
      steps: [...sum.steps, ...decoy.steps(node, situation)],
      meanwhile: [...sum.meanwhile, ...(decoy.meanwhile?.(node, situation) ?? [])],
    };
  }, NO_DECOYS);
}

/** A port below the ephemeral ones, with two free ones behind it, away from the port of the run. */
function drawFreePort(random: Random, taken: number): number {
  for (;;) {
    const port = random.integer(2000, 30_000);
    if (Math.abs(port - taken) > 10) return port;
  }
}
