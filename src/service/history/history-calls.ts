import type { Incident, IncidentService } from '../../model/incident.ts';
import type { HistoryProblem } from './history-error.ts';
import type { ExportFormat, HistoryState, IncidentQuery, TimelineStep } from './history-store.ts';

/** What the process of the database is asked. */
export type HistoryCall =
  | { readonly method: 'absorb' }
  | { readonly method: 'incident'; readonly id: number }
  | { readonly method: 'incidents'; readonly query: IncidentQuery }
  | { readonly method: 'lastIncidentId' }
  | {
      readonly method: 'timeline';
      readonly fromNs: bigint;
      readonly toNs: bigint;
      readonly stepMs: number;
      readonly service?: Partial<IncidentService> | undefined;
    }
  | { readonly method: 'export'; readonly format: ExportFormat; readonly query: IncidentQuery; readonly path: string }
  | { readonly method: 'retain'; readonly maxAgeMs: number; readonly maxBytes: number };

/** What each call gives. */
export interface HistoryResults {
  readonly absorb: undefined;
  readonly incident: Incident | undefined;
  readonly incidents: readonly Incident[];
  readonly lastIncidentId: number;
  readonly timeline: readonly TimelineStep[];
  readonly export: undefined;
  readonly retain: { readonly incidents: number };
}

/** A call, with the segments of the journal that are to be taken over first. */
export interface HistoryRequest {
  readonly id: number;
  readonly call: HistoryCall;
  readonly segments: readonly { readonly id: string; readonly path: string }[];
}

/** The answer to a call. */
export interface HistoryReply {
  readonly id: number;
  /** Segments that are in the database now. */
  readonly absorbed: readonly string[];
  readonly state: HistoryState;
  readonly result?: HistoryResults[keyof HistoryResults];
  readonly error?: { readonly problem: HistoryProblem; readonly message: string; readonly hint?: string | undefined };
}
