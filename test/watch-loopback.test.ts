import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { namespacesMissing, SERVER_V4 } from '../src/host/testing/namespaces.ts';
import { MemoryStore } from '../src/service/history/memory-store.ts';
import { defaultConfig } from '../src/service/watch/config.ts';
import { Watch } from '../src/service/watch/watch.ts';
import { root } from './run-cli.ts';
import { until, WatchNetwork } from './support/watch-namespaces.ts';

const noCompiler = spawnSync('cc', ['--version']).status !== 0 ? 'no C compiler (cc) for the load' : undefined;
const missing = namespacesMissing() ?? noCompiler;
if (missing !== undefined) console.log(`skipped: a watch of a busy loopback: ${missing}`);

const BUSY = 7777;
const DROPPED = 7778;
const FROM_OUTSIDE = 7779;

/** Loopback has so many connections that most of their packets are left in the kernel. */
describe.skipIf(missing !== undefined)('a watch of a busy loopback', { timeout: 180_000 }, () => {
  let network: WatchNetwork;
  let folder: string;
  let watch: Watch | undefined;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'synscope-watch-loopback-'));
    execFileSync('cc', ['-O2', '-o', join(folder, 'load'), join(root, 'bench/watch-load.c')]);
    network = new WatchNetwork('wl');
    network.run('server', 'nft', 'add table inet wl; add chain inet wl in { type filter hook input priority 0; }');
    for (const port of [DROPPED, FROM_OUTSIDE]) {
      network.run('server', 'nft', 'add', 'rule', 'inet', 'wl', 'in', 'tcp', 'dport', `${port}`, 'drop');
    }
  });

  afterAll(async () => {
    await watch?.stop();
    network?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  it('rests while all is well, counts what it does not look at, and finds what fails there and elsewhere', async () => {
    const spec = `netns:${network.pair.server}`;
    const config = defaultConfig();
    const bugs: unknown[] = [];
    const store = new MemoryStore();
    watch = new Watch({
      config: { ...config, namespaces: { ...config.namespaces, include: [spec] } },
      store,
      version: 'test',
      onBug: (error) => bugs.push(error),
    });
    await watch.start();
    const [namespace] = watch.namespaces;
    const isSaid = (): boolean =>
      watch!.status().notSeen.some(({ reason }) => reason.startsWith('loopback has so many'));
    expect(isSaid()).toBe(false);

    const load = network.spawn('server', join(folder, 'load'), 'handshakes', `${BUSY}`, '3600');
    const rests = (): boolean => namespace?.loopback.isResting === true;
    await until('it rests', rests);
    expect(isSaid()).toBe(true);
    const counted = (): number => watch!.status().totals.answered;
    const before = counted();
    const packets = watch.status().capture.taken;
    await until('the kernel counts what is not looked at', () => counted() > before + 10_000);
    // Each connection is several packets.
    expect(watch.status().capture.taken - packets).toBeLessThan(counted() - before);

    const connect = (port: number, to: string): string =>
      `const s = require('node:net').connect(${port}, '${to}').on('error', () => {}); setTimeout(() => process.exit(), 12000)`;
    await until('it rests again', rests);
    network.spawn('client', process.execPath, '-e', connect(FROM_OUTSIDE, SERVER_V4));
    const incidentOf = (port: number) => watch!.openIncidents().find(({ service }) => service.port === port);
    const outside = await until('a failure on another interface', () => incidentOf(FROM_OUTSIDE));
    expect(outside).toMatchObject({ kind: 'failure', cause: { id: 'netfilter-drop-in' } });

    await until('it rests once more', rests, 120_000);
    network.spawn('server', process.execPath, '-e', connect(DROPPED, '127.0.0.1'));
    const inside = await until('a failure on loopback', () => incidentOf(DROPPED));
    expect(inside).toMatchObject({ kind: 'failure', cause: { id: 'netfilter-drop-in' } });

    load.kill('SIGKILL');
    await until('all packets are looked at again', () => !isSaid());
    expect(watch.openIncidents().filter(({ kind }) => kind === 'failure')).toHaveLength(2);
    expect(bugs).toEqual([]);
  });
});
