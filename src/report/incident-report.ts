import type { CaptureReport, Diagnosis } from '../model/diagnosis.ts';
import type { Incident } from '../model/incident.ts';

/** An incident and the diagnoses of its samples, the clearest first. */
export interface IncidentSamples {
  readonly incident: Incident;
  readonly samples: readonly Diagnosis[];
}

/** The report that the samples of an incident make: one group of attempts that failed alike. */
export function incidentReport({ incident, samples }: IncidentSamples): CaptureReport {
  const { service, attempts, clients, firstNs, lastNs, sentence, cause } = incident;
  const [sample] = samples;
  return {
    command: 'listen',
    captures: [],
    headline: sentence,
    diagnoses: samples,
    omittedDiagnoses: 0,
    groups:
      sample === undefined
        ? []
        : [
            {
              sentence,
              kind: 'alike',
              server: {
                address: service.address ?? sample.handshake.server.address,
                ...(service.port === undefined ? {} : { port: service.port }),
              },
              outcome: incident.outcome ?? sample.handshake.outcome,
              ...(cause === null ? {} : { causeId: cause.id }),
              count: attempts,
              clients,
              firstNs,
              lastNs,
              examples: samples,
            },
          ],
    summary: { handshakes: attempts, failed: attempts, outcomes: {}, late: 0 },
    notes: [],
  };
}
