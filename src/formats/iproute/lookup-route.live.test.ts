import { execFileSync, spawnSync } from 'node:child_process';
import process from 'node:process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { lookupRoute } from './lookup-route.ts';
import type { RouteFlow, RouteTables } from './route-flow.ts';
import { parseRouteGet, type RouteAnswer } from './route-get.ts';
import { parseRoutes } from './routes.ts';
import { parseRules } from './rules.ts';
import { lookupIncoming } from './source-check.ts';

// Holds the evaluation of rules and tables against the kernel's own: random rules, random routes, random flows.

const OURS = `syl${process.pid}a`;
const PEER = `syl${process.pid}b`;
const reason =
  process.getuid?.() === 0 && spawnSync('ip', ['netns', 'list']).status === 0
    ? undefined
    : 'needs root and iproute2 to make network namespaces';
/** Rounds of each family; more of them by hand: LOOKUP_ROUNDS=500. */
const ROUNDS = Number(process.env.LOOKUP_ROUNDS ?? 12);
const FLOWS = 30;

/** A small generator of random numbers (mulberry32), so that a failure can be repeated. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

function ip(...argv: string[]): string {
  return execFileSync('ip', ['-n', OURS, ...argv], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}

/** Runs lines of `ip` commands; those that the kernel refuses are left out. */
function batch(namespace: string, lines: readonly string[]): void {
  spawnSync('ip', ['-n', namespace, '-force', '-batch', '-'], { input: `${lines.join('\n')}\n` });
}

const DEVICES = ['x0', 'x1', 'x2'];
const OWN: Readonly<Record<4 | 6, readonly string[]>> = {
  4: ['10.0.0.1', '10.0.1.1', '10.0.2.1'],
  6: ['fd00::1', 'fd00:0:0:1::1', 'fd00:0:0:2::1'],
};
const GATEWAYS: Readonly<Record<4 | 6, readonly string[]>> = {
  4: ['10.0.0.9', '10.0.1.9', '10.0.2.9'],
  6: ['fd00::9', 'fd00:0:0:1::9', 'fd00:0:0:2::9'],
};
const TARGETS: Readonly<Record<4 | 6, readonly string[]>> = {
  4: ['10.0.0.9', '10.1.2.3', '10.1.9.9', '10.2.0.5', '172.16.0.1', '198.51.100.7', '10.0.1.1'],
  6: ['fd00::9', 'fd01:1::3', 'fd01:1:2::9', 'fd02::5', 'fd03::1', '2001:db8::7', 'fd00:0:0:1::1'],
};
const PREFIXES: Readonly<Record<4 | 6, readonly string[]>> = {
  4: ['default', '10.0.0.0/8', '10.1.0.0/16', '10.1.2.0/24', '10.1.2.3/32', '172.16.0.0/12', '198.51.100.0/24'],
  6: ['default', 'fd00::/8', 'fd01::/16', 'fd01:1::/32', 'fd01:1:2::/48', 'fd01:1::3/128', '2001:db8::/32'],
};
const TABLES = ['main', 'main', '100', '101', 'default'];

function randomRule(pick: <T>(list: readonly T[]) => T, below: (n: number) => number, family: 4 | 6): string {
  const words = ['rule', 'add', 'pref', String(10 + below(90))];
  if (below(6) === 0) words.push('not');
  if (below(3) === 0) words.push('from', pick([...OWN[family], ...PREFIXES[family].slice(1)]));
  if (below(3) === 0) words.push('to', pick([...TARGETS[family], ...PREFIXES[family].slice(1)]));
  if (below(5) === 0) words.push('iif', pick(['lo', 'x0', 'x1', 'gone']));
  if (below(6) === 0) words.push('oif', pick([...DEVICES, 'gone']));
  if (below(4) === 0) words.push('fwmark', pick(['0', '1', '0x3/0xff', '1/1', '0/1']));
  if (below(4) === 0) words.push('ipproto', pick(['tcp', 'udp', '6']));
  if (below(5) === 0) words.push('sport', pick(['443', '80-500', '1000-2000']));
  if (below(5) === 0) words.push('dport', pick(['45678', '40000-50000', '1-99']));
  if (below(5) === 0) words.push('uidrange', pick(['0-0', '1000-2000', '0-5000']));
  if (below(8) === 0) words.push('tos', '0x10');
  const action = below(12);
  if (action === 0) words.push(pick(['unreachable', 'prohibit', 'blackhole', 'nop']));
  else if (action === 1) words.push('goto', String(10 + below(120)));
  else {
    words.push('lookup', pick([...TABLES, '999']));
    if (below(4) === 0) words.push('suppress_prefixlength', pick(['0', '8', '16']));
  }
  return words.join(' ');
}

function randomRoute(pick: <T>(list: readonly T[]) => T, below: (n: number) => number, family: 4 | 6): string {
  const words = ['route', below(8) === 0 ? 'append' : 'add'];
  const kind = below(8);
  if (kind === 0) words.push(pick(['unreachable', 'prohibit', 'blackhole', 'throw']));
  words.push(pick(PREFIXES[family]));
  if (family === 6 && below(5) === 0) words.push('from', pick(['fd00::/64', 'fd00::/16', 'fd00:0:0:1::1/128']));
  if (kind !== 0) {
    const way = below(3);
    if (kind === 1) words.push('dev', DEVICES[way]!);
    else if (kind !== 2) words.push('via', GATEWAYS[family][way]!);
  }
  words.push('table', pick(TABLES), 'metric', String(1 + below(50)));
  if (kind === 2) for (const way of [0, 1 + below(2)]) words.push('nexthop', 'via', GATEWAYS[family][way]!);
  if (family === 4 && below(10) === 0) words.push('tos', '0x10');
  return words.join(' ');
}

function randomFlow(pick: <T>(list: readonly T[]) => T, below: (n: number) => number, family: 4 | 6): RouteFlow {
  const source = below(4) === 0 ? undefined : pick(OWN[family]);
  const oif = below(6) === 0 ? pick(DEVICES) : undefined;
  return {
    family,
    destination: pick(TARGETS[family]),
    ...(source === undefined ? {} : { source }),
    // Always given: without it the kernel asks for UDP (inet_rtm_getroute()).
    ipProtocol: pick([6, 6, 6, 17]),
    ...(below(4) === 0 ? {} : { sourcePort: 443 }),
    ...(below(4) === 0 ? {} : { destinationPort: 45678 }),
    ...(below(3) === 0 ? { mark: below(4) } : {}),
    uid: pick([0, 0, 1500]),
    ...(oif === undefined ? {} : { oif }),
    // ip6_route_output_flags(): without a source the interface is a must.
    ...(oif !== undefined && source === undefined && family === 6 ? { strict: true as const } : {}),
    ...(below(10) === 0 ? { tos: 0x10 } : {}),
  };
}

function sysctl(values: readonly string[]): void {
  spawnSync('ip', ['netns', 'exec', OURS, 'sysctl', '-qw', ...values]);
}

/** Gives one family new rules and routes. */
function shuffle(family: 4 | 6, seed: number, pick: <T>(list: readonly T[]) => T, below: (n: number) => number): void {
  const flag = `-${family}`;
  ip(flag, 'rule', 'flush');
  sysctl([`net.ipv${family}.conf.x2.ignore_routes_with_linkdown=${seed % 2}`]);
  for (const table of ['100', '101', 'default']) spawnSync('ip', ['-n', OURS, flag, 'route', 'flush', 'table', table]);
  spawnSync('ip', ['-n', OURS, flag, 'route', 'flush', 'table', 'main', 'proto', 'boot']);
  const rules = Array.from({ length: seed % 4 === 0 ? 0 : 2 + below(10) }, () => randomRule(pick, below, family));
  const routes = Array.from({ length: 4 + below(16) }, () => randomRoute(pick, below, family));
  const { status } = spawnSync('ip', ['-n', OURS, flag, '-force', '-batch', '-'], {
    input: [
      ...(family === 4 ? ['rule add pref 32767 lookup default'] : []),
      'rule add pref 32766 lookup main',
      ...rules,
      ...routes,
      '',
    ].join('\n'),
  });
  expect(status).not.toBeNull();
}

function contextOf(tables: RouteTables, values: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ ...values, rules: tables.rules.map(({ text }) => text) }, null, 1);
}

function ask(flow: RouteFlow): RouteAnswer {
  const words = ['-n', OURS, '-j', `-${flow.family}`, 'route', 'get', flow.destination];
  if (flow.source !== undefined) words.push('from', flow.source);
  if (flow.ipProtocol !== undefined) words.push('ipproto', String(flow.ipProtocol));
  if (flow.sourcePort !== undefined) words.push('sport', String(flow.sourcePort));
  if (flow.destinationPort !== undefined) words.push('dport', String(flow.destinationPort));
  if (flow.mark !== undefined) words.push('mark', String(flow.mark));
  if (flow.uid !== undefined) words.push('uid', String(flow.uid));
  if (flow.tos !== undefined) words.push('tos', `0x${flow.tos.toString(16)}`);
  if (flow.oif !== undefined) words.push('oif', flow.oif);
  if (flow.iif !== undefined) words.push('iif', flow.iif);
  const { status, stdout, stderr } = spawnSync('ip', words, { encoding: 'utf8' });
  return parseRouteGet({ exitCode: status ?? 1, stdout, stderr });
}

function tablesNow(family: 4 | 6): RouteTables {
  const rules = parseRules(ip(...(family === 6 ? ['-6'] : []), 'rule', 'show'), family);
  const routes = parseRoutes(ip('-j', 'route', 'show', 'table', 'all'))!;
  return { rules, routes };
}

/** What both must agree on: that there is a way and which, or the error. */
function summary(answer: RouteAnswer): string {
  if (answer.kind === 'route') return `${answer.type} ${answer.type === 'unicast' ? answer.device : ''}`.trim();
  return answer.kind === 'error' ? (answer.errno ?? answer.message) : `not asked: ${answer.message}`;
}

if (reason !== undefined) console.warn(`lookupRoute against the kernel: skipped, ${reason}`);

describe.skipIf(reason !== undefined)('lookupRoute answers as the kernel does', () => {
  beforeAll(() => {
    execFileSync('ip', ['netns', 'add', OURS]);
    execFileSync('ip', ['netns', 'add', PEER]);
    batch(OURS, [
      'link set lo up',
      ...DEVICES.flatMap((device, index) => [
        `link add ${device} type veth peer name p${index} netns ${PEER}`,
        `link set ${device} up`,
        `addr add ${OWN[4][index]}/24 dev ${device}`,
        `addr add ${OWN[6][index]}/64 dev ${device} nodad`,
      ]),
    ]);
    batch(PEER, ['link set p0 up', 'link set p1 up']);
  });
  afterAll(() => {
    spawnSync('ip', ['netns', 'del', OURS]);
    spawnSync('ip', ['netns', 'del', PEER]);
  });

  describe.each([4, 6] as const)('IPv%s', (family) => {
    test.each(Array.from({ length: ROUNDS }, (_, index) => index))('random rules and routes, seed %i', (seed) => {
      const below = randomFrom(seed * 2 + family);
      const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;
      shuffle(family, seed, pick, below);
      const tables = tablesNow(family);
      let compared = 0;
      for (let i = 0; i < FLOWS; i++) {
        const flow = randomFlow(pick, below, family);
        const decision = lookupRoute(tables, flow)!;
        if (!decision.certain) continue;
        const answer = ask(flow);
        const context = contextOf(tables, { flow, decision, answer });
        if (decision.errno !== undefined) expect(summary(answer), context).toBe(decision.errno);
        else if (answer.kind === 'route' && decision.route?.type === 'local')
          expect(answer.type, context).toBe('local');
        else {
          const possible = decision.nextHops.map(({ device }) => `unicast ${device}`);
          expect(possible, context).toContain(summary(answer));
          if (answer.kind === 'route' && decision.nextHops.length === 1)
            expect(answer.gateway, context).toBe(decision.nextHops[0]?.gateway);
        }
        compared++;
      }
      expect(compared).toBeGreaterThan(FLOWS / 3);
    });

    test.each(Array.from({ length: ROUNDS }, (_, index) => index))('packets that come in, seed %i', (seed) => {
      const below = randomFrom(seed * 2 + family + 7777);
      const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;
      shuffle(family, seed, pick, below);
      const forwarding = below(2) === 1;
      const settings = ['all', ...DEVICES].map((device) => ({
        device,
        rp_filter: below(3) === 0 ? 1 + below(2) : 0,
        accept_local: below(5) === 0 ? 1 : 0,
        src_valid_mark: below(3) === 0 ? 1 : 0,
      }));
      sysctl([
        ...(family === 4 ? [`net.ipv4.ip_forward=${forwarding ? 1 : 0}`] : []),
        ...settings.flatMap(({ device, ...values }) =>
          Object.entries(values).map(([key, value]) => `net.ipv4.conf.${device}.${key}=${value}`),
        ),
      ]);
      const tables = tablesNow(family);
      let compared = 0;
      for (let i = 0; i < FLOWS; i++) {
        const iif = pick(DEVICES);
        const flow = {
          ...randomFlow(pick, below, family),
          ...{ iif, source: pick([...TARGETS[family], ...OWN[family]]), sourcePort: 45678, destinationPort: 443 },
          ...(below(5) === 0 ? {} : { destination: pick(OWN[family]) }),
        };
        const { oif: _, strict: __, ...rest } = flow;
        // Packets that come in count as root's; the kernel's answer to a question without a uid is as if nobody's.
        const incoming = { ...rest, uid: 0 };
        const both = [settings[0]!, settings.find(({ device }) => device === iif)!];
        const found = lookupIncoming(tables, incoming, {
          rpFilter: Math.max(...both.map(({ rp_filter }) => rp_filter)),
          acceptLocal: both.some(({ accept_local }) => accept_local === 1),
          markCounts: both.some(({ src_valid_mark }) => src_valid_mark === 1),
          routeLocalnet: false,
          hasAddress: true,
          forwarding,
          isOwn: (address) => OWN[family].includes(address),
          sameDevice: (device) => device === iif,
        })!;
        if (!found.certain) continue;
        const answer = ask(incoming);
        const context = contextOf(tables, { incoming, settings, forwarding, found, answer });
        // EXDEV became EINVAL in 6.13.
        const errno = found.errno === 'EXDEV' ? expect.stringMatching(/^(EXDEV|EINVAL)$/) : found.errno;
        if (errno !== undefined) expect(summary(answer), context).toEqual(errno);
        else if (found.decision.route?.type === 'local') expect(summary(answer), context).toBe('local');
        else {
          const possible = found.decision.nextHops.map(({ device }) => `unicast ${device}`);
          expect(possible, context).toContain(summary(answer));
        }
        compared++;
      }
      expect(compared).toBeGreaterThan(FLOWS / 3);
    });
  });
});
