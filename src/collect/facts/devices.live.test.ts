import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { NetnsHost } from '../../host/netns-host.ts';
import {
  CLIENT_V4,
  CLIENT_V6,
  makeNamespacePair,
  type NamespacePair,
  namespacesMissing,
  SERVER_V4,
  SERVER_V6,
} from '../../host/testing/namespaces.ts';
import type { Attempt } from '../../model/facts/attempt.ts';
import { type Fact, isUnavailable } from '../../model/facts/fact.ts';
import type { FactMap, FactName } from '../../model/facts/facts.ts';
import { gatherFacts, readBaseline } from './gather.ts';
import { HOST_COLLECTORS } from './index.ts';
import { LISTEN } from './testing/actors.ts';
import { WATCHED } from './testing/scopes.ts';

const missing = namespacesMissing();
if (missing !== undefined) console.log(`skipped: interfaces of real hosts (${missing})`);
const withoutBpftool = missing ?? (spawnSync('bpftool', ['version']).status === 0 ? undefined : 'needs bpftool');
if (withoutBpftool !== undefined) console.log(`skipped: BPF programs of real hosts (${withoutBpftool})`);

const PORT = 8446;
const ACTOR = new URL('../../../lab/actors/bpf.ts', import.meta.url).href;
/** Attaches a program of the lab, and holds it. */
const ATTACH = `
import(${JSON.stringify(ACTOR)}).then(({ attachBpf }) => {
  attachBpf(JSON.parse(process.argv[1]));
  console.log('up');
  setInterval(() => {}, 1000);
});
`;
/** Where cgroups (v2) are mounted. */
const CGROUPS = /^\S+ (\S+) cgroup2 /m.exec(missing === undefined ? readFileSync('/proc/mounts', 'utf8') : '')?.[1];

describe.skipIf(missing !== undefined)('interfaces of a real host', () => {
  let pair: NamespacePair;
  let host: NetnsHost;
  let client: NetnsHost;
  const children: ChildProcess[] = [];
  const cgroups: string[] = [];

  beforeAll(() => {
    pair = makeNamespacePair('skd');
    host = new NetnsHost(pair.server);
    client = new NetnsHost(pair.client);
  });
  afterEach(async () => {
    await Promise.all(
      children.splice(0).map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const ended = once(child, 'exit');
        child.kill('SIGKILL');
        await ended;
      }),
    );
    // The kernel lets go of the processes a moment later.
    await sleep(50);
    for (const cgroup of cgroups.splice(0)) rmdirSync(cgroup);
  });
  afterAll(async () => {
    await host?.close();
    await client?.close();
    pair?.remove();
  });

  async function ok(on: NetnsHost, command: string): Promise<void> {
    const result = await on.run(command.split(' '));
    if (result.exitCode !== 0) throw new Error(`${command}: ${result.stderr}`);
  }

  /** Starts a program in the server's namespace, with the file systems of the machine, and waits until it says that it is up. */
  async function start(argv: readonly string[], cgroup?: string): Promise<void> {
    const enter = [`--net=/run/netns/${pair.server}`];
    const join = cgroup === undefined ? [] : ['sh', '-c', 'echo $$ > "$0/cgroup.procs" && exec "$@"', cgroup];
    const child = spawn('nsenter', [...enter, ...join, ...argv], { stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(child);
    await Promise.race([
      once(child.stdout, 'data'),
      once(child, 'exit').then(([code]) => Promise.reject(new Error(`${argv[0]} ended with ${code}`))),
    ]);
  }

  const attach = (task: Readonly<Record<string, unknown>>): Promise<void> =>
    start([process.execPath, '-e', ATTACH, JSON.stringify({ port: PORT, ...task })]);
  const listen = (cgroup?: string): Promise<void> =>
    start([process.execPath, '-e', LISTEN, '::', `${PORT}`, '9'], cgroup);

  function attemptOver(family: 4 | 6): Attempt {
    const [here, there] = family === 4 ? [SERVER_V4, CLIENT_V4] : [SERVER_V6, CLIENT_V6];
    return { ...WATCHED, family, client: { address: there, port: 50000 }, server: { address: here, port: PORT } };
  }

  async function factsOf(
    happen: () => Promise<unknown> = async () => {},
    family: 4 | 6 = 4,
  ): ReturnType<typeof gatherFacts> {
    const scope = { side: 'server' as const, port: PORT };
    const baseline = await readBaseline(host, HOST_COLLECTORS, scope);
    await happen();
    return gatherFacts(host, HOST_COLLECTORS, { ...scope, attempt: attemptOver(family) }, baseline);
  }

  function factIn<Name extends FactName>(facts: Awaited<ReturnType<typeof gatherFacts>>, name: Name): FactMap[Name] {
    const fact = facts[name] as Fact<FactMap[Name]> | undefined;
    if (fact === undefined || isUnavailable(fact)) throw new Error(fact?.reason ?? `${name} was not gathered`);
    return fact.value;
  }

  const knock = (family: 4 | 6 = 4): Promise<unknown> =>
    client.connect({ address: family === 4 ? SERVER_V4 : SERVER_V6, port: PORT, timeoutMs: 400 });

  test('frames for another MAC are counted', async () => {
    await ok(host, 'ip link set eth0 promisc on');
    await ok(client, `ip neigh replace ${SERVER_V4} lladdr 02:00:00:00:99:99 dev eth0`);
    try {
      const eth0 = factIn(await factsOf(() => knock()), 'links').find(({ name }) => name === 'eth0');
      expect(eth0).toMatchObject({
        kind: 'veth',
        operState: 'UP',
        flags: expect.arrayContaining(['PROMISC', 'LOWER_UP']),
      });
      expect(eth0?.growth.rxOtherhostDropped).toBeGreaterThan(0);
      expect(eth0?.growth.rxPackets).toBeGreaterThan(0);
      expect(eth0?.growth.rxErrors).toBe(0);
    } finally {
      await ok(client, `ip neigh del ${SERVER_V4} dev eth0`);
      await ok(host, 'ip link set eth0 promisc off');
    }
  });

  test('a port of a bridge, and its state', async () => {
    await ok(host, 'ip link add bridge0 type bridge');
    await ok(host, 'ip link add port0 type veth peer name port1');
    try {
      await ok(host, 'ip link set port0 master bridge0');
      const links = factIn(await factsOf(), 'links');
      expect(links.find(({ name }) => name === 'port0')).toMatchObject({
        master: 'bridge0',
        bridgePortState: 'disabled',
      });
      expect(links.find(({ name }) => name === 'bridge0')).toMatchObject({ kind: 'bridge', operState: 'DOWN' });
    } finally {
      await ok(host, 'ip link del port0');
      await ok(host, 'ip link del bridge0');
    }
  });

  test('a discipline that drops answers', async () => {
    await listen();
    await ok(host, 'tc qdisc add dev eth0 root tbf rate 8bit burst 1 limit 1');
    try {
      const facts = await factsOf(() => knock());
      const [tbf] = factIn(facts, 'trafficControl').filter(({ kind }) => kind === 'tbf');
      expect(tbf).toMatchObject({
        device: 'eth0',
        where: 'root',
        text: expect.stringMatching(/^qdisc tbf .* dev eth0 root /),
      });
      expect(tbf?.droppedDelta).toBeGreaterThan(0);
      expect(tbf?.dropped).toBeGreaterThanOrEqual(tbf?.droppedDelta ?? 0);
    } finally {
      await ok(host, 'tc qdisc del dev eth0 root');
    }
    expect(factIn(await factsOf(), 'trafficControl').filter(({ device }) => device === 'eth0')).toEqual([]);
  });

  test('filters are told with their hook', async () => {
    await ok(host, 'tc qdisc add dev eth0 clsact');
    const match = `u32 match ip dst ${SERVER_V4} match ip dport ${PORT} 0xffff`;
    try {
      await ok(host, `tc filter add dev eth0 ingress pref 7 protocol ip ${match} action mirred egress redirect dev lo`);
      const value = factIn(await factsOf(), 'trafficControl').filter(({ device }) => device === 'eth0');
      expect(value.map(({ where, kind, handle }) => [where, kind, handle])).toEqual([
        ['ingress', 'clsact', 'ffff:'],
        ['ingress', 'u32', expect.stringMatching(/^\w+::800$/)],
      ]);
      expect(value[1]?.text).toContain('Egress Redirect to device lo');
      // It takes the packet away, and yet does not drop it.
      expect(value.some(({ dropsSyn }) => dropsSyn)).toBe(false);
    } finally {
      await ok(host, 'tc qdisc del dev eth0 clsact');
    }
  });

  describe.skipIf(withoutBpftool !== undefined)('BPF programs', () => {
    test.each(['driver', 'generic'] as const)('XDP (%s)', async (mode) => {
      await attach({ hook: `xdp-${mode}`, device: 'eth0', action: 'drop' });
      const facts = await factsOf();
      const [xdp] = factIn(facts, 'links').find(({ name }) => name === 'eth0')?.xdp ?? [];
      expect(xdp).toMatchObject({ mode, id: expect.any(Number), name: 'lab' });
      expect(factIn(facts, 'bpfPrograms')).toContainEqual({
        hook: 'xdp',
        id: xdp?.id,
        name: 'lab',
        target: 'eth0',
        onPath: true,
      });
    });

    test('sk_lookup, of this namespace only', async () => {
      await attach({ hook: 'sk-lookup', action: 'drop' });
      const isLookup = ({ hook }: { readonly hook: string }): boolean => hook === 'sk-lookup';
      expect(factIn(await factsOf(), 'bpfPrograms').filter(isLookup)).toMatchObject([{ name: 'lab', onPath: true }]);
      const scope = { side: 'server' as const, port: PORT, attempt: attemptOver(4) };
      const elsewhere = await gatherFacts(client, HOST_COLLECTORS, scope, undefined);
      expect(factIn(elsewhere, 'bpfPrograms').filter(isLookup)).toEqual([]);
    });

    test.skipIf(CGROUPS === undefined)("the listener's cgroup, and those above it", async () => {
      const parent = `${CGROUPS}/skd-${process.pid}`;
      const cgroup = `${parent}/web.service`;
      mkdirSync(parent);
      mkdirSync(cgroup);
      cgroups.push(cgroup, parent);
      await attach({ hook: 'cgroup-ingress', cgroup: parent, action: 'deny' });
      const isIngress = ({ hook, name }: { readonly hook: string; readonly name?: string }): boolean =>
        hook === 'cgroup-ingress' && name === 'lab';
      await listen(cgroup);
      const path = cgroup.slice(CGROUPS?.length);
      expect(factIn(await factsOf(), 'bpfPrograms').filter(isIngress)).toMatchObject([{ target: path, onPath: true }]);
    });

    test.skipIf(CGROUPS === undefined)('not the cgroup of somebody else', async () => {
      const other = `${CGROUPS}/sko-${process.pid}`;
      mkdirSync(other);
      cgroups.push(other);
      await attach({ hook: 'cgroup-ingress', cgroup: other, action: 'deny' });
      await listen();
      const value = factIn(await factsOf(), 'bpfPrograms');
      expect(value.filter(({ hook, name }) => hook === 'cgroup-ingress' && name === 'lab')).toEqual([]);
    });
  });
});
