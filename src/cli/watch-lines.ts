import { formatEndpoint } from '../model/flow.ts';
import type { Incident, IncidentService } from '../model/incident.ts';
import { formatQuantity } from '../model/text.ts';
import { forTerminal } from '../report/escape.ts';
import { encodeJson } from '../report/json.ts';
import { incidentValue } from '../service/history/incident-json.ts';

/** What became of an incident since it was told last. */
export type IncidentEvent = 'opened' | 'updated' | 'closed';

/** Decides which events of incidents are worth a line: each end of one, and what changes its meaning. */
export class IncidentEvents {
  private readonly told: Map<number, string> = new Map();

  /** @returns undefined when only numbers grew. */
  take(incident: Incident): IncidentEvent | undefined {
    const before = this.told.get(incident.id);
    if (incident.state === 'closed') {
      this.told.delete(incident.id);
      return 'closed';
    }
    const meaning = `${incident.cause?.id} ${incident.cause?.status} ${incident.repairs.length}`;
    if (before === meaning) return undefined;
    this.told.set(incident.id, meaning);
    return before === undefined ? 'opened' : 'updated';
  }
}

/** One line for a person. */
export function incidentLine(event: IncidentEvent, incident: Incident): string {
  const { id, kind, service, cause, attempts, clients, closedBecause } = incident;
  const at = new Date(
    Number((event === 'closed' ? (incident.closedNs ?? incident.lastNs) : incident.lastNs) / 1_000_000n),
  );
  const time = at.toISOString().replace(/\.\d+Z$/, 'Z');
  const what = kind === 'failure' ? (cause?.id ?? 'no cause found') : `${kind}: ${cause?.id ?? ''}`;
  const of = clients === 0 ? '' : ` of ${formatQuantity(clients, 'client')}`;
  const count = kind === 'warning' ? '' : `, ${formatQuantity(attempts, 'attempt')}${of}`;
  const repair = event === 'updated' ? incident.repairs.at(-1) : undefined;
  const text =
    event === 'closed'
      ? (closedBecause ?? '')
      : repair === undefined
        ? incident.sentence
        : `${repair.title}: ${repair.outcome}: ${repair.statement}`;
  return forTerminal(`${time} #${id} ${event} ${serviceText(service)} ${what}${count}: ${text}`);
}

/** One line for a program. */
export function incidentJson(event: IncidentEvent, incident: Incident): string {
  return encodeJson({ schemaVersion: 1, command: 'watch', event, incident: incidentValue(incident) });
}

/** A service in few words: `inbound :443 nginx`, `outbound 192.0.2.1:5432 netns:web`. */
export function serviceText({ direction, namespace, address, port, process }: IncidentService): string {
  const where =
    address === undefined
      ? port === undefined
        ? ''
        : `:${port}`
      : port === undefined
        ? address
        : formatEndpoint({ address, port });
  return [direction, where, process ?? '', namespace === 'local' ? '' : namespace]
    .filter((word) => word !== '')
    .join(' ');
}
