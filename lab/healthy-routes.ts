import type { LabNames, LabStep } from '../src/model/scenario.ts';
import type { HealthyHost } from './healthy-host.ts';

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

/** Routes, addresses and forwarding that look odd and work. */
export const HEALTHY_ROUTES: readonly HealthyHost[] = [
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
];
