import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { namespacesMissing, SERVER_V6 } from '../src/host/testing/namespaces.ts';
import type { Incident } from '../src/model/incident.ts';
import { Journal } from '../src/remedy/journal/journal.ts';
import { MemoryStore } from '../src/service/history/memory-store.ts';
import { defaultConfig } from '../src/service/watch/config.ts';
import { PolicyRepairer } from '../src/service/watch/repair.ts';
import { Watch } from '../src/service/watch/watch.ts';
import { until, WatchNetwork } from './support/watch-namespaces.ts';

const missing = namespacesMissing();
if (missing !== undefined) console.log(`skipped: repair by policy in network namespaces: ${missing}`);

const PORT = 8445;
const FAR_CLIENT_V6 = 'fd88::2';

/** The case of the product: an interface is reset, its default route is gone, clients outside of the network get no answer. */
describe.skipIf(missing !== undefined)('an interface that was reset', { timeout: 180_000 }, () => {
  let network: WatchNetwork;
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'synscope-watch-repair-'));
    network = new WatchNetwork('wr');
    network.run('server', 'sysctl', '-qw', 'net.ipv6.conf.eth0.keep_addr_on_down=1');
    network.ip('client', 'addr', 'add', `${FAR_CLIENT_V6}/128`, 'dev', 'eth0', 'nodad');
    network.ip('server', '-6', 'route', 'add', 'default', 'via', 'fd77::2', 'dev', 'eth0');
    await network.listen(PORT);
  });

  afterAll(() => {
    network?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  it('gets its route back by policy, and the incident tells the story', async () => {
    const spec = `netns:${network.pair.server}`;
    const base = defaultConfig();
    const config = {
      ...base,
      namespaces: { ...base.namespaces, include: [spec] },
      incidents: { ...base.incidents, closeAfterMs: 3000 },
      remediation: { ...base.remediation, causes: { 'no-return-route': 'auto' as const }, allowKinds: ['route'] },
    };
    const store = new MemoryStore();
    const bugs: unknown[] = [];
    const watch = new Watch({
      config,
      store,
      version: 'test',
      repairer: new PolicyRepairer({ config: () => config, journal: new Journal(folder) }),
      onBug: (error) => bugs.push(error),
    });
    const closed: Incident[] = [];
    watch.subscribe((event) => {
      if (event.type === 'incident' && event.incident.state === 'closed') closed.push(event.incident);
    });
    await watch.start();
    try {
      network.ip('server', 'link', 'set', 'eth0', 'down');
      network.ip('server', 'link', 'set', 'eth0', 'up');
      const startMs = Date.now();
      network.connect(PORT, FAR_CLIENT_V6, 20_000, SERVER_V6);
      const incident = await until('the incident was repaired', () =>
        watch.openIncidents().find(({ repairs }) => repairs.some(({ outcome }) => outcome === 'verified')),
      );
      const sinceSyn = Date.now() - Number(incident.firstNs / 1_000_000n);
      console.log(
        `verified ${sinceSyn} ms after the first SYN, ${Date.now() - startMs} ms after the reset (load and all)`,
      );
      expect(incident).toMatchObject({
        kind: 'failure',
        service: { direction: 'inbound', port: PORT },
        cause: { id: 'no-return-route', status: 'confirmed' },
        clientNetworks: [{ network: 'fd88::/48' }],
        repairs: [{ by: 'policy', outcome: 'verified' }],
      });
      const story = incident.changes.map(({ text }) => text);
      expect(story).toContain('link eth0 went down');
      expect(story.some((text) => /^default via fd77::2 dev eth0 .*deleted$/.test(text))).toBe(true);
      expect(story).toContain('link eth0 went up');

      expect(await network.tryConnect(PORT, FAR_CLIENT_V6, SERVER_V6)).toBe('connected');
      const end = await until('the incident is over', () => closed.find(({ id }) => id === incident.id));
      expect(end.closedBecause).toMatch(/handshakes? of the service succeeded$/);
      expect((await store.incidents({ kind: 'failure' })).map(({ id }) => id)).toEqual([incident.id]);
      expect(bugs).toEqual([]);
    } finally {
      await watch.stop();
    }
  });
});
