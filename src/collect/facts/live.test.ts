import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { BundleHost } from '../../host/bundle/bundle-host.ts';
import { RecordingHost } from '../../host/bundle/recording-host.ts';
import type { Host } from '../../host/host.ts';
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
import { counters } from './counters.ts';
import { gatherFacts, readBaseline } from './gather.ts';
import { hostCounters } from './host-counters.ts';
import { HOST_COLLECTORS } from './index.ts';
import { machine } from './machine.ts';
import { sockets } from './sockets.ts';
import { sysctls } from './sysctls.ts';
import { type Actor, CONNECT, LISTEN, startActor } from './testing/actors.ts';
import { WATCHED } from './testing/scopes.ts';

const missing = namespacesMissing();
if (missing !== undefined) console.log(`skipped: facts of real hosts (${missing})`);

const COLLECTORS = [machine, counters, hostCounters, sysctls, sockets];
const PORT = 8443;

describe.skipIf(missing !== undefined)('a server in a namespace', () => {
  let pair: NamespacePair;
  let host: NetnsHost;
  const actors: Actor[] = [];
  const start = async (...ask: Parameters<typeof startActor>): Promise<Actor> => {
    const actor = await startActor(...ask);
    actors.push(actor);
    return actor;
  };

  beforeAll(() => {
    pair = makeNamespacePair('skf');
    host = new NetnsHost(pair.server);
  });
  afterEach(async () => {
    await Promise.all(actors.splice(0).map((actor) => actor.end()));
  });
  afterAll(async () => {
    await host?.close();
    pair?.remove();
  });

  async function facts(
    attempt: Attempt,
    happen: () => Promise<unknown>,
    meanwhile = 1500,
  ): Promise<ReturnType<typeof gatherFacts>> {
    const scope = { side: 'server' as const, port: PORT };
    const baseline = await readBaseline(host, COLLECTORS, scope);
    await happen();
    await sleep(meanwhile);
    return gatherFacts(host, COLLECTORS, { ...scope, attempt }, baseline);
  }

  for (const [family, client, server] of [
    [4, CLIENT_V4, SERVER_V4],
    [6, CLIENT_V6, SERVER_V6],
  ] as const) {
    test(`a process that was stopped: its accept queue overflows (IPv${family})`, async () => {
      const listener = await start(pair.server, LISTEN, '::', `${PORT}`, '1');
      listener.signal('SIGSTOP');
      const attempt = {
        ...WATCHED,
        family,
        client: { address: client, port: 1 },
        server: { address: server, port: PORT },
      };
      const found = await facts(attempt, () => start(pair.client, CONNECT, server, `${PORT}`, '6'));
      const growth = found.counters !== undefined && 'value' in found.counters ? found.counters.value.growth : {};
      expect(growth.TcpExtListenOverflows).toBeGreaterThan(0);
      expect(growth.TcpExtListenDrops).toBeGreaterThanOrEqual(growth.TcpExtListenOverflows ?? 0);
      const table = found.sockets;
      if (table === undefined || !('value' in table)) throw new Error('no sockets');
      expect(table.value.matching).toHaveLength(1);
      const [taker] = table.value.matching;
      expect(taker).toMatchObject({ address: '::', family: 6, v6only: false, backlog: 1, acceptQueue: 2 });
      expect(taker?.backlogUnknown).toBeUndefined();
      expect(taker?.dropsDelta).toBe(growth.TcpExtListenDrops);
      expect(taker?.appeared).toBeUndefined();
      expect(taker?.owners).toMatchObject([{ pid: listener.pid, state: 'T' }]);
      expect(taker?.owners[0]?.openFiles).toBeGreaterThan(3);
      expect(taker?.owners[0]?.openFilesLimit).toBeGreaterThan(3);
      // Two wait for accept(); those that were refused have no socket here.
      expect(table.value.connections.map(({ state }) => state)).toEqual(['ESTAB', 'ESTAB']);
      expect(table.value.connections[0]?.remote.address).toBe(client);
    });
  }

  test('a listener that came during the watch; nobody on the port before', async () => {
    const attempt = { ...WATCHED, server: { address: SERVER_V4, port: PORT } };
    const found = await facts(attempt, () => start(pair.server, LISTEN, '127.0.0.1', `${PORT}`, '5'), 0);
    expect(found.sockets).toMatchObject({
      value: { matching: [], mismatched: [{ why: 'address', listener: { address: '127.0.0.1', appeared: true } }] },
    });
  });

  test('half-open connections are counted: the client does not see their SYN-ACK', async () => {
    await start(pair.server, LISTEN, '0.0.0.0', `${PORT}`, '16');
    const client = new NetnsHost(pair.client);
    const rules = `table inet skf {\nchain in {\ntype filter hook input priority 0\ntcp sport ${PORT} drop\n}\n}\n`;
    expect(await client.run(['nft', '-f', '-'], { input: rules })).toMatchObject({ exitCode: 0 });
    const attempt = {
      ...WATCHED,
      client: { address: CLIENT_V4, port: 1 },
      server: { address: SERVER_V4, port: PORT },
    };
    const found = await facts(attempt, () => start(pair.client, CONNECT, SERVER_V4, `${PORT}`, '3'), 300);
    expect(found.sockets).toMatchObject({ value: { synReceived: 3, matching: [{ acceptQueue: 0, backlog: 16 }] } });
    await client.run(['nft', 'delete', 'table', 'inet', 'skf']);
    await client.close();
  });

  test('a recording gives the same facts', async () => {
    const listener = await start(pair.server, LISTEN, '::', `${PORT}`, '1');
    const recording = new RecordingHost(host);
    const attempt = { ...WATCHED, server: { address: SERVER_V4, port: PORT } };
    const ask = async (asked: Host): Promise<Awaited<ReturnType<typeof gatherFacts>>> => {
      const scope = { side: 'server' as const, port: PORT };
      const baseline = await readBaseline(asked, HOST_COLLECTORS, scope);
      return gatherFacts(asked, HOST_COLLECTORS, { ...scope, attempt }, baseline);
    };
    const recorded = await ask(recording);
    const header = { format: 'synscope-bundle', version: 1, synscope: '', recordedAt: '', on: '' } as const;
    const bundle = { header: { ...header, ports: [], redacted: [], anonymized: false }, entries: recording.entries };
    const replayed = await ask(new BundleHost(bundle, 'bundle:test'));
    for (const name of [
      'machine',
      'counters',
      'hostCounters',
      'sysctls',
      'sockets',
      'conntrack',
      'nfQueues',
    ] as const) {
      expect(replayed[name]).toEqual(recorded[name]);
    }
    expect(replayed.sockets).toMatchObject({ value: { matching: [{ owners: [{ pid: listener.pid }] }] } });
  });

  test('settings and rights are those of the namespace and of who reads', async () => {
    await host.run(['sysctl', '-qw', 'net.ipv4.tcp_max_syn_backlog=77']);
    const found = await facts(WATCHED, async () => {}, 0);
    expect(found.sysctls).toMatchObject({
      value: { 'net.ipv4.tcp_max_syn_backlog': '77', 'net.ipv4.conf.eth0.rp_filter': expect.any(String) },
    });
    expect(found.machine).toMatchObject({ value: { privileged: true } });
    const machineWide = found.hostCounters;
    expect(
      machineWide !== undefined && 'value' in machineWide && machineWide.value.now['arp_cache.res_failed'],
    ).toEqual(expect.any(Number));
  });
});
