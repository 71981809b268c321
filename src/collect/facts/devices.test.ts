import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Attempt } from '../../model/facts/attempt.ts';
import type { TrafficControl } from '../../model/facts/links.ts';
import { bpfPrograms } from './bpf-programs.ts';
import { type Facts, gatherFacts } from './gather.ts';
import { links } from './links.ts';
import { AnsweringHost, type Answers } from './testing/answering-host.ts';
import { factOf, factValue, WATCHED } from './testing/scopes.ts';
import { trafficControl } from './traffic-control.ts';

function fixture(name: string): string {
  return readFileSync(new URL(`../../../fixtures/${name}`, import.meta.url), 'utf8');
}

const ATTEMPT: Attempt = { ...WATCHED, server: { address: '192.0.2.2', port: 443 } };
const CLSACT = `qdisc fq_codel 0: dev eth0 root refcnt 2 limit 10240p
 Sent 1 bytes 1 pkt (dropped 4, overlimits 0 requeues 0)
qdisc clsact ffff: dev eth0 parent ffff:fff1
 Sent 1 bytes 1 pkt (dropped 9, overlimits 0 requeues 0)
`;
type Commands = NonNullable<Answers['commands']>;

const ROUTE_OUT: Facts = {
  outgoingRoute: { value: { command: [], question: '', ok: true, type: 'unicast', device: 'eth0' }, source: 'test' },
};

describe('trafficControl', () => {
  const ask = async (commands: Commands, attempt: Attempt = ATTEMPT): Promise<readonly TrafficControl[]> => {
    const host = new AnsweringHost({ commands });
    const scope = { side: attempt.side, port: 443, attempt, known: ROUTE_OUT };
    const fact = (await gatherFacts(host, [trafficControl], scope, undefined)).trafficControl;
    if (fact === undefined || !('value' in fact)) throw new Error('no traffic control');
    return fact.value;
  };
  const filters = (ingress: string, egress = ''): Commands => ({
    'tc -s qdisc show': CLSACT,
    'tc -s filter show dev eth0 ingress': ingress,
    'tc -s filter show dev eth0 egress': egress,
  });
  const verdicts = (entries: readonly TrafficControl[]): unknown =>
    entries.map(({ where, kind, dropsSyn, dropsAnswer }) => [where, kind, dropsSyn, dropsAnswer]);

  test('a filter that surely drops the SYN as it comes in', async () => {
    const flower = fixture('tc/flower.txt');
    expect(verdicts(await ask(filters(flower)))).toEqual([
      ['root', 'fq_codel', undefined, undefined],
      ['ingress', 'clsact', undefined, undefined],
      ['ingress', 'flower', true, undefined],
      ['ingress', 'flower', undefined, undefined],
      ['ingress', 'matchall', undefined, undefined],
    ]);
    // Another interface is not on the way.
    const elsewhere = await ask(filters(flower), { ...ATTEMPT, inDevice: 'eth7' });
    expect(elsewhere.some(({ dropsSyn }) => dropsSyn)).toBe(false);
  });

  test('a filter that surely drops the answer as it goes out', async () => {
    const answer = fixture('tc/flower.txt')
      .split(/^(?=filter protocol ipv6)/m)[0]!
      .replace('dst_ip 192.0.2.0/24', 'dst_ip 198.51.100.0/24')
      .replace('src_ip 198.51.100.0/24', 'src_ip 192.0.2.0/24')
      .replace('dst_port', 'src_port');
    expect(verdicts(await ask(filters('', answer)))).toEqual([
      ['root', 'fq_codel', undefined, undefined],
      ['egress', 'clsact', undefined, undefined],
      ['egress', 'flower', undefined, true],
    ]);
    // On the client the same packet comes in: its egress does not see it.
    const client = { ...ATTEMPT, side: 'client' as const };
    expect((await ask(filters('', answer), client)).some(({ dropsAnswer }) => dropsAnswer)).toBe(false);
    expect((await ask(filters(answer), client)).some(({ dropsAnswer }) => dropsAnswer)).toBe(true);
  });

  test('growth needs a reading before, of the same filter', async () => {
    const before = new AnsweringHost({
      commands: {
        ...filters(fixture('tc/police.txt').replaceAll('41', '30')),
        'tc -s qdisc show': CLSACT.replace('dropped 9', 'dropped 2'),
      },
    });
    const now = new AnsweringHost({ commands: filters(fixture('tc/police.txt')) });
    const value = await factValue('trafficControl', [trafficControl], now, ATTEMPT, before);
    expect(value.map(({ kind, droppedDelta, overlimitsDelta }) => [kind, droppedDelta, overlimitsDelta])).toEqual([
      ['fq_codel', 0, 0],
      ['clsact', 7, 0],
      ['police', 11, 11],
    ]);
    const alone = await factValue('trafficControl', [trafficControl], now, ATTEMPT);
    expect(alone.every(({ droppedDelta }) => droppedDelta === 0)).toBe(true);
  });

  test('no filter is asked for where none can be', async () => {
    const host = new AnsweringHost({ commands: { 'tc -s qdisc show': 'qdisc noqueue 0: dev lo root refcnt 2 \n' } });
    expect(await factValue('trafficControl', [trafficControl], host)).toEqual([]);
    expect(host.asked).toEqual(['tc -s qdisc show']);
  });

  test('of very many interfaces only those on the way', async () => {
    const many = Array.from({ length: 200 }, (_, index) => `qdisc clsact ffff: dev lxc${index} parent ffff:fff1 \n`);
    const host = new AnsweringHost({
      commands: { ...filters(''), 'tc -s qdisc show': `${CLSACT}${many.join('')}` },
    });
    await factValue('trafficControl', [trafficControl], host);
    expect(host.asked.filter((line) => line.startsWith('tc -s filter'))).toEqual([
      'tc -s filter show dev eth0 ingress',
      'tc -s filter show dev eth0 egress',
    ]);
  });

  test('without tc', async () => {
    expect(await factOf('trafficControl', [trafficControl], new AnsweringHost({}))).toMatchObject({
      unavailable: 'not-found',
      hint: 'install iproute2',
    });
  });
});

describe('bpfPrograms', () => {
  const MOUNTS = 'tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0\n';
  const listener = {
    address: '::',
    port: 443,
    family: 6,
    v6only: false,
    acceptQueue: 0,
    backlog: 9,
    owners: [],
  } as const;
  const sockets = (cgroup?: string): Facts => ({
    sockets: {
      value: {
        listeners: [],
        matching: [{ ...listener, ...(cgroup === undefined ? {} : { cgroup }) }],
        mismatched: [],
        connections: [],
        synReceived: 0,
      },
      source: 'test',
    },
  });
  const ask = async (host: AnsweringHost, known: Facts, attempt: Attempt = ATTEMPT): Promise<unknown> => {
    const scope = { side: attempt.side, port: 443, attempt, known: { ...ROUTE_OUT, ...known } };
    return (await gatherFacts(host, [bpfPrograms], scope, undefined)).bpfPrograms;
  };
  const commands = {
    'bpftool -j prog show': fixture('bpftool/prog-cgroup.json'),
    'bpftool -j net show': fixture('bpftool/net-tc.json'),
    'bpftool -j link show': fixture('bpftool/link.json'),
    'readlink /proc/self/ns/net': `net:[${fixture('bpftool/link-netns.txt').trim()}]\n`,
    'bpftool -j cgroup show /sys/fs/cgroup/unified/web effective': fixture('bpftool/cgroup-show-effective.json'),
  };

  test('by hook, and whether they lie on the way', async () => {
    const host = new AnsweringHost({ commands, files: { '/proc/mounts': MOUNTS } });
    expect(await ask(host, sockets('/web'))).toMatchObject({
      value: [
        { hook: 'tc-ingress', target: 'eth0', name: 'tc_shot:[*fsobj]', onPath: true },
        { hook: 'tc-egress', target: 'eth0', onPath: true },
        { hook: 'cgroup-ingress', target: '/web', name: 'deny_in', onPath: true },
        { hook: 'cgroup-connect4', target: '/web', name: 'deny_connect', onPath: true },
        { hook: 'sk-lookup', onPath: true },
      ],
      source: 'bpftool',
    });
  });

  test('tcx, and an interface that is not on the way', async () => {
    const host = new AnsweringHost({
      commands: { ...commands, 'bpftool -j net show': fixture('bpftool/net-tcx.json').replace('eth0', 'eth9') },
      files: { '/proc/mounts': MOUNTS },
    });
    expect(await ask(host, sockets('/web'))).toMatchObject({
      value: expect.arrayContaining([
        { hook: 'tc-ingress', id: 4600, name: 'cil_from_netdev', target: 'eth9', onPath: false },
      ]),
    });
  });

  test('the client looks at the cgroup of this process', async () => {
    const files = { '/proc/mounts': MOUNTS, '/proc/self/cgroup': '4:memory:/x\n0::/web\n' };
    const client = { ...ATTEMPT, side: 'client' as const };
    expect(await ask(new AnsweringHost({ commands, files }), {}, client)).toMatchObject({
      value: expect.arrayContaining([expect.objectContaining({ hook: 'cgroup-connect4', onPath: true })]),
    });
  });

  test('nothing loaded: one question answers all', async () => {
    const host = new AnsweringHost({ commands: { 'bpftool -j prog show': '[]\n' } });
    expect(await ask(host, sockets('/web'))).toEqual({ value: [], source: 'bpftool' });
    expect(host.asked).toEqual(['bpftool -j prog show']);
  });

  test('a list that is not complete is none', async () => {
    expect(await ask(new AnsweringHost({}), {})).toMatchObject({ unavailable: 'not-found', hint: 'install bpftool' });
    const unknownCgroup = new AnsweringHost({ commands, files: { '/proc/mounts': MOUNTS } });
    expect(await ask(unknownCgroup, sockets())).toMatchObject({ unavailable: 'not-found', hint: 'run as root' });
    const refused = {
      exitCode: 255,
      stdout: '[{"error":"can\'t get next program: Operation not permitted"}]',
      stderr: '',
    };
    const unprivileged = new AnsweringHost({ commands: { 'bpftool -j prog show': refused } });
    expect(await ask(unprivileged, {})).toMatchObject({
      unavailable: 'no-permission',
      reason: '"bpftool -j prog show" may not look: can\'t get next program: Operation not permitted',
      hint: 'run as root',
    });
  });
});

test('XDP programs are seen without bpftool', async () => {
  const host = new AnsweringHost({ commands: { 'ip -j -d -s -s addr show': fixture('iproute/addr.json') } });
  const value = await factValue('links', [links], host);
  expect(value.find(({ name }) => name === 'eth0')?.xdp).toMatchObject([{ mode: 'driver', name: 'xdp_drop' }]);
});
