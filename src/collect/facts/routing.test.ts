import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { CommandResult } from '../../host/host.ts';
import { HostError } from '../../host/host.ts';
import type { Attempt } from '../../model/facts/attempt.ts';
import { isUnavailable } from '../../model/facts/fact.ts';
import { addresses } from './addresses.ts';
import type { Facts } from './gather.ts';
import { gatherFacts } from './gather.ts';
import { incomingRoute } from './incoming-route.ts';
import { links } from './links.ts';
import { networkChanges } from './network-changes.ts';
import { otherNamespaces } from './other-namespaces.ts';
import { outgoingRoute } from './outgoing-route.ts';
import { peerMetrics } from './peer-metrics.ts';
import { routes } from './routes.ts';
import { rules } from './rules.ts';
import { AnsweringHost, type Answers } from './testing/answering-host.ts';
import { factOf, factValue, WATCHED } from './testing/scopes.ts';
import { xfrmPolicies } from './xfrm-policies.ts';

function fixture(name: string): string {
  return readFileSync(new URL(`../../../fixtures/${name}`, import.meta.url), 'utf8');
}

function refusal(message: string): CommandResult {
  return { exitCode: 2, stdout: '', stderr: `RTNETLINK answers: ${message}\n` };
}

const ADDR = 'ip -j -d -s -s addr show';
const ROUTES = 'ip -j route show table all';
const PLAIN: Record<string, string | CommandResult> = {
  [ADDR]: fixture('iproute/addr.json'),
  [ROUTES]: fixture('iproute/routes.json'),
  'ip rule show': fixture('iproute/rules-plain-4.txt'),
  'ip -6 rule show': fixture('iproute/rules-plain-6.txt'),
};
const COLLECTORS = [links, addresses, routes, rules, outgoingRoute, incomingRoute];
const ATTEMPT: Attempt = { ...WATCHED, server: { address: '192.0.2.2', port: 443 } };
const REPLY = (client: string, server = '192.0.2.2', more = ''): string =>
  `ip -j ${client.includes(':') ? '-6 ' : ''}route get ${client} from ${server}${more} ipproto tcp sport 443 dport 50204`;

/** A host of which something was not recorded. */
class Recorded extends AnsweringHost {
  override async run(argv: readonly string[]): Promise<CommandResult> {
    if (argv.includes('get')) throw new HostError('not-recorded', 'the bundle does not hold this');
    return super.run(argv);
  }
}

function toClient(address: string, more: Partial<Attempt> = {}): Attempt {
  const family = address.includes(':') ? 6 : 4;
  const server = family === 6 ? '2001:db8:2::2' : '192.0.2.2';
  return { ...ATTEMPT, family, client: { address, port: 50204 }, server: { address: server, port: 443 }, ...more };
}

describe('outgoingRoute on the server', () => {
  const ask = (attempt: Attempt, answers: Answers['commands']): Promise<unknown> =>
    factOf('outgoingRoute', COLLECTORS, new AnsweringHost({ commands: { ...PLAIN, ...answers } }), attempt);

  test('a route, and the entry of the table that decided', async () => {
    const json =
      '[{"dst":"198.51.100.7","from":"192.0.2.2","gateway":"192.0.2.1","dev":"eth0","flags":[],"uid":0,"cache":[]}]';
    expect(await ask(ATTEMPT, { [REPLY('198.51.100.7')]: json })).toEqual({
      value: {
        command: REPLY('198.51.100.7').split(' '),
        question: '192.0.2.2 → 198.51.100.7 tcp sport 443',
        ok: true,
        type: 'unicast',
        device: 'eth0',
        gateway: '192.0.2.1',
        table: 'main',
        matchedRoute: expect.objectContaining({ destination: '0.0.0.0/0', table: 'main' }),
        matchedRule: expect.objectContaining({ priority: 32766 }),
      },
      source: 'ip route get',
    });
  });

  test.each([
    ['10.10.0.1', 'No route to host', 'unreachable', '10.10.0.0/16'],
    ['10.9.0.1', 'Invalid argument', 'blackhole', '10.9.0.0/16'],
    ['2001:db8:102::1', 'No route to host', 'unreachable', '2001:db8:102::/48'],
    ['2001:db8:103::1', 'Invalid argument', 'blackhole', '2001:db8:103::/48'],
  ])('%s: "%s" is %s, by the route %s', async (client, message, failure, destination) => {
    const attempt = toClient(client);
    const question = REPLY(client, attempt.server.address);
    expect(await ask(attempt, { [question]: refusal(message) })).toMatchObject({
      value: { ok: false, failure, message, matchedRoute: { destination } },
    });
  });

  test('no route at all', async () => {
    const without = fixture('iproute/routes.json').replaceAll('{"dst":"default",', '{"dst":"10.200.0.0/16",');
    expect(
      await ask(ATTEMPT, { [ROUTES]: without, [REPLY('198.51.100.7')]: refusal('Network is unreachable') }),
    ).toEqual({
      value: expect.not.objectContaining({ matchedRoute: expect.anything(), matchedRule: expect.anything() }),
      source: 'ip route get',
    });
    expect(
      await ask(ATTEMPT, { [ROUTES]: without, [REPLY('198.51.100.7')]: refusal('Network is unreachable') }),
    ).toMatchObject({ value: { ok: false, failure: 'no-route', message: 'Network is unreachable' } });
  });

  test('the same words from a rule', async () => {
    const answers = {
      'ip rule show': `0:\tfrom all lookup local\n90:\tfrom all sport 443 unreachable\n32766:\tfrom all lookup main\n`,
      [REPLY('198.51.100.7')]: refusal('Network is unreachable'),
    };
    expect(await ask(ATTEMPT, answers)).toMatchObject({
      value: { failure: 'unreachable', matchedRule: { priority: 90, action: 'unreachable' } },
    });
  });

  test('the same words from a throw route that hides a route', async () => {
    const thrown = JSON.stringify([
      { type: 'throw', dst: '198.51.100.0/24', table: '100', flags: [] },
      { dst: 'default', gateway: '192.0.2.1', dev: 'eth0', table: '100', flags: [] },
      { type: 'local', dst: '192.0.2.2', dev: 'eth0', table: 'local', protocol: 'kernel', flags: [] },
    ]);
    const answers = {
      [ROUTES]: thrown,
      'ip rule show': '0:\tfrom all lookup local\n90:\tfrom all lookup 100\n32766:\tfrom all lookup main\n',
      [REPLY('198.51.100.7')]: refusal('Network is unreachable'),
    };
    expect(await ask(ATTEMPT, answers)).toMatchObject({
      value: { failure: 'throw', matchedRoute: { type: 'throw', destination: '198.51.100.0/24' } },
    });
    // A throw in a table that has nothing else hides nothing.
    expect(
      await ask(ATTEMPT, { ...answers, [ROUTES]: thrown.replace('"dst":"default"', '"dst":"10.3.0.0/16"') }),
    ).toMatchObject({
      value: { failure: 'no-route' },
    });
  });

  test('the same words for a source that is no address of this host', async () => {
    const attempt = { ...ATTEMPT, server: { address: '192.0.2.222', port: 443 } };
    const question = REPLY('198.51.100.7', '192.0.2.222');
    expect(await ask(attempt, { [question]: refusal('Network is unreachable') })).toMatchObject({
      value: { ok: false, failure: 'invalid-source' },
    });
    const loopback = { ...ATTEMPT, server: { address: '127.0.0.1', port: 443 } };
    const fromLoopback = REPLY('198.51.100.7', '127.0.0.1');
    expect(await ask(loopback, { [fromLoopback]: refusal('Invalid argument') })).toMatchObject({
      value: { ok: false, failure: 'invalid-source' },
    });
  });

  test('the uid and the mark of the listener count', async () => {
    const host = new AnsweringHost({ commands: PLAIN });
    const listener = {
      address: '::',
      port: 443,
      family: 6,
      v6only: false,
      acceptQueue: 0,
      backlog: 9,
      owners: [],
    } as const;
    const known: Facts = {
      sockets: {
        value: {
          listeners: [],
          matching: [{ ...listener, uid: 33, mark: 7, device: 'eth0' }],
          mismatched: [],
          connections: [],
          synReceived: 0,
        },
        source: 'test',
      },
    };
    await gatherFacts(host, COLLECTORS, { side: 'server', port: 443, attempt: ATTEMPT, known }, undefined);
    expect(host.asked).toContain(
      'ip -j route get 198.51.100.7 from 192.0.2.2 oif eth0 mark 7 ipproto tcp sport 443 dport 50204 uid 33',
    );
  });

  test('a link-local client needs the interface, and IPv6 must mean it', async () => {
    const attempt = toClient('fe80::7', { server: { address: '2001:db8:2::2', port: 443 } });
    const host = new AnsweringHost({
      commands: {
        ...PLAIN,
        [REPLY('fe80::7', '2001:db8:2::2', ' oif eth0')]:
          '[{"dst":"fe80::7","from":"2001:db8:2::2","dev":"eth1","flags":[]}]',
        'ip -j -6 route get fe80::7 oif eth0 ipproto tcp sport 443 dport 50204': refusal('Network is unreachable'),
      },
    });
    expect(await factValue('outgoingRoute', COLLECTORS, host, attempt)).toMatchObject({
      ok: false,
      failure: 'no-route',
    });
  });

  test('nobody to answer', async () => {
    const nobody = { ...ATTEMPT, client: { address: '0.0.0.0', port: 0 } };
    expect(await ask(nobody, {})).toMatchObject({ unavailable: 'not-found', hint: 'name a client with --from' });
  });

  test('an ip that knows neither JSON nor ports', async () => {
    const old = { exitCode: 255, stdout: '', stderr: 'Error: either "to" is duplicate, or "ipproto" is a garbage.\n' };
    const answers = {
      [REPLY('198.51.100.7')]: old,
      'ip route get 198.51.100.7 from 192.0.2.2': '198.51.100.7 from 192.0.2.2 via 192.0.2.1 dev eth0 \n    cache \n',
    };
    expect(await ask(ATTEMPT, answers)).toMatchObject({
      value: { ok: true, command: ['ip', 'route', 'get', '198.51.100.7', 'from', '192.0.2.2'], gateway: '192.0.2.1' },
    });
    expect(
      await ask(ATTEMPT, { [REPLY('198.51.100.7')]: old, 'ip route get 198.51.100.7 from 192.0.2.2': old }),
    ).toMatchObject({
      unavailable: 'not-supported',
      hint: 'install a newer iproute2',
    });
  });

  test('without ip nothing can be said', async () => {
    expect(await factOf('outgoingRoute', [outgoingRoute], new AnsweringHost({}), ATTEMPT)).toEqual({
      unavailable: 'not-found',
      reason: 'ip is not installed',
      hint: 'install iproute2',
    });
  });
});

describe('outgoingRoute of a recording that does not hold the question', () => {
  const compute = (attempt: Attempt, answers: Answers['commands'] = {}): Promise<unknown> =>
    factOf('outgoingRoute', COLLECTORS, new Recorded({ commands: { ...PLAIN, ...answers } }), attempt);

  test('the tables answer', async () => {
    expect(await compute(toClient('198.51.100.7'))).toMatchObject({
      value: { ok: true, computed: true, device: 'eth0', gateway: '192.0.2.1', table: 'main' },
      source: 'recorded rules and routes',
    });
    expect(await compute(toClient('10.10.0.1'))).toMatchObject({
      value: { ok: false, computed: true, failure: 'unreachable', message: 'No route to host' },
    });
    expect(await compute(toClient('2001:db8:103::1'))).toMatchObject({
      value: { ok: false, computed: true, failure: 'blackhole', message: 'Invalid argument' },
    });
    expect(await compute(toClient('192.0.2.3'))).toMatchObject({ value: { ok: true, type: 'local', device: 'lo' } });
  });

  test('a source that cannot be one', async () => {
    const server = (address: string): Attempt => ({ ...ATTEMPT, server: { address, port: 443 } });
    expect(await compute(server('192.0.2.222'))).toMatchObject({
      value: { ok: false, failure: 'invalid-source', message: 'Network is unreachable', computed: true },
    });
    expect(await compute(server('127.0.0.1'))).toMatchObject({
      value: { ok: false, failure: 'invalid-source', message: 'Invalid argument', computed: true },
    });
  });

  test('what is not sure is not said', async () => {
    const odd = '0:\tfrom all lookup local\n5:\tfrom all dscp CS1 lookup 7\n32766:\tfrom all lookup main\n';
    expect(await compute(ATTEMPT, { 'ip rule show': odd })).toMatchObject({ unavailable: 'not-recorded' });
    expect(await compute(ATTEMPT, { [ROUTES]: 'no JSON' })).toMatchObject({ unavailable: 'not-recorded' });
  });
});

describe('outgoingRoute on the client', () => {
  const client: Attempt = {
    ...ATTEMPT,
    side: 'client',
    client: { address: '0.0.0.0', port: 0 },
    server: { address: '198.51.100.7', port: 443 },
  };

  test('asks as connect() does: without a source', async () => {
    const question = 'ip -j route get 198.51.100.7 ipproto tcp dport 443';
    const json =
      '[{"dst":"198.51.100.7","gateway":"192.0.2.1","dev":"eth0","prefsrc":"192.0.2.2","flags":[],"cache":[]}]';
    const host = new AnsweringHost({ commands: { ...PLAIN, [question]: json } });
    expect(await factValue('outgoingRoute', COLLECTORS, host, client)).toMatchObject({
      ok: true,
      question: 'to 198.51.100.7 tcp dport 443',
      source: '192.0.2.2',
    });
    // The way in of the answer: to the address that the route chose.
    expect(host.asked).toContain(
      'ip -j route get 192.0.2.2 from 198.51.100.7 iif eth0 ipproto tcp sport 443 dport 45678',
    );
  });
});

describe('incomingRoute', () => {
  const SYSCTLS = (values: Readonly<Record<string, string>>): Facts => ({ sysctls: { value: values, source: 'test' } });
  const incoming = async (
    host: AnsweringHost,
    attempt: Attempt = ATTEMPT,
    sysctls: Readonly<Record<string, string>> = {},
  ): Promise<unknown> => {
    const known = SYSCTLS(sysctls);
    const facts = await gatherFacts(host, COLLECTORS, { side: attempt.side, port: 443, attempt, known }, undefined);
    return facts.incomingRoute;
  };
  const question = 'ip -j route get 192.0.2.2 from 198.51.100.7 iif eth0 ipproto tcp sport 50204 dport 443';

  test('delivered to this host', async () => {
    const json =
      '[{"type":"local","dst":"192.0.2.2","from":"198.51.100.7","dev":"lo","table":"local","flags":[],"cache":["local"],"iif":"eth0"}]';
    expect(await incoming(new AnsweringHost({ commands: { ...PLAIN, [question]: json } }))).toMatchObject({
      value: {
        ok: true,
        type: 'local',
        table: 'local',
        question: '198.51.100.7 → 192.0.2.2 in through eth0',
        matchedRoute: { destination: '192.0.2.2', type: 'local' },
      },
    });
  });

  test('refused by the source check, in the words of each kernel', async () => {
    for (const message of ['Invalid argument', 'Invalid cross-device link']) {
      const host = new AnsweringHost({ commands: { ...PLAIN, [question]: refusal(message) } });
      expect(await incoming(host)).toMatchObject({ value: { ok: false, failure: 'invalid-source', message } });
    }
  });

  test('computed: strict, loose and no filter, and an address of our own', async () => {
    const away = { ...toClient('203.0.113.7'), inDevice: 'eth0' };
    const host = (): Recorded => new Recorded({ commands: PLAIN });
    const filter = (value: string): Readonly<Record<string, string>> => ({ 'net.ipv4.conf.all.rp_filter': value });
    expect(await incoming(host(), away, filter('0'))).toMatchObject({
      value: { ok: true, computed: true, type: 'local' },
    });
    expect(await incoming(host(), away, filter('1'))).toMatchObject({
      value: { ok: false, computed: true, failure: 'invalid-source' },
    });
    expect(await incoming(host(), away, filter('2'))).toMatchObject({ value: { ok: true } });
    expect(await incoming(host(), toClient('192.0.2.3'), filter('0'))).toMatchObject({
      value: { ok: false, failure: 'invalid-source' },
    });
    expect(await incoming(host(), toClient('2001:db8:99::1'), {})).toMatchObject({
      value: { ok: true, type: 'local' },
    });
  });

  test('the port of a bridge is not where the IP layer takes it in', async () => {
    const bridged = fixture('iproute/addr.json').replace('"ifname":"eth0"', '"ifname":"eth0","master":"br0"');
    const host = new AnsweringHost({ commands: { ...PLAIN, [ADDR]: bridged } });
    await incoming(host);
    expect(host.asked.some((line) => line.includes(' iif br0 '))).toBe(true);
  });

  test('a uid counts only when a rule asks for one', async () => {
    const host = new AnsweringHost({
      commands: { ...PLAIN, 'ip rule show': '0:\tfrom all lookup local\n5:\tfrom all uidrange 0-0 lookup main\n' },
    });
    await incoming(host);
    expect(host.asked).toContain(`${question} uid 0`);
  });
});

describe('xfrmPolicies', () => {
  const collectors = [...COLLECTORS, xfrmPolicies];

  test('which of them cover the attempt', async () => {
    const commands = { ...PLAIN, 'ip xfrm policy': fixture('iproute/xfrm-policy.txt') };
    const found = await factValue(
      'xfrmPolicies',
      collectors,
      new AnsweringHost({ commands }),
      toClient('198.51.100.2'),
    );
    expect(found.map(({ direction, action, matches }) => [direction, action, matches])).toEqual([
      ['out', 'allow', false],
      ['fwd', 'allow', false],
      ['in', 'allow', true],
      ['out', 'block', true],
    ]);
    expect(found[2]).toMatchObject({ templates: ['esp'], source: '198.51.100.0/24' });
    const other = await factValue('xfrmPolicies', collectors, new AnsweringHost({ commands }), ATTEMPT);
    expect(other.some(({ direction, matches }) => direction === 'out' && matches)).toBe(false);
  });

  test('without the right to look', async () => {
    const commands = { ...PLAIN, 'ip xfrm policy': refusal('Operation not permitted') };
    expect(await factOf('xfrmPolicies', collectors, new AnsweringHost({ commands }))).toMatchObject({
      unavailable: 'no-permission',
      hint: 'run as root',
    });
  });
});

test('peerMetrics', async () => {
  const about = (answer: string | CommandResult): Promise<unknown> =>
    factValue(
      'peerMetrics',
      [peerMetrics],
      new AnsweringHost({ commands: { 'ip tcp_metrics show 198.51.100.7': answer } }),
    );
  expect(await about(fixture('iproute/tcp-metrics.txt'))).toEqual({ known: true, hasRtt: true });
  expect(await about(refusal('No such process'))).toEqual({ known: false, hasRtt: false });
});

test('links: growth, and an interface that was made anew', async () => {
  const now = fixture('iproute/addr.json');
  const before = new AnsweringHost({
    commands: { [ADDR]: now.replace('"otherhost":3', '"errors":0').replace(/"ifindex":3/, '"ifindex":33') },
  });
  const value = await factValue('links', [links], new AnsweringHost({ commands: { [ADDR]: now } }), WATCHED, before);
  const growth = (name: string): unknown => value.find((link) => link.name === name)?.growth;
  expect(growth('eth0')).toMatchObject({ rxOtherhostDropped: 3, rxPackets: 0 });
  expect(growth('eth1')).toEqual({});
});

test('links: names of VRF tables', async () => {
  const host = new AnsweringHost({
    commands: { [ADDR]: fixture('iproute/addr-vrf.json') },
    files: { '/etc/iproute2/rt_tables': '255\tlocal\n1001 mgmt\n' },
  });
  expect((await factValue('links', [links], host)).map(({ vrfTable }) => vrfTable)).toEqual(['mgmt', 'mgmt']);
});

test('networkChanges: from the journal, held against the first SYN', async () => {
  const command =
    'journalctl -q --no-pager -o short-unix --since=-15min -n 1000 _TRANSPORT=kernel + _SYSTEMD_UNIT=systemd-networkd.service + _SYSTEMD_UNIT=NetworkManager.service';
  const host = new AnsweringHost({ commands: { [command]: fixture('journal/short-unix.txt') }, nowMs: 1795238500_000 });
  const value = await factValue('networkChanges', [networkChanges], host);
  expect(value[0]).toMatchObject({ what: 'link-down', beforeMs: 14_899, source: 'journal' });
  expect(await factValue('networkChanges', [networkChanges], new AnsweringHost({}))).toEqual([]);
});

describe('otherNamespaces', () => {
  test('are not looked for when something listens here, or sockets are not known', async () => {
    const host = new AnsweringHost({});
    expect(await factValue('otherNamespaces', [otherNamespaces], host)).toEqual([]);
    expect(host.asked).toEqual([]);
  });
});

test('a kernel without IPv6 has rules of IPv4 all the same', async () => {
  const commands = { 'ip rule show': PLAIN['ip rule show']!, 'ip -6 rule show': refusal('Operation not supported') };
  const fact = await factOf('rules', [rules], new AnsweringHost({ commands }));
  expect(!isUnavailable(fact) && fact.value.map(({ family }) => family)).toEqual([4, 4, 4]);
});
