import type { Incident, IncidentService } from '../../model/incident.ts';
import type { IncidentQuery } from './history-store.ts';

/** How many incidents a query gives that sets no limit. */
export const DEFAULT_LIMIT = 100;

/** Whether an incident is asked for. */
export function matchesQuery(incident: Incident, query: IncidentQuery): boolean {
  const { sinceNs, untilNs, state, kind, causeId, port } = query;
  return (
    (sinceNs === undefined || incident.lastNs >= sinceNs) &&
    (untilNs === undefined || incident.firstNs <= untilNs) &&
    (state === undefined || incident.state === state) &&
    (kind === undefined || incident.kind === kind) &&
    (causeId === undefined || incident.cause?.id === causeId) &&
    (port === undefined || incident.service.port === port) &&
    queryWords(query).every((word) => searchText(incident).includes(word))
  );
}

/** The words that must all be in the {@link searchText} of an incident. */
export function queryWords({ text = '' }: IncidentQuery): readonly string[] {
  return text.toLowerCase().split(/\s+/).filter(Boolean).slice(0, 20);
}

/** What the words of a query are looked for in. */
export function searchText({ sentence, cause, service, clientNetworks }: Incident): string {
  const parts = [
    sentence,
    cause?.id,
    cause?.title,
    service.direction,
    service.namespace,
    service.address,
    service.port,
    service.process,
    ...clientNetworks.map(({ network }) => network),
  ];
  return parts
    .filter((part) => part !== undefined)
    .join('\n')
    .toLowerCase();
}

/** Whether counts of a service belong to what is asked for: whatever is given must be equal. */
export function matchesService(service: IncidentService, wanted: Partial<IncidentService> | undefined): boolean {
  if (wanted === undefined) return true;
  const { direction, namespace, address, port } = wanted;
  return (
    (direction === undefined || service.direction === direction) &&
    (namespace === undefined || service.namespace === namespace) &&
    (address === undefined || service.address === address) &&
    (port === undefined || service.port === port)
  );
}
