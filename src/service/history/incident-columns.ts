import type { Incident } from '../../model/incident.ts';
import { formatTimestamp } from '../../report/format.ts';
import { encodeJson } from '../../report/json.ts';
import type { Cell } from './csv.ts';
import { incidentSummaryValue } from './incident-json.ts';

/** Columns of an incident in tables (CSV, Parquet); `docs/history.md` describes them. */
export const COLUMNS: readonly { readonly name: string; readonly type: 'BIGINT' | 'VARCHAR' | 'TIMESTAMP_NS' }[] = [
  { name: 'id', type: 'BIGINT' },
  { name: 'state', type: 'VARCHAR' },
  { name: 'kind', type: 'VARCHAR' },
  { name: 'direction', type: 'VARCHAR' },
  { name: 'namespace', type: 'VARCHAR' },
  { name: 'address', type: 'VARCHAR' },
  { name: 'port', type: 'BIGINT' },
  { name: 'process', type: 'VARCHAR' },
  { name: 'cause', type: 'VARCHAR' },
  { name: 'cause_status', type: 'VARCHAR' },
  { name: 'sentence', type: 'VARCHAR' },
  { name: 'outcome', type: 'VARCHAR' },
  { name: 'first_at', type: 'TIMESTAMP_NS' },
  { name: 'last_at', type: 'TIMESTAMP_NS' },
  { name: 'closed_at', type: 'TIMESTAMP_NS' },
  { name: 'closed_because', type: 'VARCHAR' },
  { name: 'attempts', type: 'BIGINT' },
  { name: 'clients', type: 'BIGINT' },
  { name: 'client_networks', type: 'VARCHAR' },
  { name: 'changes', type: 'VARCHAR' },
  { name: 'repairs', type: 'VARCHAR' },
];

/** The cells of an incident, in the order of {@link COLUMNS}; times are RFC 3339, lists JSON. */
export function cells(incident: Incident): Cell[] {
  const { service, cause, closedNs } = incident;
  const { clientNetworks, changes, repairs } = incidentSummaryValue(incident);
  return [
    incident.id,
    incident.state,
    incident.kind,
    service.direction,
    service.namespace,
    service.address,
    service.port,
    service.process,
    cause?.id,
    cause?.status,
    incident.sentence,
    incident.outcome,
    formatTimestamp(incident.firstNs),
    formatTimestamp(incident.lastNs),
    closedNs === undefined ? undefined : formatTimestamp(closedNs),
    incident.closedBecause,
    incident.attempts,
    incident.clients,
    encodeJson(clientNetworks),
    encodeJson(changes),
    encodeJson(repairs),
  ];
}
