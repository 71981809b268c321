import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Host } from '../../host/host.ts';
import { NetnsHost } from '../../host/netns-host.ts';
import { makeNamespacePair, type NamespacePair, namespacesMissing } from '../../host/testing/namespaces.ts';
import type { Change } from '../../model/cause.ts';
import { kindOf } from './index.ts';

const missing = namespacesMissing();
if (missing !== undefined) console.log(`Skipped: kinds of changes: ${missing}`);

/** Everything in the namespace that a change could leave behind. */
const LISTINGS: readonly (readonly string[])[] = [
  ['ip', '-o', '-d', 'route', 'show', 'table', 'all'],
  ['ip', '-o', '-6', '-d', 'route', 'show', 'table', 'all'],
  ['ip', 'rule'],
  ['ip', '-6', 'rule'],
  ['ip', '-o', 'addr'],
  ['ip', 'neigh', 'show', 'nud', 'permanent'],
  ['nft', 'list', 'ruleset'],
  ['iptables-save', '-t', 'filter', '-c'],
  ['sysctl', 'net.ipv4.conf.eth0', 'net.ipv4.tcp_syncookies', 'net.ipv6.conf.eth0.disable_ipv6'],
];

describe.skipIf(missing !== undefined)('each kind of change', () => {
  let pair: NamespacePair;
  let host: Host;

  const run = (...argv: string[]): string =>
    execFileSync('ip', ['netns', 'exec', pair.server, ...argv], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  const state = (): string =>
    LISTINGS.map(([program = '', ...args]) => {
      try {
        return run(program, ...args).replace(/^#.*$|valid_lft \S+|preferred_lft \S+/gm, '');
      } catch {
        return '';
      }
    }).join('\n');

  beforeAll(() => {
    pair = makeNamespacePair('rk');
    host = new NetnsHost(pair.server);
    run('ip', 'route', 'add', 'default', 'via', '10.77.0.2', 'metric', '50');
    run('ip', 'route', 'add', 'prohibit', '192.0.2.0/24', 'metric', '7');
    run('ip', '-6', 'route', 'add', 'unreachable', '2001:db8:9::/48', 'metric', '9');
    run('ip', 'route', 'add', '198.51.100.0/24', 'via', '10.77.0.2', 'src', '10.77.0.1', 'mtu', '1400', 'table', '77');
    run(
      'ip',
      'route',
      'add',
      '203.0.113.0/24',
      'nexthop',
      'via',
      '10.77.0.2',
      'weight',
      '2',
      'nexthop',
      'via',
      '10.77.0.9',
    );
    run('ip', 'rule', 'add', 'pref', '50', 'from', '10.9.0.0/16', 'to', '192.0.2.1', 'fwmark', '0x5/0xff', 'prohibit');
    run('ip', 'neigh', 'add', '10.77.0.2', 'lladdr', '02:00:00:00:00:77', 'dev', 'eth0', 'nud', 'permanent');
    run('nft', 'add table inet f; add chain inet f in { type filter hook input priority 0; policy accept; }');
    run(
      'nft',
      'add rule inet f in ip saddr { 192.0.2.1, 192.0.2.7-192.0.2.9 } tcp dport 80 counter packets 3 bytes 180 drop comment "keep out"',
    );
    run('nft', 'add rule inet f in tcp dport 443 counter drop');
    run(
      'iptables',
      '-A',
      'INPUT',
      '-p',
      'tcp',
      '--dport',
      '22',
      '-m',
      'comment',
      '--comment',
      'two "words"',
      '-j',
      'ACCEPT',
    );
    run('iptables', '-A', 'INPUT', '-p', 'tcp', '--dport', '443', '-j', 'DROP');
  });
  afterAll(async () => {
    await host?.close();
    pair?.remove();
  });

  const nft = (which: RegExp): number =>
    Number(
      /# handle (\d+)/.exec(
        run('nft', '-a', 'list', 'chain', 'inet', 'f', 'in')
          .split('\n')
          .find((line) => which.test(line)) ?? '',
      )?.[1],
    );

  const cases: readonly (readonly [name: string, change: () => Change])[] = [
    ['a setting', () => ({ kind: 'sysctl', key: 'net.ipv4.tcp_syncookies', value: '2' })],
    ['a setting of an interface', () => ({ kind: 'sysctl', key: 'net.ipv4.conf.eth0.rp_filter', value: '2' })],
    [
      'a route is added',
      () => ({ kind: 'route', action: 'add', family: 6, destination: 'default', via: 'fd77::2', device: 'eth0' }),
    ],
    [
      'a route of another table is added',
      () => ({
        kind: 'route',
        action: 'add',
        family: 4,
        destination: 'default',
        via: '10.77.0.2',
        device: 'eth0',
        table: '101',
      }),
    ],
    [
      'a default route beside one with another metric',
      () => ({ kind: 'route', action: 'add', family: 4, destination: 'default', via: '10.77.0.9', metric: 60 }),
    ],
    [
      'a reject route is deleted',
      () => ({
        kind: 'route',
        action: 'delete',
        family: 4,
        type: 'prohibit',
        destination: '192.0.2.0/24',
        table: 'main',
        metric: 7,
      }),
    ],
    [
      'a reject route of IPv6 is deleted',
      () => ({
        kind: 'route',
        action: 'delete',
        family: 6,
        type: 'unreachable',
        destination: '2001:db8:9::/48',
        metric: 9,
      }),
    ],
    [
      'a route with attributes is deleted',
      () => ({ kind: 'route', action: 'delete', family: 4, destination: '198.51.100.0/24', table: '77' }),
    ],
    [
      'a route with two ways is deleted',
      () => ({ kind: 'route', action: 'delete', family: 4, destination: '203.0.113.0/24' }),
    ],
    [
      'a route is replaced',
      () => ({
        kind: 'route',
        action: 'replace',
        family: 4,
        destination: 'default',
        via: '10.77.0.9',
        device: 'eth0',
        metric: 50,
      }),
    ],
    [
      'a rule is added',
      () => ({ kind: 'rule', action: 'add', family: 4, selector: ['from', '10.77.0.1', 'lookup', '101'] }),
    ],
    ['a rule is deleted', () => ({ kind: 'rule', action: 'delete', family: 4, priority: 50, selector: [] })],
    [
      'a rule of nftables is inserted',
      () => ({
        kind: 'nft-rule',
        action: 'insert',
        family: 'inet',
        table: 'f',
        chain: 'in',
        handle: nft(/443/),
        rule: ['ip', 'saddr', '192.0.2.5', 'tcp', 'dport', '443', 'accept'],
      }),
    ],
    [
      'the last rule of nftables is deleted',
      () => ({ kind: 'nft-rule', action: 'delete', family: 'inet', table: 'f', chain: 'in', handle: nft(/443/) }),
    ],
    [
      'the first rule of nftables is deleted',
      () => ({ kind: 'nft-rule', action: 'delete', family: 'inet', table: 'f', chain: 'in', handle: nft(/keep out/) }),
    ],
    [
      'a rule of iptables is inserted',
      () => ({
        kind: 'iptables-rule',
        action: 'insert',
        tool: 'iptables',
        table: 'filter',
        chain: 'INPUT',
        number: 2,
        rule: ['-p', 'tcp', '-s', '192.0.2.5', '--dport', '443', '-j', 'ACCEPT'],
      }),
    ],
    [
      'a rule of iptables with odd words is deleted',
      () => ({ kind: 'iptables-rule', action: 'delete', tool: 'iptables', table: 'filter', chain: 'INPUT', number: 1 }),
    ],
    [
      'a permanent neighbour is deleted',
      () => ({ kind: 'neighbour', action: 'delete', address: '10.77.0.2', device: 'eth0' }),
    ],
    ['ARP is switched off', () => ({ kind: 'link', device: 'eth0', setting: ['arp', 'off'] })],
    [
      'an address is added',
      () => ({ kind: 'address', action: 'add', address: '10.88.0.1', prefixLength: 24, device: 'eth0' }),
    ],
    [
      'an address is deleted',
      () => ({ kind: 'address', action: 'delete', address: 'fd77::1', prefixLength: 64, device: 'eth0' }),
    ],
  ];

  it.each(cases)('%s, and everything is as before when it is undone', async (_, make) => {
    const change = make();
    const all = state();
    const step = await kindOf(change).prepare(host, change, { id: '20261121-abcdef' });
    expect(step.alreadySo).toBeUndefined();
    expect(step.before).toBe(await kindOf(change).read(host, step.change));
    expect((await host.run(step.do)).stderr).toBe('');
    expect(await kindOf(change).read(host, step.change)).not.toBe(step.before);
    expect(state()).not.toBe(all);
    for (const argv of step.undo) expect((await host.run(argv)).stderr).toBe('');
    expect(await kindOf(change).read(host, step.change)).toBe(step.before);
    expect(state()).toBe(all);
  });

  it('says when it is so already', async () => {
    const change: Change = {
      kind: 'route',
      action: 'add',
      family: 4,
      destination: 'default',
      via: '10.77.0.2',
      metric: 50,
    };
    expect(await kindOf(change).prepare(host, change, { id: 'x' })).toMatchObject({ alreadySo: true });
  });

  it('does not put a second route beside one with the same metric', async () => {
    const change: Change = {
      kind: 'route',
      action: 'add',
      family: 4,
      destination: 'default',
      via: '10.77.0.9',
      metric: 50,
    };
    await expect(kindOf(change).prepare(host, change, { id: 'x' })).rejects.toThrow(/same metric/);
  });

  it('refuses what it could not undo', async () => {
    const odd: Change = { kind: 'command', argv: ['reboot'] };
    await expect(kindOf(odd).prepare(host, odd, { id: 'x' })).rejects.toThrow(/for a person/);
    const link: Change = { kind: 'link', device: 'eth0', setting: ['address', '02:00:00:00:00:01'] };
    await expect(kindOf(link).prepare(host, link, { id: 'x' })).rejects.toThrow(/undo/);
    const gone: Change = {
      kind: 'nft-rule',
      action: 'insert',
      family: 'inet',
      table: 'f',
      chain: 'in',
      handle: 4711,
      rule: ['accept'],
    };
    await expect(kindOf(gone).prepare(host, gone, { id: 'x' })).rejects.toThrow(/not in inet f in any more/);
    const path: Change = { kind: 'sysctl', key: '../../etc/passwd', value: '1' };
    await expect(kindOf(path).prepare(host, path, { id: 'x' })).rejects.toThrow(/kernel has no|no setting/);
  });

  it('names what widens a policy', async () => {
    const policyOf = async (change: Change): Promise<string | undefined> =>
      (await kindOf(change).prepare(host, change, { id: 'x' })).policy;
    expect(await policyOf({ kind: 'rule', action: 'delete', family: 4, priority: 50, selector: [] })).toMatch(
      /prohibit/,
    );
    expect(await policyOf({ kind: 'neighbour', action: 'delete', address: '10.77.0.2', device: 'eth0' })).toMatch(
      /permanent/,
    );
    expect(
      await policyOf({ kind: 'route', action: 'delete', family: 4, type: 'prohibit', destination: '192.0.2.0/24' }),
    ).toMatch(/prohibit/);
    expect(await policyOf({ kind: 'sysctl', key: 'net.ipv4.conf.eth0.accept_local', value: '1' })).toMatch(
      /address of this host/,
    );
    expect(await policyOf({ kind: 'sysctl', key: 'net.ipv4.tcp_syncookies', value: '2' })).toBeUndefined();
  });
});
