import type { HandshakeCounts, Incident, IncidentRepair, IncidentService } from '../../model/incident.ts';
import { formatTimestamp } from '../../report/format.ts';
import { encodeJson } from '../../report/json.ts';
import type { JsonValue } from '../../report/json-values.ts';

/** A service as the JSON contract spells it. */
export function serviceValue({ direction, namespace, address, port, process }: IncidentService): JsonValue {
  return { direction, namespace, address, port, process };
}

/** A repair as the JSON contract spells it. */
export function repairValue(repair: IncidentRepair): JsonValue {
  const { atNs, remedyId, title, by, outcome, statement, journalId } = repair;
  return { at: formatTimestamp(atNs), remedyId, title, by, outcome, statement, journalId };
}

/** An incident as lists spell it: without its samples. */
export function incidentSummaryValue(incident: Incident): { readonly [key: string]: JsonValue } {
  const { cause, closedNs } = incident;
  return {
    id: incident.id,
    state: incident.state,
    kind: incident.kind,
    service: serviceValue(incident.service),
    cause: cause && { id: cause.id, status: cause.status, title: cause.title },
    sentence: incident.sentence,
    outcome: incident.outcome,
    firstAt: formatTimestamp(incident.firstNs),
    lastAt: formatTimestamp(incident.lastNs),
    closedAt: closedNs === undefined ? undefined : formatTimestamp(closedNs),
    closedBecause: incident.closedBecause,
    attempts: incident.attempts,
    clientNetworks: incident.clientNetworks.map(({ network, attempts }) => ({ network, attempts })),
    clients: incident.clients,
    changes: incident.changes.map(({ atNs, text }) => ({ at: formatTimestamp(atNs), text })),
    repairs: incident.repairs.map(repairValue),
  };
}

/** An incident in full, as `docs/schema/incidents.schema.json` describes it. */
export function incidentValue(incident: Incident): { readonly [key: string]: JsonValue } {
  return { ...incidentSummaryValue(incident), samples: incident.samples as readonly JsonValue[] };
}

/** Counts of one service in one interval as the JSON contract spells them. */
export function countsValue({ atNs, intervalMs, service, answered, refused, failed }: HandshakeCounts): JsonValue {
  return { at: formatTimestamp(atNs), intervalMs, service: serviceValue(service), answered, refused, failed };
}

/** The samples of an incident as one text. */
export function samplesText(samples: Incident['samples']): string {
  return encodeJson(samples as readonly JsonValue[]);
}
