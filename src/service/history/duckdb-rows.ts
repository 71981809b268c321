import type { DuckDBAppender, DuckDBValue } from '@duckdb/node-api';
import type { HandshakeCounts, Incident } from '../../model/incident.ts';
import { formatTimestamp } from '../../report/format.ts';
import { encodeJson } from '../../report/json.ts';
import type { IncidentQuery } from './history-store.ts';
import { incidentFromValue } from './incident-from-json.ts';
import { incidentSummaryValue } from './incident-json.ts';
import { queryWords, searchText } from './incident-query.ts';

/** Columns of the table of incidents, in the order of {@link incidentRow}. */
const COLUMNS = [
  'id',
  'state',
  'kind',
  'direction',
  'namespace',
  'address',
  'port',
  'process',
  'cause_id',
  'cause_status',
  'cause_title',
  'sentence',
  'outcome',
  'first_ns',
  'last_ns',
  'closed_ns',
  'closed_because',
  'attempts',
  'clients',
  'client_networks',
  'changes',
  'repairs',
  'search',
] as const;

/** Adds an incident or replaces the one with its id; takes an {@link incidentRow}. */
export const SAVE_INCIDENT: string = `INSERT OR REPLACE INTO incidents (${COLUMNS.join(', ')}) VALUES (${COLUMNS.map(() => '?').join(', ')})`;

/** An incident without its samples as a row. */
export function incidentRow(incident: Incident): DuckDBValue[] {
  const { service, cause } = incident;
  const { clientNetworks, changes, repairs } = incidentSummaryValue(incident);
  return [
    BigInt(incident.id),
    incident.state,
    incident.kind,
    service.direction,
    service.namespace,
    service.address ?? null,
    service.port ?? null,
    service.process ?? null,
    cause?.id ?? null,
    cause?.status ?? null,
    cause?.title ?? null,
    incident.sentence,
    incident.outcome ?? null,
    incident.firstNs,
    incident.lastNs,
    incident.closedNs ?? null,
    incident.closedBecause ?? null,
    BigInt(incident.attempts),
    BigInt(incident.clients),
    encodeJson(clientNetworks),
    encodeJson(changes),
    encodeJson(repairs),
    searchText(incident),
  ];
}

/** Reads a row back, with the text of its samples where they were asked for. @throws Error when it is damaged */
export function incidentOfRow(row: Readonly<Record<string, DuckDBValue>>): Incident {
  const { cause_id, closed_ns, samples } = row;
  return incidentFromValue({
    id: Number(row.id),
    state: row.state,
    kind: row.kind,
    service: {
      direction: row.direction,
      namespace: row.namespace,
      address: row.address ?? undefined,
      port: row.port ?? undefined,
      process: row.process ?? undefined,
    },
    cause: cause_id === null ? null : { id: cause_id, status: row.cause_status, title: row.cause_title },
    sentence: row.sentence,
    outcome: row.outcome ?? undefined,
    firstAt: formatTimestamp(row.first_ns as bigint),
    lastAt: formatTimestamp(row.last_ns as bigint),
    closedAt: closed_ns === null ? undefined : formatTimestamp(closed_ns as bigint),
    closedBecause: row.closed_because ?? undefined,
    attempts: Number(row.attempts),
    clients: Number(row.clients),
    clientNetworks: JSON.parse(row.client_networks as string),
    changes: JSON.parse(row.changes as string),
    repairs: JSON.parse(row.repairs as string),
    samples: typeof samples === 'string' ? JSON.parse(samples) : [],
  });
}

/** Appends counts as a row of their table. */
export function appendCounts(appender: DuckDBAppender, counts: HandshakeCounts): void {
  const { direction, namespace, address, port, process } = counts.service;
  appender.appendBigInt(counts.atNs);
  appender.appendInteger(counts.intervalMs);
  appender.appendVarchar(direction);
  appender.appendVarchar(namespace);
  if (address === undefined) appender.appendNull();
  else appender.appendVarchar(address);
  if (port === undefined) appender.appendNull();
  else appender.appendInteger(port);
  if (process === undefined) appender.appendNull();
  else appender.appendVarchar(process);
  for (const count of [counts.answered, counts.refused, counts.failed]) appender.appendBigInt(BigInt(count));
  appender.endRow();
}

/** A condition with its values. */
export interface Condition {
  readonly sql: string;
  readonly values: DuckDBValue[];
}

/** What a query asks for, over the table of incidents `i`. */
export function condition(query: IncidentQuery): Condition {
  const { sinceNs, untilNs, state, kind, causeId, port } = query;
  const parts: [string, DuckDBValue][] = [];
  if (sinceNs !== undefined) parts.push(['i.last_ns >= ?', sinceNs]);
  if (untilNs !== undefined) parts.push(['i.first_ns <= ?', untilNs]);
  if (state !== undefined) parts.push(['i.state = ?', state]);
  if (kind !== undefined) parts.push(['i.kind = ?', kind]);
  if (causeId !== undefined) parts.push(['i.cause_id = ?', causeId]);
  if (port !== undefined) parts.push(['i.port = ?', port]);
  for (const word of queryWords(query)) parts.push(['contains(i.search, ?)', word]);
  return {
    sql: parts.length === 0 ? 'true' : parts.map(([sql]) => sql).join(' AND '),
    values: parts.map(([, value]) => value),
  };
}
