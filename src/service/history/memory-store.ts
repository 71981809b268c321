import type { NotSeen } from '../../model/diagnosis.ts';
import type { HandshakeCounts, Incident, IncidentService } from '../../model/incident.ts';
import { exportIncidents } from './export-incidents.ts';
import type { ExportFormat, HistoryState, HistoryStore, IncidentQuery, TimelineStep } from './history-store.ts';
import { DEFAULT_LIMIT, matchesQuery, matchesService } from './incident-query.ts';
import { addToStep, fillSteps, type StepCounts, stepOf } from './timeline.ts';

/** More incidents than this are not kept: the oldest that are closed go first. */
const MAX_INCIDENTS = 2000;
/** More rows of counts than this are not kept. */
const MAX_COUNTS = 50_000;

/** A history that ends with the process: for `--no-history`, and for what a disk cannot take at the moment. */
export class MemoryStore implements HistoryStore {
  private readonly byId: Map<number, Incident> = new Map();
  private counts: HandshakeCounts[] = [];
  private lastId = 0;
  private readonly trouble: NotSeen | undefined;

  /** @param trouble why nothing is kept on disk, where that was wanted. */
  constructor(trouble?: NotSeen) {
    this.trouble = trouble;
  }

  saveIncident(incident: Incident): Promise<void> {
    this.byId.set(incident.id, incident);
    this.lastId = Math.max(this.lastId, incident.id);
    if (this.byId.size > MAX_INCIDENTS) this.byId.delete(this.leastWorthKeeping());
    return Promise.resolve();
  }

  addCounts(counts: readonly HandshakeCounts[]): Promise<void> {
    for (const entry of counts) this.counts.push(entry);
    if (this.counts.length > MAX_COUNTS) this.counts = this.counts.slice(-MAX_COUNTS * 0.9);
    return Promise.resolve();
  }

  incident(id: number): Promise<Incident | undefined> {
    return Promise.resolve(this.byId.get(id));
  }

  incidents(query: IncidentQuery): Promise<readonly Incident[]> {
    const { limit = DEFAULT_LIMIT, offset = 0 } = query;
    const found = [...this.byId.values()].filter((incident) => matchesQuery(incident, query));
    const page = found.sort((a, b) => b.id - a.id).slice(offset, offset + limit);
    return Promise.resolve(query.samples === false ? page.map((incident) => ({ ...incident, samples: [] })) : page);
  }

  lastIncidentId(): Promise<number> {
    return Promise.resolve(this.lastId);
  }

  timeline(
    fromNs: bigint,
    toNs: bigint,
    stepMs: number,
    service?: Partial<IncidentService>,
  ): Promise<readonly TimelineStep[]> {
    const steps = new Map<bigint, StepCounts>();
    for (const entry of this.counts) {
      if (entry.atNs < fromNs || entry.atNs >= toNs || !matchesService(entry.service, service)) continue;
      addToStep(steps, stepOf(entry.atNs, stepMs), entry);
    }
    return Promise.resolve(fillSteps(steps, fromNs, toNs, stepMs));
  }

  export(format: ExportFormat, query: IncidentQuery, path: string): Promise<void> {
    return exportIncidents(this, format, query, path);
  }

  retain({ maxAgeMs }: { readonly maxAgeMs: number }): Promise<{ readonly incidents: number }> {
    const oldestNs = BigInt(Date.now() - maxAgeMs) * 1_000_000n;
    const old = [...this.byId.values()].filter(({ state, lastNs }) => state === 'closed' && lastNs < oldestNs);
    for (const { id } of old) this.byId.delete(id);
    this.counts = this.counts.filter(({ atNs }) => atNs >= oldestNs);
    return Promise.resolve({ incidents: old.length });
  }

  state(): HistoryState {
    return { kind: 'memory', notes: [], ...(this.trouble === undefined ? {} : { trouble: this.trouble }) };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Takes everything out. */
  drain(): { readonly incidents: readonly Incident[]; readonly counts: readonly HandshakeCounts[] } {
    const drained = { incidents: [...this.byId.values()], counts: this.counts };
    this.byId.clear();
    this.counts = [];
    return drained;
  }

  /** Whether there is nothing in it. */
  get isEmpty(): boolean {
    return this.byId.size === 0 && this.counts.length === 0;
  }

  private leastWorthKeeping(): number {
    let worst: Incident | undefined;
    for (const incident of this.byId.values()) {
      if (worst === undefined || rank(incident) < rank(worst)) worst = incident;
    }
    return worst?.id ?? 0;
  }
}

/** Open incidents are worth more than any closed one; among the same, newer ones. */
function rank({ state, id }: Incident): number {
  return state === 'open' ? id + Number.MAX_SAFE_INTEGER / 2 : id;
}
