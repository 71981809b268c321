import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseAddr } from './addr.ts';
import { parseIpMonitor } from './monitor.ts';
import { parseNeighbours } from './neighbours.ts';
import { covers, parsePrefix } from './prefix.ts';
import { parseRouteGet } from './route-get.ts';
import { parseRoutes } from './routes.ts';
import { parseRules } from './rules.ts';
import { metricsHaveRtt } from './tcp-metrics.ts';
import { parseTos } from './tos.ts';
import { parseXfrmPolicies, xfrmPolicyCovers } from './xfrm-policy.ts';

function fixture(name: string): string {
  return readFileSync(new URL(`../../../fixtures/iproute/${name}`, import.meta.url), 'utf8');
}

describe('parseRoutes', () => {
  const routes = parseRoutes(fixture('routes.json'))!;
  const find = (destination: string, family: 4 | 6 = 4): unknown =>
    routes.find((route) => route.destination === destination && route.family === family && route.table !== 'local');

  test('both families, with `default` spelled out', () => {
    expect(find('0.0.0.0/0')).toMatchObject({ type: 'prohibit', table: '101', nextHops: [] });
    expect(routes.filter(({ destination, table }) => destination === '0.0.0.0/0' && table === 'main')).toEqual([
      {
        family: 4,
        table: 'main',
        type: 'unicast',
        destination: '0.0.0.0/0',
        nextHops: [{ device: 'eth0', gateway: '192.0.2.1', flags: [] }],
      },
    ]);
    expect(
      routes.filter(({ destination }) => destination === '::/0').map(({ type, metric }) => [type, metric]),
    ).toEqual([
      ['unicast', 1024],
      ['prohibit', 4096],
    ]);
  });

  test('routes that refuse', () => {
    expect(find('10.9.0.0/16')).toMatchObject({ type: 'blackhole', nextHops: [] });
    expect(find('10.10.0.0/16')).toMatchObject({ type: 'unreachable', metric: 50 });
    expect(find('10.11.0.0/16')).toMatchObject({ type: 'throw', table: '100' });
    expect(find('10.16.0.0/16')).toMatchObject({ type: 'blackhole' });
    expect(find('2001:db8:104::/48', 6)).toMatchObject({ type: 'throw', table: '100' });
  });

  test('several ways, next hop objects, gateways of the other family, flags', () => {
    expect(find('10.12.0.0/16')).toMatchObject({
      nextHops: [
        { device: 'eth0', gateway: '192.0.2.1', weight: 2, flags: [] },
        { device: 'eth1', gateway: '203.0.113.1', weight: 1, flags: ['linkdown'] },
      ],
    });
    // Of a group of two next hop objects: the kernel removes one whose link goes down.
    expect(find('10.15.0.0/16')).toMatchObject({ nextHops: [{ device: 'eth0', gateway: '192.0.2.1' }] });
    expect(find('10.17.0.0/16')).toMatchObject({ nextHops: [{ device: 'eth0', gateway: '2001:db8:2::1' }] });
    expect(find('10.18.0.0/16')).toMatchObject({ nextHops: [{ flags: ['onlink'] }] });
    expect(find('203.0.113.0/24')).toMatchObject({
      preferredSource: '203.0.113.2',
      nextHops: [{ flags: ['linkdown'] }],
    });
  });

  test('the destination of an encapsulation is not that of the route', () => {
    expect(find('10.19.0.0/16')).toMatchObject({ nextHops: [{ device: 'eth0' }] });
    expect(find('198.18.9.9')).toBeUndefined();
  });

  test('what only IPv6 has, and what only IPv4 has', () => {
    expect(find('2001:db8:100::/48', 6)).toMatchObject({ from: '2001:db8:2::/64' });
    expect(find('2001:db8:105::/48', 6)).toMatchObject({ preference: 'high', protocol: 'ra', metric: 1024 });
    expect((find('2001:db8:105::/48', 6) as { expiresSeconds: number }).expiresSeconds).toBeGreaterThan(80);
    expect(find('10.13.0.0/16')).toMatchObject({ tos: 0x10, metric: 7 });
  });

  test("the kernel's own entry for no route is none", () => {
    expect(parseRoutes(fixture('routes-4.9.json'))?.map(({ destination }) => destination)).toEqual(['2001:db8:2::/64']);
  });

  test('what is not JSON is not an empty table', () => {
    expect(parseRoutes('Option "-j" is unknown, try "ip -help".')).toBeUndefined();
    expect(parseRoutes(fixture('routes.json').slice(0, -20))).toBeUndefined();
    expect(parseRoutes('')).toEqual([]);
  });

  test('whatever is printed, it ends', () => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        parseRoutes(json);
        parseRoutes(`[${json}]`);
        parseAddr(json);
        parseNeighbours(`[{"dst":${json},"dev":"x","state":${json}}]`);
      }),
    );
  });
});

describe('parseRules', () => {
  test('every word of every rule', () => {
    const rules = parseRules(fixture('rules-4.txt'), 4);
    expect(rules.every(({ unknown }) => unknown === undefined)).toBe(true);
    const at = (priority: number): unknown => rules.find((rule) => rule.priority === priority);
    expect(at(0)).toEqual({
      family: 4,
      priority: 0,
      action: 'lookup',
      table: 'local',
      text: '0: from all lookup local',
    });
    expect(at(100)).toMatchObject({
      from: '10.1.0.0/16',
      to: '10.2.3.4',
      tos: 0x10,
      fwmark: 0x10,
      fwmask: 0xf0,
      iif: 'eth0',
      oif: 'eth1',
      uids: [1000, 2000],
      ipProtocol: 6,
      sourcePorts: [80, 80],
      destinationPorts: [1000, 2000],
      action: 'lookup',
      table: '77',
    });
    expect(at(101)).toMatchObject({ not: true, to: '10.9.0.0/16', table: 'main', suppressPrefixLength: 0 });
    expect(at(102)).toMatchObject({ action: 'unreachable', to: '198.51.100.0/24' });
    expect(at(103)).toMatchObject({ action: 'prohibit', from: '10.0.0.1' });
    expect(at(104)).toMatchObject({ action: 'blackhole', fwmark: 5 });
    expect(at(105)).toMatchObject({ action: 'goto', gotoPriority: 200 });
    expect(at(106)).toMatchObject({ action: 'goto', gotoPriority: 999, detached: true });
    expect(at(107)).toMatchObject({ iif: 'nodev', detached: true, suppressGroup: 'default' });
    expect(at(108)).toMatchObject({ tunnelId: '5' });
    expect(at(110)).toMatchObject({ action: 'lookup', l3mdev: true });
    expect(at(200)).toMatchObject({ action: 'nop' });
    expect(parseRules(fixture('rules-6.txt'), 6)[1]).toMatchObject({
      family: 6,
      from: '2001:db8:5::/48',
      ipProtocol: 17,
      destinationPorts: [53, 53],
    });
  });

  test('words of a later version are named, not passed over', () => {
    expect(parseRules('5:\tfrom all dscp CS1 lookup main\n', 4)[0]).toMatchObject({
      action: 'lookup',
      table: 'main',
      unknown: ['dscp', 'CS1'],
    });
    expect(parseRules('5:\tfrom all sport 80/0xff lookup main\n', 4)[0]?.unknown).toEqual(['sport', '80/0xff']);
    expect(parseRules('5:\tfrom all constructor __proto__ lookup 7\n', 4)[0]?.unknown).toHaveLength(2);
  });

  test('lines that are no rules are none', () => {
    expect(parseRules('Dump terminated\n\n', 4)).toEqual([]);
    fc.assert(fc.property(fc.string(), (line) => void parseRules(`7: ${line}\n`, 4)));
  });
});

describe('parseAddr', () => {
  const { links, addresses } = parseAddr(fixture('addr.json'))!;
  const link = (name: string): unknown => links.find((one) => one.name === name);

  test('links', () => {
    expect(link('eth0')).toMatchObject({
      kind: 'veth',
      linkAddress: '02:00:00:00:02:02',
      mtuBytes: 1500,
      operState: 'UP',
      group: 'default',
      xdp: [{ mode: 'driver', name: 'xdp_drop' }],
      counters: { rxOtherhostDropped: 3 },
    });
    expect(link('eth1')).toMatchObject({ xdp: [{ mode: 'generic', name: 'xdp_drop' }] });
    expect(link('port0')).toMatchObject({ master: 'br0', bridgePortState: 'disabled', xdp: [] });
    expect(link('br0')).toMatchObject({ kind: 'bridge' });
    expect(links.find(({ name }) => name === 'eth0')?.counters.rxPackets).toBeGreaterThan(3);
    expect(links.find(({ name }) => name === 'eth1')?.counters.rxOtherhostDropped).toBeUndefined();
  });

  test('addresses and their states', () => {
    const flags = (address: string): unknown => addresses.find((one) => one.address === address)?.flags;
    expect(flags('192.0.2.2')).toEqual([]);
    expect(flags('192.0.2.3')).toEqual(['secondary']);
    expect(flags('2001:db8:3::3')).toEqual(['nodad', 'deprecated']);
    expect(flags('2001:db8:3::4')).toEqual(['dadfailed', 'tentative']);
    expect(addresses.find(({ address }) => address === '2001:db8:2::2')).toMatchObject({
      family: 6,
      prefixLength: 64,
      device: 'eth0',
      scope: 'global',
    });
  });

  test('VRFs and what belongs to them', () => {
    const vrf = parseAddr(fixture('addr-vrf.json'))!;
    expect(vrf.links.map(({ name, vrf: of, vrfTable }) => [name, of, vrfTable])).toEqual([
      ['blue', 'blue', '1001'],
      ['eth1', 'blue', '1001'],
    ]);
  });
});

test('parseNeighbours', () => {
  expect(parseNeighbours(fixture('neigh.json'))).toEqual(
    expect.arrayContaining([
      { address: '203.0.113.9', device: 'eth1', linkAddress: '02:00:00:00:03:09', states: ['PERMANENT'] },
      { address: '192.0.2.99', device: 'eth0', states: ['INCOMPLETE'] },
      { address: '2001:db8:2::1', device: 'eth0', linkAddress: '02:00:00:00:02:01', states: ['REACHABLE'] },
    ]),
  );
});

describe('parseRouteGet', () => {
  /** Each recorded question with its answer. */
  const answers = new Map(
    fixture('route-get.txt')
      .split(/^\$ /m)
      .slice(1)
      .map((entry, index) => {
        const [command = '', ...lines] = entry.trimEnd().split('\n');
        const exitCode = Number(/^\(exit (\d+)\)$/.exec(lines.at(-1) ?? '')?.[1] ?? 0);
        const output = lines.slice(0, exitCode === 0 ? undefined : -1).join('\n');
        const result =
          exitCode === 0 ? { exitCode, stdout: output, stderr: '' } : { exitCode, stdout: '', stderr: output };
        return [`${index} ${command}`, parseRouteGet(result)] as const;
      }),
  );
  const answer = (part: string): unknown => [...answers].find(([command]) => command.includes(part))?.[1];

  test('routes', () => {
    expect(answer('get 10.99.0.1 from 192.0.2.2')).toEqual({
      kind: 'route',
      type: 'unicast',
      device: 'eth0',
      gateway: '192.0.2.1',
    });
    expect(answer('get 192.0.2.2 from 10.99.0.1 iif')).toMatchObject({ type: 'local', device: 'lo', table: 'local' });
    expect(answer('get 2001:db8:99::1')).toMatchObject({
      gateway: '2001:db8:2::1',
      source: '2001:db8:2::2',
      metric: 1024,
    });
  });

  test('errors', () => {
    const errno = (part: string): unknown => (answer(part) as { errno?: string }).errno;
    expect(errno('get 10.10.0.1')).toBe('EHOSTUNREACH');
    expect(errno('get 10.9.0.1')).toBe('EINVAL');
    expect(errno('from 203.0.113.7 iif')).toBe('EINVAL');
    expect(errno('from 192.0.2.3 iif')).toBe('EINVAL');
    expect(errno('oif gone')).toBe('ENODEV');
    expect(errno('12 ip -j route get 10.99.0.1')).toBe('ENETUNREACH');
    expect(errno('13 ip -j -6 route get 2001:db8:99::1')).toBe('EACCES');
    expect(errno('14 ip -j -6 route get 2001:db8:99::1')).toBe('ENETUNREACH');
    // Surprising, and the reason why the source is looked at: an address that is not ours reads like "no route".
    expect(errno('from 198.51.100.9')).toBe('ENETUNREACH');
  });

  test('an ip that does not know the question did not answer it', () => {
    const stderr = 'Error: either "to" is duplicate, or "ipproto" is a garbage.';
    expect(parseRouteGet({ exitCode: 255, stdout: '', stderr })).toEqual({ kind: 'not-asked', message: stderr });
  });
});

describe('parseXfrmPolicies', () => {
  const policies = parseXfrmPolicies(fixture('xfrm-policy.txt'));

  test('selectors, templates, marks', () => {
    expect(policies.map(({ direction, action, templates }) => [direction, action, templates])).toEqual([
      ['out', 'allow', []],
      ['fwd', 'allow', ['ah']],
      ['in', 'allow', ['esp']],
      ['out', 'block', []],
    ]);
    expect(policies[0]).toMatchObject({ device: 'eth0', mark: { value: 5, mask: 0xff } });
    expect(policies[2]).toMatchObject({
      protocol: 'tcp',
      destinationPort: { value: 443, mask: 0xffff },
      priority: 100,
    });
  });

  test('which packets they cover', () => {
    const [marked, forwarded, incoming, blocked] = policies;
    const synAck = { source: '192.0.2.2', destination: '198.51.100.2', sourcePort: 443, destinationPort: 50000 };
    const syn = { source: '198.51.100.2', destination: '192.0.2.2', sourcePort: 50000, destinationPort: 443 };
    expect(xfrmPolicyCovers(blocked!, synAck)).toBe(true);
    expect(xfrmPolicyCovers(blocked!, { ...synAck, destination: '198.51.100.3' })).toBe(false);
    expect(xfrmPolicyCovers(incoming!, syn)).toBe(true);
    expect(xfrmPolicyCovers(incoming!, { ...syn, destinationPort: 80 })).toBe(false);
    expect(xfrmPolicyCovers(forwarded!, { ...syn, source: '2001:db8::1', destination: '2001:db8::2' })).toBe(false);
    expect(xfrmPolicyCovers(marked!, { ...synAck, device: 'eth0' })).toBe(false);
    expect(xfrmPolicyCovers(marked!, { ...synAck, device: 'eth0', mark: 0x105 })).toBe(true);
  });

  test('policies of single sockets and of IPsec interfaces concern nobody else', () => {
    expect(parseXfrmPolicies('src 0.0.0.0/0 dst 0.0.0.0/0 \n\tsocket in priority 0 ptype main \n')).toEqual([]);
    const [policy] = parseXfrmPolicies(
      'src 0.0.0.0/0 dst 0.0.0.0/0 \n\tdir out priority 0 \n\ttmpl src :: dst ::\n\t\tproto esp reqid 0 mode tunnel\n\tif_id 0x2a \n',
    );
    expect(policy).toMatchObject({ interfaceId: '0x2a', templates: ['esp'] });
    const flow = { source: '192.0.2.1', destination: '192.0.2.2', sourcePort: 1, destinationPort: 2 };
    expect(xfrmPolicyCovers(policy!, flow)).toBe(false);
  });
});

test('metricsHaveRtt', () => {
  expect(metricsHaveRtt(fixture('tcp-metrics.txt'))).toBe(true);
  expect(metricsHaveRtt('192.0.2.2 age 0.024sec cwnd 18 source 192.0.2.1')).toBe(false);
});

describe('parseIpMonitor', () => {
  const changes = parseIpMonitor(fixture('monitor.txt'));

  test('what changed, in order', () => {
    expect(changes.slice(0, 4).map(({ what, text }) => [what, text])).toEqual([
      ['route-deleted', 'Deleted default via 192.0.2.1 dev eth0'],
      ['route-deleted', 'Deleted default via 2001:db8:2::1 dev eth0 metric 1024 pref medium'],
      ['route-added', 'default via 192.0.2.1 dev eth0'],
      ['link-down', expect.stringMatching(/^3: eth1@if3: <BROADCAST,MULTICAST> /)],
    ]);
    const kinds = new Set(changes.map(({ what }) => what));
    expect([...kinds].sort()).toEqual([
      'address-added',
      'address-deleted',
      'link-down',
      'link-up',
      'other',
      'route-added',
      'route-deleted',
      'rule-added',
      'rule-deleted',
    ]);
    expect(changes.some(({ text }) => / table local|multicast/.test(text) && !/</.test(text))).toBe(false);
    expect(changes.find(({ text }) => text.startsWith('10.77.0.0/16'))?.text).toBe(
      '10.77.0.0/16 nexthop via 192.0.2.1 dev eth0 weight 1 nexthop via 192.0.2.8 dev eth0 weight 1',
    );
  });

  test('when, to the microsecond of UTC', () => {
    const first = changes[0]!;
    const stamp = /^\[(\S+)\]/.exec(fixture('monitor.txt'))![1]!;
    expect(new Date(first.timeMs).toISOString().slice(0, 23)).toBe(stamp.slice(0, 23));
    expect(changes.map(({ timeMs }) => timeMs)).toEqual(changes.map(({ timeMs }) => timeMs).toSorted((a, b) => a - b));
  });

  test('a link that goes down and comes back', () => {
    const links = changes.filter(({ text }) => text.startsWith('3: eth1@'));
    expect(links.map(({ what }) => what).filter((what) => what !== 'other')).toEqual(
      expect.arrayContaining(['link-down', 'link-up']),
    );
  });

  test('anything at all', () => {
    fc.assert(fc.property(fc.string(), (line) => void parseIpMonitor(`[2026-11-21T05:00:00.000001] ${line}\n`)));
    expect(parseIpMonitor('Timestamp: Sat Nov 21\nDeleted default via 192.0.2.1\n')).toEqual([]);
  });
});

test('prefixes', () => {
  expect(covers('10.0.0.0/8', '10.255.0.1')).toBe(true);
  expect(covers('10.0.0.0/9', '10.128.0.1')).toBe(false);
  expect(covers('0.0.0.0/0', '203.0.113.1')).toBe(true);
  expect(covers('::/0', '203.0.113.1')).toBe(false);
  expect(covers('2001:db8::/33', '2001:db8:8000::1')).toBe(false);
  expect(covers('2001:db8::1', '2001:db8::1')).toBe(true);
  expect(parsePrefix('10.0.0.0/33')).toBeUndefined();
  expect(parsePrefix('10.0.0.0/')).toBeUndefined();
  expect(parsePrefix('default')).toBeUndefined();
});

test('types of service by name', () => {
  expect([parseTos('0x10'), parseTos('CS1'), parseTos('AF21'), parseTos('EF'), parseTos('lowdelay')]).toEqual([
    0x10,
    0x20,
    0x48,
    0xb8,
    undefined,
  ]);
});
