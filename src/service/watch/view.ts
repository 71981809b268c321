import type { NotSeen } from '../../model/diagnosis.ts';
import type { HandshakeCounts, Incident, IncidentService, ListenerHealth } from '../../model/incident.ts';

/** What became of one SYN, for the live view. */
export interface SynFate {
  readonly atNs: bigint;
  readonly service: IncidentService;
  readonly client: string;
  readonly fate: 'answered' | 'refused' | 'failed';
  readonly causeId?: string;
  readonly incidentId?: number;
}

/** How the watch itself is. */
export interface WatchStatus {
  readonly version: string;
  readonly hostname: string;
  readonly startedNs: bigint;
  readonly nowNs: bigint;
  readonly namespaces: readonly string[];
  /** What cannot be seen, and what would help. */
  readonly notSeen: readonly NotSeen[];
  /** Packets that were lost, packets taken, attempts open now; namespaces of which packets are captured. */
  readonly capture: {
    readonly taken: number;
    readonly lost: number;
    readonly openAttempts: number;
    readonly capturing?: number;
  };
  /** Since the start. */
  readonly totals: { readonly answered: number; readonly refused: number; readonly failed: number };
  readonly openIncidents: number;
}

/** What happens while a watch runs, as it happens. */
export type WatchEvent =
  | { readonly type: 'incident'; readonly incident: Incident }
  | { readonly type: 'fate'; readonly fate: SynFate }
  | { readonly type: 'counts'; readonly counts: readonly HandshakeCounts[] }
  | { readonly type: 'listeners'; readonly listeners: readonly ListenerHealth[] };

/** What the page, the metrics and the alerts see of a running watch. */
export interface WatchView {
  status(): WatchStatus;
  listeners(): readonly ListenerHealth[];
  /** Incidents that are open now, newest first. */
  openIncidents(): readonly Incident[];
  /** Calls back with each event until the returned function is called; fates come at a bounded rate. */
  subscribe(listener: (event: WatchEvent) => void): () => void;
}
