import type { HandshakeCounts, Incident, IncidentService } from '../../../model/incident.ts';

/** 2026-11-20T14:00:00Z in nanoseconds. */
const BASE_NS = 1_795_183_200_000_000_000n;

/** Nanoseconds of so many seconds after {@link BASE_NS}. */
export function at(seconds: number): bigint {
  return BASE_NS + BigInt(Math.round(seconds * 1000)) * 1_000_000n;
}

export const HTTPS: IncidentService = { direction: 'inbound', namespace: 'local', port: 443, process: 'nginx' };

/** An incident with everything in it that can be, hostile texts included. */
export function sampleIncident(id: number, change: Partial<Incident> = {}): Incident {
  return {
    id,
    state: 'open',
    kind: 'failure',
    service: HTTPS,
    cause: { id: 'no-return-route', status: 'confirmed', title: 'The server has no route back to the client' },
    sentence: `web7 has no route back to 2001:db8:1::${id}; "quotes", \u202e, \x1b[31m, 日本`,
    outcome: 'no-reply',
    firstNs: at(id * 60) + 7n,
    lastNs: at(id * 60 + 30) + 9n,
    attempts: 4,
    clientNetworks: [
      { network: '2001:db8:1::/48', attempts: 3 },
      { network: '192.0.2.0/24', attempts: 1 },
    ],
    clients: 2,
    samples: [{ handshake: { outcome: 'no-reply' }, sentence: `sample of ${id}`, evidence: [] }],
    changes: [{ atNs: at(id * 60 - 14), text: 'default via fe80::1 dev eth0 deleted' }],
    repairs: [
      {
        atNs: at(id * 60 + 31),
        remedyId: 'add-default-route',
        title: 'Add the default route',
        by: 'policy',
        outcome: 'suggested',
        statement: 'the policy says suggest',
        journalId: 'j1',
      },
    ],
    ...change,
  };
}

/** The same incident, closed. */
export function closed(incident: Incident): Incident {
  return { ...incident, state: 'closed', closedNs: incident.lastNs + 5n, closedBecause: 'no such failure for 2 min' };
}

/** Counts of a service in 10 s. */
export function sampleCounts(seconds: number, change: Partial<HandshakeCounts> = {}): HandshakeCounts {
  return { atNs: at(seconds), intervalMs: 10_000, service: HTTPS, answered: 10, refused: 1, failed: 2, ...change };
}
