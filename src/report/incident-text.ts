import { formatEndpoint } from '../model/flow.ts';
import type { Incident, IncidentRepair, IncidentService } from '../model/incident.ts';
import { formatDuration, formatQuantity } from '../model/text.ts';
import { formatTimestamp } from './format.ts';

/** A service in few words: `port 443`, `192.0.2.1:443`, with its namespace unless that is the host's own. */
export function formatService({ address, port, namespace, direction }: IncidentService): string {
  if (port === undefined && address === undefined) return namespace === 'local' ? 'this host' : namespace;
  const where =
    port === undefined ? address : address === undefined ? `port ${port}` : formatEndpoint({ address, port });
  const arrow = direction === 'outbound' ? 'to ' : '';
  return namespace === 'local' ? `${arrow}${where}` : `${arrow}${where} in ${namespace}`;
}

/** A moment for people: `2026-11-20 14:03:07`, in UTC. */
export function formatMoment(atNs: bigint): string {
  return formatTimestamp(atNs).slice(0, 19).replace('T', ' ');
}

/** When and whom it was about, in sentences. */
export function incidentFacts(incident: Incident): string[] {
  const { id, state, kind, service, firstNs, lastNs, closedNs, closedBecause, attempts, clients } = incident;
  const span = lastNs - firstNs;
  const lasting = span >= 1_000_000_000n ? `, for ${formatDuration(Number(span))}` : '';
  const end =
    state === 'open'
      ? `open, last seen ${formatMoment(lastNs)}`
      : `closed ${formatMoment(closedNs ?? lastNs)}${closedBecause === undefined ? '' : ` (${closedBecause})`}`;
  const who = service.process === undefined ? '' : `${service.process}, `;
  const what = kind === 'warning' ? 'Warning' : kind === 'noise' ? 'Noise' : 'Incident';
  const networks = incident.clientNetworks.slice(0, 5).map(({ network, attempts: count }) => `${network} (${count}×)`);
  const more = incident.clientNetworks.length > networks.length ? ' and others' : '';
  return [
    `${what} ${id}: ${who}${formatService(service)}. First seen ${formatMoment(firstNs)} UTC${lasting}; ${end}.`,
    ...(attempts === 0
      ? []
      : [
          `${formatQuantity(attempts, 'attempt')} from ${formatQuantity(clients, 'client')}${networks.length === 0 ? '' : `: ${networks.join(', ')}${more}`}.`,
        ]),
  ];
}

/** When a change came, seen from the first failure: `14 s before`. */
export function changeTime(atNs: bigint, { firstNs }: Incident): string {
  const apart = Number(firstNs - atNs);
  if (Math.abs(apart) < 1e6) return 'at the same time';
  return apart > 0 ? `${formatDuration(apart)} before` : `${formatDuration(-apart)} after`;
}

/** How a repair ended, in words. */
export function repairOutcome({ outcome, by }: IncidentRepair): string {
  const words: Readonly<Record<IncidentRepair['outcome'], string>> = {
    suggested: 'suggested',
    verified: 'done, and it helped',
    'rolled-back': 'done, did not help, taken back',
    failed: 'failed',
    'dry-run': 'dry run',
    'held-back': 'held back',
  };
  return `${words[outcome]} (by ${by === 'policy' ? 'the policy' : 'a person'})`;
}
