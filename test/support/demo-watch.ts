import type { HandshakeCounts, Incident, IncidentService, ListenerHealth } from '../../src/model/incident.ts';
import type { HistoryStore } from '../../src/service/history/history-store.ts';
import { MemoryStore } from '../../src/service/history/memory-store.ts';
import { FakeWatch, now } from './fake-watch.ts';
import { recordedIncident } from './recorded-incidents.ts';

const SECOND = 1_000_000_000n;
const MINUTE = 60n * SECOND;

/** A watch with a past: an hour of handshakes, incidents of recorded hosts, listeners of every health. */
export interface DemoWatch {
  readonly view: FakeWatch;
  readonly history: HistoryStore;
}

/** Makes a watch with something in every view of the page. */
export async function demoWatch(): Promise<DemoWatch> {
  const view = new FakeWatch();
  const history = new MemoryStore();
  view.state = {
    namespaces: ['local', 'netns:web', 'pid:4711'],
    capture: { taken: 1_204_331, lost: 0, openAttempts: 14 },
    totals: { answered: 1_113_208, refused: 12, failed: 61 },
    notSeen: [{ reason: "the kernel's own drop events", hint: 'needs CAP_SYS_ADMIN for tracefs' }],
  };
  const incidents = await demoIncidents(now());
  for (const incident of incidents) {
    await history.saveIncident(incident);
    if (incident.state === 'open') view.incidents.set(incident.id, incident);
  }
  await history.addCounts(demoCounts(now()));
  view.health = demoListeners(incidents);
  return { view, history };
}

const WEB: IncidentService = { direction: 'inbound', namespace: 'local', port: 443, process: 'nginx' };
const SHOP: IncidentService = { direction: 'inbound', namespace: 'netns:web', port: 8080, process: 'shopd' };

async function demoIncidents(nowNs: bigint): Promise<readonly Incident[]> {
  const closed = { state: 'closed', closedBecause: 'no such failure for 5 minutes' } as const;
  return Promise.all([
    recordedIncident('no-listener', {
      ...closed,
      id: 38,
      firstNs: nowNs - 2900n * MINUTE,
      lastNs: nowNs - 2890n * MINUTE,
      closedNs: nowNs - 2885n * MINUTE,
      attempts: 3,
    }),
    recordedIncident('accept-queue-full', {
      ...closed,
      id: 39,
      firstNs: nowNs - 52n * MINUTE,
      lastNs: nowNs - 46n * MINUTE,
      closedNs: nowNs - 41n * MINUTE,
      attempts: 23,
      service: SHOP,
    }),
    recordedIncident('no-listener', {
      ...closed,
      id: 40,
      kind: 'noise',
      cause: null,
      sentence: 'A port scan: 192.0.2.77 tried 812 ports in 9 s; 809 refused it, 3 answered.',
      firstNs: nowNs - 33n * MINUTE,
      lastNs: nowNs - 32n * MINUTE,
      closedNs: nowNs - 27n * MINUTE,
      attempts: 812,
      service: { direction: 'inbound', namespace: 'local' },
      clientNetworks: [{ network: '192.0.2.0/24', attempts: 812 }],
      samples: [],
    }),
    recordedIncident('rp-filter-strict', {
      id: 41,
      state: 'open',
      firstNs: nowNs - 6n * MINUTE,
      lastNs: nowNs - 12n * SECOND,
      attempts: 9,
      clients: 3,
      service: WEB,
      clientNetworks: [
        { network: '198.18.67.0/24', attempts: 7 },
        { network: '2001:db8:77::/48', attempts: 2 },
      ],
    }),
    recordedIncident('no-return-route', {
      id: 42,
      state: 'open',
      firstNs: nowNs - 130n * SECOND,
      lastNs: nowNs - 3n * SECOND,
      attempts: 31,
      clients: 12,
      service: WEB,
      clientNetworks: [
        { network: '198.18.58.0/24', attempts: 19 },
        { network: '203.0.113.0/24', attempts: 9 },
        { network: '2001:db8:1::/48', attempts: 3 },
      ],
      changes: [
        { atNs: nowNs - 145n * SECOND, text: 'link enp1s0 went down' },
        { atNs: nowNs - 144n * SECOND, text: 'default via 198.19.255.44 dev enp1s0 deleted' },
        { atNs: nowNs - 143n * SECOND, text: 'link enp1s0 came up' },
      ],
      repairs: [
        {
          atNs: nowNs - 120n * SECOND,
          remedyId: 'add-default-route',
          title: 'Give the server its route back to the client',
          by: 'policy',
          outcome: 'suggested',
          statement: 'The policy for no-return-route is suggest.',
        },
      ],
    }),
    recordedIncident('accept-queue-full', {
      id: 43,
      state: 'open',
      kind: 'warning',
      cause: { id: 'accept-queue-filling', status: 'confirmed', title: 'The accept queue is nearly full' },
      sentence: 'The accept queue of shopd on port 8080 is nearly full: 109 of 128 connections wait.',
      firstNs: nowNs - 40n * SECOND,
      lastNs: nowNs - 2n * SECOND,
      attempts: 0,
      clients: 0,
      clientNetworks: [],
      samples: [],
      service: SHOP,
    }),
  ]);
}

function demoCounts(nowNs: bigint): readonly HandshakeCounts[] {
  const counts: HandshakeCounts[] = [];
  for (let step = 0; step < 360; step += 1) {
    const atNs = nowNs - BigInt(360 - step) * 10n * SECOND;
    const wave = 300 + 90 * Math.sin(step / 23) + 25 * Math.sin(step * 1.7);
    const queueFull = step > 48 && step < 84;
    counts.push({
      atNs,
      intervalMs: 10_000,
      service: WEB,
      answered: Math.round(wave * (step > 347 ? 0.6 : 1)),
      refused: step === 163 ? 80 : 0,
      failed: step > 347 ? 3 : 0,
    });
    counts.push({
      atNs,
      intervalMs: 10_000,
      service: SHOP,
      answered: Math.round(wave / 8),
      refused: 0,
      failed: queueFull && step % 3 === 0 ? 2 : 0,
    });
  }
  return counts;
}

function demoListeners(incidents: readonly Incident[]): readonly ListenerHealth[] {
  const ids = (service: IncidentService): number[] =>
    incidents.filter((one) => one.state === 'open' && one.service === service).map(({ id }) => id);
  const quiet = { answered: 0, refused: 0, failed: 0 };
  const queue = (waiting: number, limit: number): ListenerHealth['acceptQueue'] => ({ waiting, limit });
  return [
    {
      service: WEB,
      acceptQueue: queue(0, 511),
      synQueue: 3,
      drops: 31,
      lastMinute: { answered: 1804, refused: 0, failed: 17 },
      openIncidents: ids(WEB),
    },
    {
      service: SHOP,
      acceptQueue: queue(109, 128),
      synQueue: 9,
      drops: 23,
      lastMinute: { answered: 228, refused: 0, failed: 0 },
      openIncidents: ids(SHOP),
    },
    {
      service: { ...WEB, port: 22, process: 'sshd' },
      acceptQueue: queue(0, 128),
      drops: 0,
      lastMinute: { ...quiet, answered: 2 },
      openIncidents: [],
    },
    {
      service: { ...WEB, address: '127.0.0.1', port: 5432, process: 'postgres' },
      acceptQueue: queue(0, 200),
      synQueue: 0,
      drops: 0,
      lastMinute: quiet,
      openIncidents: [],
    },
    {
      service: { ...WEB, address: '2001:db8:2::2', namespace: 'pid:4711', port: 9090, process: 'prometheus' },
      acceptQueue: queue(1, 4096),
      synQueue: 0,
      drops: 0,
      lastMinute: { ...quiet, answered: 12 },
      openIncidents: [],
    },
  ];
}
