import type { Incident, IncidentService } from '../../src/model/incident.ts';
import { MemoryStore } from '../../src/service/history/memory-store.ts';
import type { DemoWatch } from './demo-watch.ts';
import { FakeWatch, now } from './fake-watch.ts';
import { recordedIncident } from './recorded-incidents.ts';

/** Names as an attacker would give them to a process, a namespace, an interface or a nft comment. */
const MARKUP = '<img src=x onerror=owned()>"\'`&lt;<script>owned()</script>';
const CONTROLS = '\u001b[2J\u001b]0;x\u0007\0\r\n\t';
const BIDI = '\u202egnp.exe\u2066\u200b\u00ad\u2028';
const RTL = 'שלום 192.0.2.1 עולם';
const LONG = 'a'.repeat(3000);

/** The text that stands everywhere in {@link hostileWatch}. */
export const HOSTILE: string = `${MARKUP}${CONTROLS}${BIDI}${RTL}${LONG}`;

/** A watch in which every text that can come from outside is hostile. */
export async function hostileWatch(): Promise<DemoWatch> {
  const view = new FakeWatch();
  const history = new MemoryStore();
  const service: IncidentService = {
    direction: 'inbound',
    namespace: `netns:${HOSTILE}`,
    address: HOSTILE,
    port: 443,
    process: HOSTILE,
  };
  const recorded = await recordedIncident('netfilter-drop-in', {
    id: 1,
    state: 'open',
    firstNs: now() - 60_000_000_000n,
    lastNs: now(),
    attempts: 3,
  });
  const incident: Incident = {
    ...recorded,
    service,
    sentence: HOSTILE,
    cause: { id: HOSTILE, status: 'confirmed', title: HOSTILE },
    clientNetworks: [{ network: HOSTILE, attempts: 3 }],
    samples: recorded.samples.map(poison),
    changes: [{ atNs: now() - 70_000_000_000n, text: HOSTILE }],
    repairs: [
      {
        atNs: now(),
        remedyId: HOSTILE,
        title: HOSTILE,
        by: 'policy',
        outcome: 'failed',
        statement: HOSTILE,
        journalId: HOSTILE,
      },
    ],
  };
  view.state = {
    hostname: HOSTILE,
    namespaces: [`netns:${HOSTILE}`],
    notSeen: [{ reason: HOSTILE, hint: HOSTILE }],
  };
  view.health = [
    {
      service,
      acceptQueue: { waiting: 0, limit: 511 },
      drops: 0,
      lastMinute: { answered: 0, refused: 0, failed: 1 },
      openIncidents: [1],
    },
  ];
  view.incidents.set(1, incident);
  await history.saveIncident(incident);
  return { view, history };
}

/** Words of a contract stay, every other text becomes hostile. */
const KEPT: ReadonlySet<string> = new Set([
  ...['outcome', 'stage', 'kind', 'direction', 'bearing', 'weight', 'status', 'risk'],
  ...['time', 'startedAt', 'endedAt', 'place', 'seen'],
]);

function poison(value: unknown, key: unknown = ''): unknown {
  if (typeof value === 'string') return typeof key === 'string' && KEPT.has(key) ? value : HOSTILE;
  if (Array.isArray(value)) return value.map((part) => poison(part));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, poison(part, name)]));
}
