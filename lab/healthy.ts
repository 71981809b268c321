import type { LabNames, LabStep, ScenarioPlan } from '../src/model/scenario.ts';
import type { Runnable } from './run-scenario.ts';

/** A host on which connections come up, however odd it looks: no cause may be named. */
export interface HealthyHost {
  /** Kebab-case; unlike the id of any cause. */
  readonly name: string;
  readonly what: string;
  readonly families?: readonly (4 | 6)[];
  /** See `Scenario.requires`. */
  readonly requires?: readonly string[];
  readonly plan: (names: LabNames) => ScenarioPlan;
}

/** A further link between the router and the server, beside the one that clients come by (TEST-NET-2, RFC 5737). */
const SECOND = {
  4: { router: '198.51.100.1', server: '198.51.100.2', length: '24' },
  6: { router: '2001:db8:5ec::1', server: '2001:db8:5ec::2', length: '64' },
} as const;
const NODAD = { 4: [], 6: ['nodad'] } as const;

function secondLink({ family, ip, namespaces }: LabNames): LabStep[] {
  const { router, server, length } = SECOND[family];
  const add = (on: 'router' | 'server', address: string, device: string): LabStep[] => [
    { on, run: [...ip, 'address', 'add', `${address}/${length}`, 'dev', device, ...NODAD[family]] },
    { on, run: ['ip', 'link', 'set', device, 'up'] },
  ];
  return [
    {
      on: 'server',
      run: ['ip', 'link', 'add', 'side0', 'type', 'veth', 'peer', 'name', 'side1', 'netns', namespaces.router],
    },
    { on: 'server', sysctl: { 'net.ipv4.conf.side0.rp_filter': 0, 'net.ipv6.conf.side0.accept_dad': 0 } },
    { on: 'router', sysctl: { 'net.ipv4.conf.side1.rp_filter': 0, 'net.ipv6.conf.side1.accept_dad': 0 } },
    ...add('router', router, 'side1'),
    ...add('server', server, 'side0'),
  ];
}

function reversePathFilter(mode: 0 | 1 | 2): HealthyHost {
  return {
    name: `rp-filter-${mode}`,
    what: `rp_filter=${mode}, and every packet comes from where its answer would go`,
    families: [4],
    plan: ({ serverDevice, clientDevice }) => ({
      steps: [
        {
          on: 'server',
          sysctl: { 'net.ipv4.conf.all.rp_filter': mode, [`net.ipv4.conf.${serverDevice}.rp_filter`]: mode },
        },
        {
          on: 'client',
          sysctl: { 'net.ipv4.conf.all.rp_filter': mode, [`net.ipv4.conf.${clientDevice}.rp_filter`]: mode },
        },
      ],
    }),
  };
}

const SERVER = 'server';

/** The healthy hosts of the lab. */
export const HEALTHY_HOSTS: readonly HealthyHost[] = [
  { name: 'plain', what: 'nothing special', plan: () => ({ steps: [] }) },
  {
    name: 'big-ruleset',
    what: 'hundreds of rules, a set, a policy that drops, and one rule that lets the port in',
    plan: ({ port }) => ({
      steps: [
        {
          on: SERVER,
          nft: `table inet filter {
  set allowed { type inet_service; elements = { 22, 80, ${port} } }
  chain services { ${Array.from({ length: 300 }, (_, index) => `udp dport ${40_000 + index} counter drop`).join('\n')}
    tcp dport @allowed counter accept
  }
  chain input { type filter hook input priority 0; policy drop;
    ct state vmap { established : accept, related : accept, invalid : drop }
    iifname "lo" accept
    meta l4proto { icmp, ipv6-icmp } accept
    jump services
  }
}`,
        },
      ],
    }),
  },
  reversePathFilter(0),
  reversePathFilter(1),
  reversePathFilter(2),
  {
    name: 'asymmetric-but-accepted',
    what: 'SYNs come by one interface, answers leave by another, and the client gets them',
    plan: (names) => ({
      steps: [
        ...secondLink(names),
        {
          on: SERVER,
          run: [...names.ip, 'route', 'add', names.clientPrefix, 'via', SECOND[names.family].router, 'dev', 'side0'],
        },
      ],
    }),
  },
  {
    name: 'policy-routing',
    what: 'the main table has no way back; a rule for the source address finds one in a table of its own',
    plan: ({ ip, server, serverGateway, serverDevice }) => ({
      steps: [
        {
          on: SERVER,
          run: [...ip, 'route', 'add', 'default', 'via', serverGateway, 'dev', serverDevice, 'table', '101'],
        },
        { on: SERVER, run: [...ip, 'rule', 'add', 'from', server, 'lookup', '101'] },
        { on: SERVER, run: [...ip, 'route', 'del', 'default'] },
      ],
    }),
  },
  {
    name: 'specific-route-only',
    what: 'no default route, but one to the client',
    plan: ({ ip, clientPrefix, serverGateway }) => ({
      steps: [
        { on: SERVER, run: [...ip, 'route', 'add', clientPrefix, 'via', serverGateway] },
        { on: SERVER, run: [...ip, 'route', 'del', 'default'] },
      ],
    }),
  },
  {
    name: 'last-resort-unreachable',
    what: 'an unreachable default route with a metric that never wins',
    plan: ({ ip }) => ({
      steps: [
        { on: SERVER, run: [...ip, 'route', 'add', 'unreachable', 'default', 'metric', '4278198272'] },
        { on: 'client', run: [...ip, 'route', 'add', 'unreachable', 'default', 'metric', '4278198272'] },
      ],
    }),
  },
  {
    name: 'dnat-to-backend',
    what: 'the port is translated to another host, which answers',
    plan: ({ port, nftFamily, family, serverGateway }) => ({
      steps: [
        { on: 'router', listen: { name: 'backend', port: port + 1 } },
        { on: SERVER, sysctl: { 'net.ipv4.ip_forward': 1, 'net.ipv6.conf.all.forwarding': 1 } },
        {
          on: SERVER,
          nft: `table ${nftFamily} nat {
  chain prerouting { type nat hook prerouting priority -100; tcp dport ${port} counter dnat to ${family === 6 ? `[${serverGateway}]` : serverGateway}:${port + 1}; }
  chain postrouting { type nat hook postrouting priority 100; tcp dport ${port + 1} counter masquerade; }
}`,
        },
      ],
    }),
  },
  {
    name: 'redirect-to-live-port',
    what: 'the port is redirected to another, where a service listens',
    plan: ({ port, nftFamily }) => ({
      listener: { port: port + 1 },
      steps: [
        {
          on: SERVER,
          nft: `table ${nftFamily} nat { chain prerouting { type nat hook prerouting priority -100; tcp dport ${port} counter redirect to :${port + 1}; } }`,
        },
      ],
    }),
  },
  {
    name: 'synproxy',
    what: 'a synproxy that is set up as documented',
    families: [4],
    requires: ['nft synproxy'],
    plan: ({ port }) => ({
      listener: { address: '0.0.0.0' },
      steps: [
        { on: SERVER, sysctl: { 'net.netfilter.nf_conntrack_tcp_loose': 0 } },
        {
          on: SERVER,
          nft: `table ip shield {
  chain raw { type filter hook prerouting priority -300; tcp dport ${port} tcp flags syn notrack; }
  chain input { type filter hook input priority 0;
    tcp dport ${port} ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm
    ct state invalid drop
  }
}`,
        },
      ],
    }),
  },
  {
    name: 'syn-cookies-always',
    what: 'every SYN is answered with a cookie, and every cookie comes back',
    plan: () => ({ steps: [{ on: SERVER, sysctl: { 'net.ipv4.tcp_syncookies': 2 } }] }),
  },
  {
    name: 'busy-listener',
    what: 'a small backlog, many connections, and a program that keeps up',
    plan: () => ({
      listener: { backlog: 4 },
      steps: [{ on: 'client', connect: { count: 30, then: 'close' } }],
      attempt: { count: 5 },
    }),
  },
  {
    name: 'past-overflow',
    what: 'the accept queue overflowed earlier, while the program was stopped; now it is empty',
    plan: () => ({
      listener: { backlog: 1 },
      steps: [
        { on: SERVER, signal: 'STOP' },
        { on: 'client', connect: { count: 4, patienceMs: 150 } },
        { on: SERVER, signal: 'CONT' },
        { waitMs: 300 },
      ],
    }),
  },
  {
    name: 'time-wait-reuse',
    what: 'the server still has the same four-tuple in TIME-WAIT, and takes the new SYN',
    plan: ({ client }) => ({
      listener: { then: 'close' },
      steps: [
        {
          on: 'client',
          connect: { sourceAddress: client, sourcePort: 40_404, readMs: 200, then: 'close' },
        },
        { waitMs: 1100 },
      ],
      attempt: { sourceAddress: client, sourcePort: 40_404 },
    }),
  },
  {
    name: 'fast-open',
    what: 'TCP Fast Open with a cookie',
    plan: () => ({
      listener: { options: [{ level: 6, option: 23, value: 16 }], then: 'greet' },
      steps: [
        { on: SERVER, sysctl: { 'net.ipv4.tcp_fastopen': 3 } },
        { on: 'client', connect: { fastOpen: true, send: 'a', readMs: 100 } },
      ],
      attempt: { fastOpen: true, send: 'hello' },
    }),
  },
  {
    name: 'ecn',
    what: 'both sides ask for ECN',
    plan: () => ({
      steps: [
        { on: 'client', sysctl: { 'net.ipv4.tcp_ecn': 1 } },
        { on: SERVER, sysctl: { 'net.ipv4.tcp_ecn': 1 } },
      ],
    }),
  },
  {
    name: 'md5-with-matching-keys',
    what: 'TCP-MD5 with the same key on both sides',
    plan: ({ client, server }) => ({
      listener: { md5: { peer: client, key: 'a secret' } },
      steps: [],
      attempt: { md5: { peer: server, key: 'a secret' } },
    }),
  },
  {
    name: 'ipv6-only',
    what: 'the server has no IPv4 address',
    families: [6],
    plan: ({ serverDevice }) => ({
      steps: [{ on: SERVER, run: ['ip', '-4', 'address', 'flush', 'dev', serverDevice] }],
    }),
  },
  {
    name: 'ipv4-only',
    what: 'IPv6 is disabled on the server',
    families: [4],
    plan: () => ({
      listener: { address: '0.0.0.0' },
      steps: [{ on: SERVER, sysctl: { 'net.ipv6.conf.all.disable_ipv6': 1 } }],
    }),
  },
  {
    name: 'link-local',
    what: 'a link-local address with its scope',
    families: [6],
    plan: ({ clientDevice, routerClientDevice }) => ({
      steps: [
        { on: 'router', run: ['ip', '-6', 'address', 'add', 'fe80::5e:1/64', 'dev', routerClientDevice, 'nodad'] },
        { on: 'router', listen: { name: 'near' } },
      ],
      attempt: { address: `fe80::5e:1%${clientDevice}` },
    }),
  },
  {
    name: 'virtual-address-on-lo',
    what: 'the service address is on the loopback interface, and the router knows the way',
    plan: ({ ip, family, elsewhere, server }) => ({
      steps: [
        { on: SERVER, run: [...ip, 'address', 'add', `${elsewhere}/${family === 4 ? 32 : 128}`, 'dev', 'lo'] },
        { on: 'router', run: [...ip, 'route', 'add', elsewhere, 'via', server] },
      ],
      attempt: { address: elsewhere },
    }),
  },
  {
    name: 'reuseport-pair',
    what: 'two processes share the port, and both accept',
    plan: () => ({
      listener: { reusePort: true },
      steps: [{ on: SERVER, listen: { name: 'second', reusePort: true } }],
      attempt: { count: 8 },
    }),
  },
  {
    name: 'connection-limit-not-reached',
    what: 'a rule that allows five connections of each client, of which two are open',
    plan: ({ port, nftFamily }) => ({
      steps: [
        {
          on: SERVER,
          nft: `table ${nftFamily} limits {
  set peers { type ${nftFamily === 'ip' ? 'ipv4' : 'ipv6'}_addr; size 1024; flags dynamic; }
  chain input { type filter hook input priority 0; tcp dport ${port} ct state new add @peers { ${nftFamily} saddr ct count over 5 } counter drop; }
}`,
        },
        { on: 'client', connect: { count: 2 } },
      ],
    }),
  },
  {
    name: 'rate-limit-not-reached',
    what: 'a limit on new connections that is far away',
    plan: ({ port }) => ({
      steps: [
        {
          on: SERVER,
          nft: `table inet limits { chain input { type filter hook input priority 0; tcp dport ${port} tcp flags syn limit rate over 1000/second burst 100 packets counter drop; } }`,
        },
      ],
      attempt: { count: 5 },
    }),
  },
  {
    name: 'first-syn-lost',
    what: 'the first SYN is lost on the way, the second is answered',
    plan: ({ port }) => ({
      steps: [
        {
          on: 'router',
          nft: `table inet loss { chain forward { type filter hook forward priority 0; tcp dport ${port} tcp flags syn limit rate 1/hour burst 1 packets drop; } }`,
        },
      ],
    }),
  },
  {
    name: 'client-closes-at-once',
    what: 'a client that connects and closes, as health checks do',
    plan: () => ({ steps: [], attempt: { count: 3, readMs: 0, then: 'close' } }),
  },
  {
    name: 'client-resets-at-once',
    what: 'a client that connects and resets, as some health checks do',
    plan: () => ({ steps: [], attempt: { count: 3, readMs: 0, then: 'reset' } }),
  },
  {
    name: 'port-scan',
    what: 'somebody tries closed ports while connections to the open one work',
    plan: ({ port }) => ({
      steps: [],
      meanwhile: [1, 2, 3, 4, 5, 6].map((step) => ({
        afterMs: 20 * step,
        step: { on: 'client', connect: { port: port + 10 * step } },
      })),
    }),
  },
  {
    name: 'echo-blocked',
    what: 'the server does not answer pings',
    plan: () => ({
      steps: [
        {
          on: SERVER,
          nft: `table inet quiet { chain input { type filter hook input priority 0; icmp type echo-request drop; icmpv6 type echo-request drop; } }`,
        },
      ],
    }),
  },
  {
    name: 'log-rules',
    what: 'rules that only write logs and count',
    plan: ({ port }) => ({
      steps: [
        {
          on: SERVER,
          nft: `table inet audit { chain input { type filter hook input priority 0; tcp dport ${port} tcp flags syn log prefix "new: " counter; } }`,
        },
      ],
    }),
  },
  {
    name: 'output-policy-drop',
    what: 'a policy that drops what goes out, but not answers',
    plan: () => ({
      steps: [
        {
          on: SERVER,
          nft: `table inet egress { chain output { type filter hook output priority 0; policy drop;
    oifname "lo" accept
    meta l4proto { icmp, ipv6-icmp } accept
    ct state established,related accept
  }
}`,
        },
      ],
    }),
  },
  {
    name: 'blackhole-for-others',
    what: 'blackhole and prohibit routes for other networks, as fail2ban and routing daemons leave them',
    plan: ({ ip, elsewherePrefix, family }) => ({
      steps: [
        { on: SERVER, run: [...ip, 'route', 'add', 'blackhole', elsewherePrefix] },
        { on: SERVER, run: [...ip, 'route', 'add', 'prohibit', family === 4 ? '192.0.2.0/24' : '2001:db8:bad::/48'] },
      ],
    }),
  },
  {
    name: 'forwarding-on',
    what: 'the server forwards, as hosts of containers do, and keeps its static routes',
    plan: () => ({ steps: [{ on: SERVER, sysctl: { 'net.ipv4.ip_forward': 1, 'net.ipv6.conf.all.forwarding': 1 } }] }),
  },
  {
    name: 'container-nat',
    what: 'the chains that a container engine makes, with a port of another container',
    plan: ({ port, nftFamily, family }) => ({
      steps: [
        { on: SERVER, sysctl: { 'net.ipv4.ip_forward': 1, 'net.ipv6.conf.all.forwarding': 1 } },
        {
          on: SERVER,
          nft: `table ${nftFamily} nat {
  chain DOCKER { iifname "docker0" return
    tcp dport ${port + 7} dnat to ${family === 4 ? '172.17.0.2:80' : '[fd00:17::2]:80'}
  }
  chain prerouting { type nat hook prerouting priority -100; fib daddr type local jump DOCKER; }
  chain output { type nat hook output priority -100; fib daddr type local jump DOCKER; }
  chain postrouting { type nat hook postrouting priority 100; oifname != "docker0" ${nftFamily} saddr ${family === 4 ? '172.17.0.0/16' : 'fd00:17::/64'} masquerade; }
}
table ${nftFamily} filter {
  chain USER { counter return; }
  chain forward { type filter hook forward priority 0; policy drop; jump USER; ct state established,related accept; iifname "docker0" accept; }
}`,
        },
      ],
    }),
  },
  {
    name: 'connection-tracking',
    what: 'a stateful firewall that drops what is invalid',
    plan: ({ port }) => ({
      steps: [
        {
          on: SERVER,
          nft: `table inet state { chain input { type filter hook input priority 0; policy accept;
    ct state invalid counter drop
    ct state established,related accept
    tcp dport ${port} ct state new accept
  }
}`,
        },
        { on: 'client', connect: { count: 10, then: 'close' } },
      ],
    }),
  },
  {
    name: 'no-timestamps',
    what: 'timestamps, window scaling and SACK are switched off',
    plan: () => ({
      steps: (['client', 'server'] as const).map((on) => ({
        on,
        sysctl: { 'net.ipv4.tcp_timestamps': 0, 'net.ipv4.tcp_window_scaling': 0, 'net.ipv4.tcp_sack': 0 },
      })),
    }),
  },
  {
    name: 'socket-for-one-address',
    what: 'the service listens on one address only, which is the one that clients use',
    plan: ({ server }) => ({ listener: { address: server }, steps: [] }),
  },
  {
    name: 'two-families-two-sockets',
    what: 'one socket for IPv4 and one, for IPv6 only, on the same port',
    plan: () => ({
      listener: { v6only: true },
      steps: [{ on: SERVER, listen: { name: 'v4', address: '0.0.0.0' } }],
    }),
  },
];

/** A healthy host as a scenario: nothing may be found. */
export function healthyScenario({ families, requires, plan }: HealthyHost): Runnable {
  return {
    ...(families === undefined ? {} : { families }),
    ...(requires === undefined ? {} : { requires }),
    plan: (names) => ({ ...plan(names), expect: { server: null, client: null } }),
  };
}
