import { type ChildProcess, execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CLIENT_V4, namespacesMissing } from '../src/host/testing/namespaces.ts';
import type { Incident } from '../src/model/incident.ts';
import { MemoryStore } from '../src/service/history/memory-store.ts';
import { defaultConfig } from '../src/service/watch/config.ts';
import type { WatchConfig } from '../src/service/watch/config-types.ts';
import type { WatchEvent } from '../src/service/watch/view.ts';
import { Watch } from '../src/service/watch/watch.ts';
import { root } from './run-cli.ts';
import { FAR_CLIENT, namespace, until, WatchNetwork } from './support/watch-namespaces.ts';

const missing = namespacesMissing();
if (missing !== undefined) console.log(`skipped: watch in network namespaces: ${missing}`);

const noCompiler = spawnSync('cc', ['--version']).status !== 0;
if (noCompiler) console.log('skipped: a flood: no C compiler (cc) for the generator of SYNs');

const PORT = 8443;

/** A watch of some namespaces, with all that it told. */
class Running {
  readonly watch: Watch;
  readonly events: WatchEvent[] = [];
  readonly bugs: unknown[] = [];

  constructor(include: readonly string[], store: MemoryStore, change: (config: WatchConfig) => WatchConfig = (c) => c) {
    const config = defaultConfig();
    this.watch = new Watch({
      config: change({
        ...config,
        namespaces: { ...config.namespaces, include },
        incidents: { ...config.incidents, closeAfterMs: 3000 },
      }),
      store,
      version: 'test',
      onBug: (error) => this.bugs.push(error),
    });
    this.watch.subscribe((event) => this.events.push(event));
  }

  incident(fits: (incident: Incident) => boolean): Incident | undefined {
    return this.watch.openIncidents().find(fits);
  }

  closed(id: number): Incident | undefined {
    for (const event of this.events) {
      if (event.type === 'incident' && event.incident.id === id && event.incident.state === 'closed')
        return event.incident;
    }
    return undefined;
  }
}

describe.skipIf(missing !== undefined)('a watch of a server', { timeout: 180_000 }, () => {
  let network: WatchNetwork;
  let running: Running | undefined;
  let store = new MemoryStore();
  const serverSpec = (): string => `netns:${network.pair.server}`;
  const begin = async (change?: (config: WatchConfig) => WatchConfig): Promise<Running> => {
    running = new Running([serverSpec()], store, change);
    await running.watch.start();
    return running;
  };

  beforeAll(async () => {
    network = new WatchNetwork('wt');
    await network.listen(PORT);
  });

  afterEach(async () => {
    await running?.watch.stop();
    expect(running?.bugs).toEqual([]);
    running = undefined;
    store = new MemoryStore();
  });

  afterAll(() => network?.remove());

  it('tells a default route that vanishes, the failures that follow, and that they are over', async () => {
    const { watch } = await begin();
    expect(watch.status()).toMatchObject({ namespaces: [serverSpec()], notSeen: [] });
    expect(watch.listeners()).toMatchObject([{ service: { port: PORT }, acceptQueue: { waiting: 0, limit: 511 } }]);
    network.ip('server', 'route', 'del', 'default');
    const warning = await until('a warning before anything fails', () =>
      running?.incident(({ kind }) => kind === 'warning'),
    );
    expect(warning).toMatchObject({ cause: { id: 'default-route-vanished' }, attempts: 0 });
    expect(warning.sentence).toContain('default via 10.77.0.2 dev eth0');

    network.connect(PORT, FAR_CLIENT, 8000);
    const failure = await until('an incident', () => running?.incident(({ kind }) => kind === 'failure'));
    expect(failure).toMatchObject({
      service: { direction: 'inbound', namespace: serverSpec(), port: PORT },
      cause: { id: 'no-return-route', status: 'confirmed' },
      outcome: 'no-reply',
      attempts: 1,
      clientNetworks: [{ network: '10.88.0.0/24', attempts: 1 }],
      clients: 1,
    });
    expect(failure.changes.map(({ text }) => text)).toContain('default via 10.77.0.2 dev eth0 deleted');
    expect(failure.samples).toHaveLength(1);
    expect(failure.samples[0]).toMatchObject({
      handshake: { client: { address: FAR_CLIENT }, server: { port: PORT } },
      cause: { id: 'no-return-route' },
      remedies: [{ commands: [expect.stringContaining('via 10.77.0.2')] }],
    });

    network.connect(PORT);
    network.connect(PORT);
    await until(
      'like failures are counted',
      () => (running?.incident(({ id }) => id === failure.id)?.attempts ?? 0) >= 3,
    );
    expect(watch.openIncidents().filter(({ kind }) => kind === 'failure')).toHaveLength(1);

    network.ip('server', 'route', 'add', 'default', 'via', '10.77.0.2');
    await until('the warning is over', () => running?.closed(warning.id));
    expect(await network.tryConnect(PORT)).toBe('connected');
    const closed = await until('the incident is over', () => running?.closed(failure.id));
    expect(closed.closedBecause).toMatch(/^nothing failed for .* handshakes? of the service succeeded$/);
    expect(await store.incidents({ state: 'open' })).toEqual([]);
    expect(await store.incident(failure.id)).toMatchObject({ state: 'closed', attempts: closed.attempts });
  });

  it('finds a firewall, and goes on with an open incident after a restart', async () => {
    await begin();
    network.run('server', 'nft', 'add table inet wt; add chain inet wt in { type filter hook input priority 0; }');
    network.run('server', 'nft', 'add', 'rule', 'inet', 'wt', 'in', 'tcp', 'dport', String(PORT), 'drop');
    network.connect(PORT, CLIENT_V4, 9000);
    const incident = await until('an incident', () => running?.incident(({ kind }) => kind === 'failure'));
    expect(incident.cause?.id).toBe('netfilter-drop-in');
    await running?.watch.stop();

    await begin();
    expect(running?.watch.openIncidents()).toMatchObject([{ id: incident.id, state: 'open' }]);
    network.connect(PORT, CLIENT_V4, 3000);
    await until(
      'the same incident goes on',
      () => (running?.incident(({ id }) => id === incident.id)?.attempts ?? 0) > incident.attempts,
    );
    expect(running?.watch.openIncidents()).toHaveLength(1);
    network.run('server', 'nft', 'delete', 'table', 'inet', 'wt');
    expect(await network.tryConnect(PORT, CLIENT_V4)).toBe('connected');
    await until('it is over', () => running?.closed(incident.id));
  });

  it('tells of a port that nobody listens on any more', async () => {
    const other = await network.listen(9000);
    await begin();
    await until('the listener is seen', () => running?.watch.listeners().some(({ service }) => service.port === 9000));
    const gone = new Promise((resolve) => other.once('close', resolve));
    other.kill('SIGKILL');
    await gone;
    expect(await network.tryConnect(9000, CLIENT_V4)).toBe('ECONNREFUSED');
    const incident = await until('an incident', () => running?.incident(({ service }) => service.port === 9000));
    expect(incident).toMatchObject({ outcome: 'refused', cause: { id: 'no-listener' } });
    await until('it is counted', () => running?.watch.status().totals.refused === 1);
  });

  it('takes a scan of ports as one incident of noise', async () => {
    await begin();
    const program = `const net = require('node:net'); for (let p = 20000; p < 20060; p++) net.connect(p, '10.77.0.1').on('error', () => {});`;
    network.spawn('client', process.execPath, '-e', program);
    const noise = await until('noise', () =>
      running?.incident(({ kind, attempts }) => kind === 'noise' && attempts > 30),
    );
    expect(noise).toMatchObject({ cause: { id: 'port-scan' }, clientNetworks: [{ network: '10.77.0.0/24' }] });
    expect(running?.watch.openIncidents().filter(({ kind }) => kind === 'failure')).toEqual([]);
  });

  it.skipIf(noCompiler)('takes a flood as one incident of noise, and finds a real failure in it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'synscope-watch-flood-'));
    const program = join(folder, 'syn-flood');
    let flood: ChildProcess | undefined;
    let client: ChildProcess | undefined;
    execFileSync('cc', ['-O2', '-o', program, join(root, 'bench/syn-flood.c')]);
    network.run('server', 'nft', 'add table inet wt; add chain inet wt in { type filter hook input priority 0; }');
    network.run('server', 'nft', 'add', 'rule', 'inet', 'wt', 'in', 'tcp', 'dport', '9001', 'drop');
    try {
      await begin();
      const link = execFileSync('ip', ['-n', network.pair.server, 'link', 'show', 'eth0'], { encoding: 'utf8' });
      const mac = /link\/ether (\S+)/.exec(link)?.[1] ?? '';
      flood = network.spawn('client', program, 'eth0', mac, '10.77.0.1', String(PORT), '300000', '30000');
      client = network.connect(9001, CLIENT_V4, 20_000);
      const noise = await until('noise', () =>
        running?.incident(({ kind, attempts }) => kind === 'noise' && attempts > 10_000),
      );
      expect(noise).toMatchObject({ cause: { id: 'syn-flood' }, service: { port: PORT } });
      const real = await until('the real failure', () => running?.incident(({ kind }) => kind === 'failure'));
      expect(real).toMatchObject({ service: { port: 9001 }, cause: { id: 'netfilter-drop-in' } });
      expect(running?.watch.openIncidents().filter(({ kind }) => kind === 'noise')).toHaveLength(1);
      expect(running?.watch.status().capture.openAttempts).toBeLessThan(20_000);
    } finally {
      flood?.kill();
      client?.kill();
      network.run('server', 'nft', 'delete', 'table', 'inet', 'wt');
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('watches what the host itself cannot reach', async () => {
    running = new Running([`netns:${network.pair.client}`], store);
    await running.watch.start();
    network.run('server', 'nft', 'add table inet wt; add chain inet wt in { type filter hook input priority 0; }');
    network.run('server', 'nft', 'add', 'rule', 'inet', 'wt', 'in', 'tcp', 'dport', String(PORT), 'drop');
    network.connect(PORT, CLIENT_V4, 9000);
    const incident = await until('an incident', () =>
      running?.incident(({ service }) => service.direction === 'outbound' && service.port === PORT),
    );
    expect(incident).toMatchObject({ service: { address: '10.77.0.1', port: PORT }, outcome: 'no-reply' });
    network.run('server', 'nft', 'delete', 'table', 'inet', 'wt');
  });

  it('begins to watch a namespace that comes, and lets go of it', async () => {
    const name = `wt-new-${process.pid}`;
    running = new Running([`netns:${name}`], store);
    await running.watch.start();
    expect(running.watch.status().namespaces).toEqual([]);
    namespace(name, 'add');
    try {
      await until('it is watched', () => running?.watch.status().namespaces.includes(`netns:${name}`));
    } finally {
      namespace(name, 'del');
    }
    await until('it is let go', () => running?.watch.status().namespaces.length === 0);
  });
});
