import type { HandshakeCounts, ListenerHealth } from '../../model/incident.ts';
import { formatTimestamp } from '../../report/format.ts';
import type { JsonValue } from '../../report/json-values.ts';
import type { HistoryState, TimelineStep } from '../history/history-store.ts';
import { countsValue, serviceValue } from '../history/incident-json.ts';
import type { SynFate, WatchStatus } from '../watch/view.ts';
import type { RepairPlan } from './repairer.ts';

/** How a watch is, as `docs/api.md` spells it. */
export function statusValue(status: WatchStatus): { readonly [key: string]: JsonValue } {
  return {
    version: status.version,
    hostname: status.hostname,
    startedAt: formatTimestamp(status.startedNs),
    nowAt: formatTimestamp(status.nowNs),
    namespaces: status.namespaces,
    notSeen: status.notSeen.map(({ reason, hint }) => ({ reason, hint })),
    capture: { ...status.capture },
    totals: { ...status.totals },
    openIncidents: status.openIncidents,
  };
}

/** How a history is; its path is the business of this host alone. */
export function historyValue({ kind, path, bytes, notes, trouble }: HistoryState): JsonValue {
  return {
    kind,
    path,
    bytes,
    notes: notes.map(({ reason, hint }) => ({ reason, hint })),
    trouble: trouble && { reason: trouble.reason, hint: trouble.hint },
  };
}

/** How a listener is. */
export function listenerValue(listener: ListenerHealth): JsonValue {
  const { service, acceptQueue, synQueue, drops, lastMinute, openIncidents } = listener;
  return {
    service: serviceValue(service),
    acceptQueue: { waiting: acceptQueue.waiting, limit: acceptQueue.limit },
    synQueue,
    drops,
    lastMinute: { ...lastMinute },
    openIncidents,
  };
}

/** One step of a time line. */
export function stepValue({ atNs, answered, refused, failed }: TimelineStep): JsonValue {
  return { at: formatTimestamp(atNs), answered, refused, failed };
}

/** What became of one SYN. */
export function fateValue({ atNs, service, client, fate, causeId, incidentId }: SynFate): JsonValue {
  return { at: formatTimestamp(atNs), service: serviceValue(service), client, fate, causeId, incidentId };
}

/** Counts of an interval. */
export function countsValues(counts: readonly HandshakeCounts[]): JsonValue {
  return counts.map(countsValue);
}

/** A plan as a person is to see it. */
export function planValue(plan: RepairPlan): JsonValue {
  const { incidentId, remedyId, title, risk, steps, verification, refused } = plan;
  return {
    incidentId,
    remedyId,
    title,
    risk,
    steps: steps.map(({ text, commands, undo }) => ({ text, commands, undo })),
    verification,
    refused,
  };
}
