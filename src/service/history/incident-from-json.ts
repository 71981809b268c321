import type {
  HandshakeCounts,
  Incident,
  IncidentChange,
  IncidentRepair,
  IncidentService,
} from '../../model/incident.ts';
import { parseTimestamp } from './parse-time.ts';

/**
 * Reads an incident that `incidentValue` or `incidentSummaryValue` wrote. Of a list it has no samples.
 * @throws Error when it is none: the text was written by something else, or damaged.
 */
export function incidentFromValue(value: unknown): Incident {
  const from = record(value, 'an incident');
  const cause = from.cause === null ? null : record(from.cause, 'cause');
  return {
    id: number(from.id, 'id'),
    state: word(from.state, ['open', 'closed'] as const, 'state'),
    kind: word(from.kind, ['failure', 'noise', 'warning'] as const, 'kind'),
    service: serviceFromValue(from.service),
    cause: cause && {
      id: text(cause.id, 'cause.id'),
      status: text(cause.status, 'cause.status') as NonNullable<Incident['cause']>['status'],
      title: text(cause.title, 'cause.title'),
    },
    sentence: text(from.sentence, 'sentence'),
    ...(from.outcome === undefined
      ? {}
      : { outcome: text(from.outcome, 'outcome') as NonNullable<Incident['outcome']> }),
    firstNs: moment(from.firstAt, 'firstAt'),
    lastNs: moment(from.lastAt, 'lastAt'),
    ...(from.closedAt === undefined ? {} : { closedNs: moment(from.closedAt, 'closedAt') }),
    ...(from.closedBecause === undefined ? {} : { closedBecause: text(from.closedBecause, 'closedBecause') }),
    attempts: number(from.attempts, 'attempts'),
    clientNetworks: list(from.clientNetworks).map((entry) => {
      const { network, attempts } = record(entry, 'clientNetworks');
      return { network: text(network, 'network'), attempts: number(attempts, 'attempts') };
    }),
    clients: number(from.clients, 'clients'),
    samples: list(from.samples),
    changes: list(from.changes).map(changeFromValue),
    repairs: list(from.repairs).map(repairFromValue),
  };
}

/** Reads counts that `countsValue` wrote. @throws Error when they are none. */
export function countsFromValue(value: unknown): HandshakeCounts {
  const from = record(value, 'counts');
  return {
    atNs: moment(from.at, 'at'),
    intervalMs: number(from.intervalMs, 'intervalMs'),
    service: serviceFromValue(from.service),
    answered: number(from.answered, 'answered'),
    refused: number(from.refused, 'refused'),
    failed: number(from.failed, 'failed'),
  };
}

function serviceFromValue(value: unknown): IncidentService {
  const { direction, namespace, address, port, process } = record(value, 'service');
  return {
    direction: word(direction, ['inbound', 'outbound'] as const, 'direction'),
    namespace: text(namespace, 'namespace'),
    ...(address === undefined ? {} : { address: text(address, 'address') }),
    ...(port === undefined ? {} : { port: number(port, 'port') }),
    ...(process === undefined ? {} : { process: text(process, 'process') }),
  };
}

function changeFromValue(value: unknown): IncidentChange {
  const change = record(value, 'changes');
  return { atNs: moment(change.at, 'at'), text: text(change.text, 'text') };
}

function repairFromValue(value: unknown): IncidentRepair {
  const repair = record(value, 'repairs');
  return {
    atNs: moment(repair.at, 'at'),
    remedyId: text(repair.remedyId, 'remedyId'),
    title: text(repair.title, 'title'),
    by: word(repair.by, ['policy', 'person'] as const, 'by'),
    outcome: text(repair.outcome, 'outcome') as IncidentRepair['outcome'],
    statement: text(repair.statement, 'statement'),
    ...(repair.journalId === undefined ? {} : { journalId: text(repair.journalId, 'journalId') }),
  };
}

function record(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${what} is no object`);
  return value as Readonly<Record<string, unknown>>;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function number(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new Error(`${what} is no number`);
  return value;
}

function text(value: unknown, what: string): string {
  if (typeof value !== 'string') throw new Error(`${what} is no text`);
  return value;
}

function word<T extends string>(value: unknown, words: readonly T[], what: string): T {
  if (!words.includes(value as T)) throw new Error(`${what} is none of ${words.join(', ')}`);
  return value as T;
}

function moment(value: unknown, what: string): bigint {
  const ns = typeof value === 'string' ? parseTimestamp(value) : undefined;
  if (ns === undefined) throw new Error(`${what} is no time`);
  return ns;
}
