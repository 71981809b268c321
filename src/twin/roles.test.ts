import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NetnsHost } from '../host/netns-host.ts';
import {
  CLIENT_V4,
  CLIENT_V6,
  makeNamespacePair,
  type NamespacePair,
  namespacesMissing,
  SERVER_V4,
  SERVER_V6,
} from '../host/testing/namespaces.ts';
import { snapshotHost } from './snapshot.ts';
import type { HostState } from './state.ts';
import type { SynSpec, TwinRole } from './syn.ts';
import { inside, listenIn } from './testing/real-server.ts';
import { TwinProcess } from './twin-process.ts';

const missing = namespacesMissing();
if (missing !== undefined) console.log(`skipped: copies of routers and clients (${missing})`);

const PORT = 8081;

describe.skipIf(missing !== undefined)('a copy', () => {
  let pair: NamespacePair;
  let host: NetnsHost;

  beforeAll(() => {
    pair = makeNamespacePair('syr');
    host = new NetnsHost(pair.server);
  }, 60_000);
  afterAll(async () => {
    await host?.close();
    pair?.remove();
  });

  async function withTwin<T>(
    role: TwinRole,
    syn: SynSpec,
    use: (twin: TwinProcess, state: HostState) => Promise<T>,
    asUser = false,
  ): Promise<T> {
    const twin = await TwinProcess.start({ asUser });
    try {
      const state = await snapshotHost(host, { port: syn.destinationPort, client: syn.source });
      await twin.build(state, { role, syn });
      return await use(twin, state);
    } finally {
      await twin.close();
    }
  }

  it('of a router passes a SYN on, unless something keeps it', async () => {
    inside(pair.server, ['ip', 'link', 'add', 'west', 'type', 'veth', 'peer', 'name', 'west-peer']);
    for (const name of ['west', 'west-peer']) inside(pair.server, ['ip', 'link', 'set', name, 'up']);
    inside(pair.server, ['ip', 'addr', 'add', '10.79.0.1/24', 'dev', 'west']);
    inside(pair.server, [
      'sysctl',
      '-qw',
      'net.ipv4.ip_forward=1',
      'net.ipv4.conf.all.rp_filter=0',
      'net.ipv4.conf.eth0.rp_filter=0',
    ]);
    const syn: SynSpec = {
      family: 4,
      source: CLIENT_V4,
      sourcePort: 40_000,
      destination: '10.79.0.9',
      destinationPort: 80,
      device: 'eth0',
    };
    try {
      await withTwin('router', syn, async (twin) => {
        expect(await twin.ask('replay', syn)).toMatchObject({ reply: 'forwarded', isAnswered: true, device: 'west' });
        expect((await twin.ask('replay', { ...syn, ttl: 1 })).reply).toBe('icmp');
        expect(await twin.ask('replay', { ...syn, destination: '203.0.113.1' })).toMatchObject({ isAnswered: false });
      });
      inside(pair.server, ['sysctl', '-qw', 'net.ipv4.ip_forward=0']);
      await withTwin('router', syn, async (twin) => {
        expect(await twin.ask('replay', syn)).toMatchObject({ reply: 'silence', isAnswered: false });
      });
    } finally {
      inside(pair.server, ['ip', 'link', 'del', 'west']);
    }
  }, 60_000);

  it.each([
    [4, SERVER_V4, CLIENT_V4],
    [6, SERVER_V6, CLIENT_V6],
  ] as const)(
    'of a client opens connections of IPv%i, unless something keeps it',
    async (family, source, destination) => {
      const syn: SynSpec = { family, source, sourcePort: 0, destination, destinationPort: PORT, device: 'eth0' };
      const any = family === 4 ? '203.0.113.1' : '2001:db8:99::1';
      await withTwin('client', syn, async (twin) => {
        for (let count = 0; count < 3; count++) {
          expect(await twin.ask('replay', syn)).toMatchObject({ reply: 'syn-ack', isAnswered: true, device: 'eth0' });
        }
        const nowhere = await twin.ask('replay', { ...syn, destination: any });
        expect(nowhere).toMatchObject({ reply: 'silence', isAnswered: false });
        expect(nowhere.detail).toContain('ENETUNREACH');
      });
      inside(
        pair.server,
        ['nft', '-f', '-'],
        `table inet c { chain i { type filter hook input priority 0; tcp sport ${PORT} drop; }; }`,
      );
      try {
        await withTwin('client', syn, async (twin) => {
          expect(await twin.ask('replay', syn)).toMatchObject({ reply: 'syn-sent', isAnswered: false });
        });
      } finally {
        inside(pair.server, ['nft', 'flush', 'ruleset']);
      }
    },
    60_000,
  );

  it('says the same in a user namespace, without privileges on the machine', async () => {
    const close = listenIn(pair.server, '0.0.0.0', PORT);
    const syn: SynSpec = {
      family: 4,
      source: CLIENT_V4,
      sourcePort: 40_001,
      destination: SERVER_V4,
      destinationPort: PORT,
      device: 'eth0',
    };
    try {
      await withTwin(
        'server',
        syn,
        async (twin) => {
          expect(twin.limits).not.toEqual([]);
          expect(await twin.ask('replay', syn)).toMatchObject({ reply: 'syn-ack', isAnswered: true });
          expect((await twin.ask('explain', syn)).counters).toMatchObject({ TcpInSegs: 1 });
        },
        true,
      );
      inside(
        pair.server,
        ['nft', '-f', '-'],
        `table inet c { chain i { type filter hook input priority 0; tcp dport ${PORT} drop; }; }`,
      );
      await withTwin(
        'server',
        syn,
        async (twin) => {
          expect(await twin.ask('replay', syn)).toMatchObject({ reply: 'silence', isAnswered: false });
          expect((await twin.ask('explain', syn)).rules).toEqual([expect.stringMatching(/^inet c i handle \d+ drop$/)]);
        },
        true,
      );
    } finally {
      close();
      inside(pair.server, ['nft', 'flush', 'ruleset']);
    }
  }, 60_000);

  it('is gone with the process that asked for it, however that ends', async () => {
    const program = fileURLToPath(new URL('./testing/hold-twin.ts', import.meta.url));
    const holder = spawn(process.execPath, ['--no-warnings', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    const pid = await new Promise<number>((resolve, reject) => {
      holder.stdout.once('data', (text) => resolve(Number(text)));
      holder.once('exit', () => reject(new Error('the program that holds the copy ended')));
    });
    const namespace = readlinkSync(`/proc/${pid}/ns/net`);
    expect(namespace).not.toBe(readlinkSync('/proc/self/ns/net'));
    holder.kill('SIGKILL');
    await expect.poll(() => existsSync(`/proc/${pid}/ns/net`), { timeout: 20_000 }).toBe(false);
    const { stdout } = spawnSync('lsns', ['-t', 'net', '-n', '-o', 'NS'], { encoding: 'utf8' });
    expect(stdout ?? '').not.toContain(namespace.replace(/\D/g, ''));
  }, 60_000);
});
