import type { NotSeen } from '../../model/diagnosis.ts';
import type { HandshakeCounts, Incident, IncidentService } from '../../model/incident.ts';

/** Which incidents are asked for. */
export interface IncidentQuery {
  /** Last seen at or after. */
  readonly sinceNs?: bigint;
  /** First seen at or before. */
  readonly untilNs?: bigint;
  readonly state?: Incident['state'];
  readonly kind?: Incident['kind'];
  readonly causeId?: string;
  readonly port?: number;
  /** Words that sentence, cause, service or client networks contain. */
  readonly text?: string;
  /** Newest first; 100 unless given. */
  readonly limit?: number;
  readonly offset?: number;
  /** False leaves the samples out: they are most of an incident, and lists do not show them. */
  readonly samples?: false;
}

/** Counts of all services together in one step of the time line. */
export interface TimelineStep {
  readonly atNs: bigint;
  readonly answered: number;
  readonly refused: number;
  readonly failed: number;
}

/** Form of an export. */
export type ExportFormat = 'jsonl' | 'csv' | 'parquet';

/** How a history is. */
export interface HistoryState {
  readonly kind: 'duckdb' | 'memory';
  /** Of the file. */
  readonly path?: string;
  readonly bytes?: number;
  /** What happened at the start, for example that a damaged file was moved aside. */
  readonly notes: readonly NotSeen[];
  /** Why nothing can be written at the moment; the store tries again by itself, and keeps meanwhile what it can. */
  readonly trouble?: NotSeen;
}

/**
 * Where a watch keeps what it saw. What a promise of `saveIncident` or `addCounts` acknowledged survives the death of the process. Both
 * reject with a `HistoryError` while nothing can be written; the store then keeps what it was given, up to a bound, and writes it when
 * it can again: the caller need not come back.
 */
export interface HistoryStore {
  /** Adds an incident, or replaces the one with its id. */
  saveIncident(incident: Incident): Promise<void>;
  addCounts(counts: readonly HandshakeCounts[]): Promise<void>;
  incident(id: number): Promise<Incident | undefined>;
  incidents(query: IncidentQuery): Promise<readonly Incident[]>;
  /** The largest id that was given; 0 when none was. */
  lastIncidentId(): Promise<number>;
  /** Every step, also empty ones. Of `service`, what is given must be equal. */
  timeline(
    fromNs: bigint,
    toNs: bigint,
    stepMs: number,
    service?: Partial<IncidentService>,
  ): Promise<readonly TimelineStep[]>;
  /** Writes everything that matches to a file. */
  export(format: ExportFormat, query: IncidentQuery, path: string): Promise<void>;
  /** Removes what is older or too much; says what went. */
  retain(limits: { readonly maxAgeMs: number; readonly maxBytes: number }): Promise<{ readonly incidents: number }>;
  state(): HistoryState;
  close(): Promise<void>;
}
