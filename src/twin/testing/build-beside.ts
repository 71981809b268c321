/** Builds a copy in this namespace, which has devices with the indexes and one of the names of the host; prints what came of it. */
import { execFileSync } from 'node:child_process';
import { systemCalls } from '../../host/system.ts';
import { type HostState, STATE_VERSION } from '../state.ts';
import { Twin } from '../twin.ts';

execFileSync('ip', ['link', 'add', 'tunl0', 'index', '2', 'type', 'bridge']);
const link = { flags: ['UP'], operState: 'UP', xdp: [] };
const state: HostState = {
  ...{
    version: STATE_VERSION,
    on: 'x',
    rules: [],
    neighbours: [],
    nexthops: [],
    iptables: [],
    sysctls: {},
    sockets: [],
  },
  ...{ xfrmPolicies: [], qdiscs: [], filterHooks: [], bpfPrograms: [], conntrack: {}, notRead: [], routes: [] },
  links: [
    { ...link, index: 2, name: 'eth0', linkAddress: '02:00:00:00:00:02' },
    { ...link, index: 3, name: 'tunl0', flags: [] },
  ],
  addresses: [{ family: 4, address: '10.77.0.1', prefixLength: 24, device: 'eth0', scope: 'global', flags: [] }],
};
const line = (text: string): HostState['routes'][number] => ({
  ...{ family: 4, table: 'main', type: 'unicast', destination: '10.77.0.0/24', isExpired: false, line: text },
  nextHops: [{ device: 'eth0', flags: [] }],
});
const syn = {
  family: 4,
  source: '10.77.0.9',
  sourcePort: 4000,
  destination: '10.77.0.1',
  destinationPort: 80,
} as const;
const local = {
  ...line('local 10.77.0.1 dev eth0 table local proto kernel scope host src 10.77.0.1'),
  table: 'local',
  type: 'local' as const,
};
const twin = await Twin.build(
  { ...state, routes: [line('10.77.0.0/24 dev eth0 proto kernel scope link src 10.77.0.1'), local] },
  { role: 'server', syn },
);
const links = [...twin.links.values()];
process.stdout.write(
  JSON.stringify({
    names: links.map(({ name }) => name),
    indexesAreReal: links.every(({ name, index }) => systemCalls().interfaceIndex(name) === index),
    moved: twin.links.get('eth0')?.index !== 2,
    reply: twin.replay({ ...syn, device: 'eth0' }).reply,
    notCopied: twin.notCopied,
  }),
);
process.exit(0);
