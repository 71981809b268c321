import type { Diagnosis } from '../../model/diagnosis.ts';
import type { Outcome } from '../../model/handshake.ts';
import type { Incident, IncidentChange, IncidentRepair, IncidentService } from '../../model/incident.ts';
import { diagnosisValue } from '../../report/json-values.ts';
import { ClientNetworks } from './client-networks.ts';
import { wallNs } from './wall-clock.ts';

/** How attempts of one incident ended, coarsely: what is the same trouble in spite of small differences. */
export type OutcomeClass = 'silence' | 'refusal' | 'unreachable' | 'half-open';

const MAX_REPAIRS = 50;

/** What an incident begins with. */
export interface IncidentStart {
  readonly id: number;
  readonly kind: Incident['kind'];
  readonly service: IncidentService;
  readonly cause: Incident['cause'];
  readonly sentence: string;
  readonly outcome?: Outcome | undefined;
  readonly outcomeClass?: OutcomeClass | undefined;
  readonly firstNs: bigint;
  readonly changes: readonly IncidentChange[];
  /** Tells a warning or noise from others of its kind. */
  readonly mark?: string | undefined;
}

/** An incident that is not closed: what grows while it lasts. */
export class OpenIncident {
  readonly id: number;
  readonly kind: Incident['kind'];
  readonly service: IncidentService;
  readonly outcomeClass: OutcomeClass | undefined;
  readonly mark: string | undefined;
  readonly firstNs: bigint;
  readonly changes: readonly IncidentChange[];
  cause: Incident['cause'];
  sentence: string;
  lastNs: bigint;
  attempts = 0;
  networks: ClientNetworks = new ClientNetworks();
  /** Attempts of the same service that were answered since the last failure. */
  answeredSince = 0;
  /** When it was diagnosed last, and how often. */
  diagnosedMs: number = Date.now();
  diagnoses = 0;
  /** Repairs that are being made: it is not closed before they are told. */
  repairing = 0;
  isDirty = true;
  private readonly outcome: Outcome | undefined;
  private samples: unknown[] = [];
  private repairs: readonly IncidentRepair[] = [];

  constructor(start: IncidentStart) {
    this.id = start.id;
    this.kind = start.kind;
    this.service = start.service;
    this.cause = start.cause;
    this.sentence = start.sentence;
    this.outcome = start.outcome;
    this.outcomeClass = start.outcomeClass;
    this.mark = start.mark;
    this.firstNs = start.firstNs;
    this.lastNs = start.firstNs;
    this.changes = start.changes;
  }

  /** Goes on with an incident that a watch before this one had opened. */
  static resume(incident: Incident): OpenIncident {
    const open = new OpenIncident({
      ...incident,
      outcomeClass: incident.outcome === undefined ? undefined : outcomeClass(incident.outcome),
      mark: incident.kind === 'failure' ? undefined : incident.cause?.id,
    });
    open.lastNs = incident.lastNs;
    open.attempts = incident.attempts;
    open.networks = new ClientNetworks(incident.clientNetworks, incident.clients);
    open.samples = [...incident.samples];
    open.repairs = incident.repairs;
    // It was diagnosed long ago: the next failure is looked at anew.
    open.diagnosedMs = 0;
    open.isDirty = false;
    return open;
  }

  /** Counts a failed attempt. @returns whether its client is of a network that was not seen before. */
  count(client: string, atNs: bigint, weight: number): boolean {
    this.attempts += weight;
    if (atNs > this.lastNs) this.lastNs = atNs;
    this.answeredSince = 0;
    this.isDirty = true;
    return this.networks.add(client);
  }

  /** Takes another diagnosis of the same cause; the clearest stays first. */
  addSample(diagnosis: Diagnosis, limit: number): void {
    this.diagnosedMs = Date.now();
    this.diagnoses++;
    const value = diagnosisValue(diagnosis);
    if (this.samples.length < limit) this.samples.push(value);
    else this.samples[this.samples.length - 1] = value;
    if (clarity(diagnosis) > clarityOf(this.cause) || this.diagnoses === 1) {
      this.samples = [value, ...this.samples.filter((one) => one !== value)];
      if (diagnosis.cause !== null) this.cause = causeOf(diagnosis);
      this.sentence = diagnosis.sentence;
    }
    this.isDirty = true;
  }

  /** Replaces the sample of an attempt by one that shows all its packets. */
  completeSample(isSame: (sample: unknown) => boolean, complete: (sample: unknown) => unknown): void {
    this.samples = this.samples.map((sample) => (isSame(sample) ? complete(sample) : sample));
    this.isDirty = true;
  }

  addRepairs(repairs: readonly IncidentRepair[]): void {
    if (repairs.length === 0) return;
    this.repairs = [...this.repairs, ...repairs].slice(-MAX_REPAIRS);
    this.isDirty = true;
  }

  /** The incident as it stands. */
  incident(networks: number): Incident {
    return {
      id: this.id,
      state: 'open',
      kind: this.kind,
      service: this.service,
      cause: this.cause,
      sentence: this.sentence,
      ...(this.outcome === undefined ? {} : { outcome: this.outcome }),
      firstNs: this.firstNs,
      lastNs: this.lastNs,
      attempts: this.attempts,
      clientNetworks: this.networks.top(networks),
      clients: this.networks.clients,
      samples: this.samples,
      changes: this.changes,
      repairs: this.repairs,
    };
  }

  /** The incident, closed now. */
  closed(networks: number, because: string): Incident {
    return { ...this.incident(networks), state: 'closed', closedNs: wallNs(), closedBecause: because };
  }
}

/** The cause as an incident names it. */
export function causeOf({ cause }: Diagnosis): Incident['cause'] {
  return cause && { id: cause.id, status: cause.status, title: cause.title };
}

/** What an outcome counts as. */
function outcomeClass(outcome: Outcome): OutcomeClass {
  if (outcome === 'refused') return 'refusal';
  if (outcome === 'unreachable') return 'unreachable';
  return outcome === 'half-open' ? 'half-open' : 'silence';
}

function clarity({ cause }: Diagnosis): number {
  return cause === null ? 0 : clarityOf(cause);
}

function clarityOf(cause: { readonly status: string } | null): number {
  return cause === null ? -1 : ['possible', 'likely', 'confirmed'].indexOf(cause.status) + 1;
}
