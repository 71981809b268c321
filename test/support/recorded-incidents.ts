import { join } from 'node:path';
import { readBundle } from '../../src/host/bundle/bundle-file.ts';
import { openHost } from '../../src/host/open-host.ts';
import type { Diagnosis } from '../../src/model/diagnosis.ts';
import type { Incident } from '../../src/model/incident.ts';
import { diagnosisValue } from '../../src/report/json-values.ts';
import { diagnoseListen } from '../../src/service/diagnose-listen.ts';
import { root } from '../run-cli.ts';

/** What a test wants of an incident; all else comes from a recorded host, judged now. */
export type IncidentWish = Pick<Incident, 'id' | 'state' | 'firstNs' | 'lastNs' | 'attempts'> & Partial<Incident>;

/** An incident as a watch would have made it of a host that the lab broke and recorded (`fixtures/lab`). */
export async function recordedIncident(scenario: string, wish: IncidentWish): Promise<Incident> {
  const diagnoses = await judge(scenario);
  const [first] = diagnoses;
  if (first === undefined) throw new Error(`the recording of ${scenario} shows no failed attempt`);
  const { cause, handshake, sentence } = first;
  return {
    kind: 'failure',
    service: { direction: 'inbound', namespace: 'local', port: handshake.server.port, process: 'nginx' },
    cause: cause && { id: cause.id, status: cause.status, title: cause.title },
    sentence,
    outcome: handshake.outcome,
    clientNetworks: [{ network: `${handshake.client.address.replace(/\.\d+$/, '.0')}/24`, attempts: wish.attempts }],
    clients: 1,
    samples: diagnoses.slice(0, 3).map(diagnosisValue),
    changes: [],
    repairs: [],
    ...wish,
  };
}

async function judge(scenario: string): Promise<readonly Diagnosis[]> {
  const path = join(root, 'fixtures', 'lab', `${scenario}.v4.server.synscope`);
  const [port = 0] = (await readBundle(path)).header.ports;
  const host = await openHost(`bundle:${path}`);
  try {
    return (await diagnoseListen({ host, port, forMs: 20_000 })).diagnoses;
  } finally {
    await host.close();
  }
}
