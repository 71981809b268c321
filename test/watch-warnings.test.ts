import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { namespacesMissing, SERVER_V4 } from '../src/host/testing/namespaces.ts';
import type { Incident } from '../src/model/incident.ts';
import { MemoryStore } from '../src/service/history/memory-store.ts';
import { defaultConfig } from '../src/service/watch/config.ts';
import { Watch } from '../src/service/watch/watch.ts';
import { until, WatchNetwork } from './support/watch-namespaces.ts';

const missing = namespacesMissing();
if (missing !== undefined) console.log(`skipped: early warnings in network namespaces: ${missing}`);

const ADVERTISE = fileURLToPath(new URL('support/advertise-router.ts', import.meta.url));
const PORT = 8446;
const SLOW_PORT = 8447;
const BACKLOG = 10;
const PORTS = 20;

/** Each danger is made for real, is told before any attempt fails, and ends when it is over. */
describe.skipIf(missing !== undefined)('a watch warns', { timeout: 180_000 }, () => {
  let network: WatchNetwork;
  let watch: Watch | undefined;
  let conntrackMax = 0;
  const bugs: unknown[] = [];
  const closed: Incident[] = [];

  beforeAll(async () => {
    network = new WatchNetwork('ww');
    network.run('client', 'sysctl', '-qw', 'net.ipv4.ip_local_port_range=40000 40019');
    // Connections are followed, and dropped, in the server only.
    network.run('server', 'nft', 'add table inet ww; add chain inet ww in { type filter hook input priority 0; }');
    network.run('server', 'nft', 'add rule inet ww in ct state invalid counter');
    await network.listen(PORT);
    const config = defaultConfig();
    conntrackMax = Number(readFileSync('/proc/sys/net/netfilter/nf_conntrack_max', 'utf8'));
    const { server, client } = network.pair;
    watch = new Watch({
      config: {
        ...config,
        namespaces: { ...config.namespaces, include: [`netns:${server}`, `netns:${client}`] },
        // The table belongs to the whole machine: it is not filled, the threshold is lowered.
        warnings: { ...config.warnings, conntrack: 30 / conntrackMax },
      },
      store: new MemoryStore(),
      version: 'test',
      onBug: (error) => bugs.push(error),
    });
    watch.subscribe((event) => {
      if (event.type === 'incident' && event.incident.state === 'closed') closed.push(event.incident);
    });
    await watch.start();
  });

  afterAll(async () => {
    await watch?.stop();
    network?.remove();
    expect(bugs).toEqual([]);
  });

  const warning = (id: string): Promise<Incident> =>
    until(`a warning: ${id}`, () =>
      watch?.openIncidents().find(({ kind, cause }) => kind === 'warning' && cause?.id === id),
    );
  const over = ({ id }: Incident): Promise<Incident> =>
    until(`the end of warning ${id}`, () => closed.find((incident) => incident.id === id));

  it('of a route that a router advertised and does not renew, and of its end', async () => {
    const advertise = async (seconds: number): Promise<void> => {
      const child = network.spawn('client', process.execPath, ADVERTISE, 'eth0', `${seconds}`);
      expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0);
    };
    await advertise(40);
    const expiring = await warning('default-route-expires');
    expect(expiring.sentence).toMatch(
      /^The default route default via fe80::\S+ dev eth0 .*ends in \d+ s and no router/,
    );
    expect(expiring).toMatchObject({ attempts: 0, service: { namespace: `netns:${network.pair.server}` } });
    await advertise(1800);
    expect((await over(expiring)).closedBecause).toBe('it is well again');
    await advertise(0);
    const vanished = await warning('default-route-vanished');
    expect(vanished.sentence).toMatch(/^The default route of IPv6 in netns:\S+ is gone: default via fe80::/);
    await advertise(1800);
    await over(vanished);
  });

  it('of a gateway that does not answer', async () => {
    network.ip('server', 'route', 'replace', 'default', 'via', '10.77.0.99');
    const ask = `require('node:dgram').createSocket('udp4').send('x', 9, '198.51.100.1', () => process.exit())`;
    network.spawn('server', process.execPath, '-e', ask);
    const dead = await warning('router-unreachable');
    expect(dead.sentence).toContain('The router 10.77.0.99 of a default route');
    network.ip('client', 'addr', 'add', '10.77.0.99/24', 'dev', 'eth0');
    network.spawn('server', process.execPath, '-e', ask);
    await over(dead);
    network.ip('server', 'route', 'replace', 'default', 'via', '10.77.0.2');
  });

  it('of a full accept queue, of nearly no ports, and of a full table of connections', async () => {
    // Its program sleeps, and takes no connection; then it takes all and closes them.
    const sleeper = `const s = require('node:net').createServer((c) => { c.on('error', () => {}); c.destroy(); });
      s.listen(${SLOW_PORT}, '::', ${BACKLOG}, () => {
        console.log('up');
        setTimeout(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 40000), 300);
      });`;
    const slow = network.spawn('server', process.execPath, '-e', sleeper);
    await new Promise((resolve) => slow.stdout?.once('data', resolve));
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const hold = (port: number, count: number): string =>
      `for (let i = 0; i < ${count}; i++) require('node:net').connect(${port}, '${SERVER_V4}').on('error', () => {}); setTimeout(() => {}, 1e6);`;
    const callers = network.spawn('client', process.execPath, '-e', hold(SLOW_PORT, 9));
    const accepted = `const s = require('node:net').createServer(() => {}); s.listen(9100, '::', () => console.log('up'));`;
    const keeper = network.spawn('server', process.execPath, '-e', accepted);
    await new Promise((resolve) => keeper.stdout?.once('data', resolve));
    const holders = network.spawn('client', process.execPath, '-e', hold(9100, PORTS - 1));
    const many = `const d = require('node:dgram').createSocket('udp4');
      for (let i = 0; i < 40; i++) d.send('x', 20000 + i, '10.77.0.2'); setTimeout(() => process.exit(), 500);`;
    network.spawn('server', process.execPath, '-e', many);

    const [queue, ports, table] = await Promise.all([
      warning('accept-queue-filling'),
      warning('ports-running-out'),
      warning('conntrack-filling'),
    ]);
    expect(queue.sentence).toMatch(
      new RegExp(`^The accept queue of port ${SLOW_PORT} holds 9 of ${BACKLOG} connections`),
    );
    expect(queue.service).toMatchObject({ namespace: `netns:${network.pair.server}`, port: SLOW_PORT });
    expect(ports.sentence).toMatch(/^1[89] of 20 ephemeral ports are taken towards 10\.77\.0\.1:9100;/);
    expect(ports.service).toEqual({ direction: 'outbound', namespace: `netns:${network.pair.client}` });
    expect(table.sentence).toMatch(/^Connection tracking holds \d+ of [\d,]+ entries;/);
    expect(table.sentence.replaceAll(',', '')).toContain(` of ${conntrackMax} entries`);
    for (const child of [slow, callers, holders, keeper]) child.kill('SIGKILL');
    network.run('client', 'sysctl', '-qw', 'net.ipv4.ip_local_port_range=32768 60999');
    network.run('server', 'nft', 'delete', 'table', 'inet', 'ww');
    await Promise.all([over(queue), over(ports)]);
    expect(watch?.openIncidents().filter(({ kind }) => kind === 'failure')).toEqual([]);
  });
});
