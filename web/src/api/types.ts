import type { HandshakeCounts, Incident, IncidentRepair, ListenerHealth } from '../../../src/model/incident.ts';
import type { HistoryState, TimelineStep } from '../../../src/service/history/history-store.ts';
import type { RepairPlan } from '../../../src/service/http/repairer.ts';
import type { SynFate, WatchStatus } from '../../../src/service/watch/view.ts';

/** The name under which a value travels: moments of nanoseconds become RFC 3339 texts named `at` or `...At`. */
type WireKey<K, V> = V extends bigint ? (K extends 'atNs' ? 'at' : K extends `${infer Name}Ns` ? `${Name}At` : K) : K;

/** A value of the service as docs/api.md spells it. */
type Wire<T> = T extends bigint
  ? string
  : T extends readonly (infer Element)[]
    ? readonly Wire<Element>[]
    : T extends object
      ? { readonly [K in keyof T as WireKey<K, NonNullable<T[K]>>]: Wire<T[K]> }
      : T;

/** How the watch is, what this connection may do, and how its history is. */
export interface Status extends Wire<WatchStatus> {
  readonly history?: Omit<Wire<HistoryState>, 'notes'> & { readonly notes?: HistoryState['notes'] };
  readonly session?: { readonly loginConfigured: boolean; readonly loggedIn: boolean; readonly mayRepair: boolean };
  readonly repair?: boolean;
}

/** An incident as lists and events have it. */
export interface IncidentRow extends Omit<Wire<Incident>, 'samples'> {
  readonly sampleCount: number;
}

/** An incident with the diagnoses of its samples, which `toDiagnosis` reads. */
export interface IncidentPage extends IncidentRow {
  readonly samples: readonly unknown[];
}

export type Service = Incident['service'];
export type Listener = Wire<ListenerHealth>;
export type Fate = Wire<SynFate>;
export type Counts = Wire<HandshakeCounts>;
export type Step = Wire<TimelineStep>;
export type Repair = Wire<IncidentRepair>;

/** What a repair would do, and the token that lets it be done. */
export interface Preview {
  readonly plan: Omit<RepairPlan, 'planId'>;
  readonly confirm?: { readonly token: string; readonly expiresAt: string };
}

/** Counts over time. */
export interface Timeline {
  readonly from: string;
  readonly to: string;
  readonly stepMs: number;
  readonly steps: readonly Step[];
}

/** One row of the catalogue. */
export interface CauseRow {
  readonly id: string;
  readonly title: string;
  readonly place: string;
  readonly step: string;
  readonly stepTitle: string;
  readonly sides: readonly string[];
}

/** A cause in full. */
export interface CausePage extends CauseRow {
  /** Markdown: paragraphs, lists, code, bold and emphasis. */
  readonly explanation: string;
  readonly confusedWith: readonly { readonly id: string; readonly title?: string; readonly toldApartBy: string }[];
  readonly remedies?: readonly {
    readonly id: string;
    readonly title: string;
    readonly risk: string;
    readonly auto: string;
    readonly commands: readonly string[];
  }[];
  readonly references: readonly string[];
}

/** What a search found. */
export interface SearchResult {
  readonly incidents: readonly IncidentRow[];
  readonly causes: readonly { readonly id: string; readonly title: string }[];
  readonly words: readonly {
    readonly word: string;
    readonly kind: string;
    readonly title: string;
    readonly meaning: string;
  }[];
}
