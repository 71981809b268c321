import type { Diagnosis } from '../../model/diagnosis.ts';
import type { IncidentChange, IncidentService } from '../../model/incident.ts';
import { type Failure, serviceOf } from './failure-desk.ts';
import type { NamespaceWatch } from './namespace-watch.ts';

/** What changed so long before the first failure is told with it. */
const CHANGES_NS = 300_000_000_000n;
const MAX_CHANGES = 12;

/** Failures with the same key are looked at together: of one service, and of one server where they go out. */
export function keyOf({ namespace, direction, handshake }: Failure): string {
  const { address, port } = handshake.server;
  return `${direction} ${port} ${direction === 'outbound' ? address : ''} ${namespace.spec}`;
}

/** Tells an attempt from any other. */
export function attemptKey({ namespace, row, mark }: Failure): string {
  return `${row} ${mark} ${namespace.spec}`;
}

/** An outbound attempt that fails because of this host fails to whomever it goes: it is one incident for all servers. */
export function incidentService(failure: Failure, { cause, place }: Diagnosis): IncidentService {
  const service = serviceOf(failure);
  if (failure.direction === 'inbound' || place !== 'client' || cause === null) return service;
  return { direction: 'outbound', namespace: service.namespace };
}

/** Whether two incidents would be of the same service; the process behind it may have changed. */
export function isSameService(a: IncidentService, b: IncidentService): boolean {
  return a.direction === b.direction && a.namespace === b.namespace && a.port === b.port && a.address === b.address;
}

/** What changed in the network shortly before a moment, for the story of an incident. */
export function changesBefore({ network }: NamespaceWatch, firstNs: bigint): IncidentChange[] {
  return network.changes
    .filter(({ atNs }) => atNs <= firstNs + 1_000_000_000n && atNs >= firstNs - CHANGES_NS)
    .slice(-MAX_CHANGES)
    .map(({ atNs, text }) => ({ atNs, text }));
}
