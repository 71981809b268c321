import type { Incident, IncidentService } from '../../model/incident.ts';
import { exportIncidents } from './export-incidents.ts';
import type { ExportFormat, HistoryStore, IncidentQuery, TimelineStep } from './history-store.ts';
import { DEFAULT_LIMIT } from './incident-query.ts';
import type { JournalEntry } from './journal-format.ts';
import type { MemoryStore } from './memory-store.ts';
import { addToStep, fillSteps, type StepCounts } from './timeline.ts';

/** What can be asked of a history. */
export type HistoryReader = Pick<HistoryStore, 'incident' | 'incidents' | 'lastIncidentId' | 'timeline' | 'export'>;

/** A history with what is newer than it, and not in it yet. */
export class OverlayStore implements HistoryReader {
  readonly #base: HistoryReader;
  readonly #newer: MemoryStore;
  /** Incidents of the overlay whose samples are those of the base. */
  readonly #samplesInBase: ReadonlySet<number>;

  constructor(base: HistoryReader, newer: MemoryStore, samplesInBase: ReadonlySet<number> = new Set()) {
    this.#base = base;
    this.#newer = newer;
    this.#samplesInBase = samplesInBase;
  }

  async incident(id: number): Promise<Incident | undefined> {
    const newer = await this.#newer.incident(id);
    if (newer !== undefined && !this.#samplesInBase.has(id)) return newer;
    const older = await this.#base.incident(id);
    return newer === undefined ? older : { ...newer, samples: older?.samples ?? [] };
  }

  async incidents(query: IncidentQuery): Promise<readonly Incident[]> {
    const { limit = DEFAULT_LIMIT, offset = 0 } = query;
    const changed = new Set(
      (await this.#newer.incidents({ limit: Number.POSITIVE_INFINITY, samples: false })).map(({ id }) => id),
    );
    const newer = await this.#newer.incidents({ ...query, offset: 0, limit: Number.POSITIVE_INFINITY });
    const older = await this.#base.incidents({ ...query, offset: 0, limit: offset + limit + changed.size });
    const page = [...newer, ...older.filter(({ id }) => !changed.has(id))]
      .sort((a, b) => b.id - a.id)
      .slice(offset, offset + limit);
    if (query.samples === false) return page;
    return await Promise.all(
      page.map(async (incident) =>
        this.#samplesInBase.has(incident.id) ? ((await this.incident(incident.id)) ?? incident) : incident,
      ),
    );
  }

  async lastIncidentId(): Promise<number> {
    return Math.max(await this.#base.lastIncidentId(), await this.#newer.lastIncidentId());
  }

  async timeline(
    fromNs: bigint,
    toNs: bigint,
    stepMs: number,
    service?: Partial<IncidentService>,
  ): Promise<readonly TimelineStep[]> {
    const steps = new Map<bigint, StepCounts>();
    for (const source of [this.#base, this.#newer]) {
      for (const step of await source.timeline(fromNs, toNs, stepMs, service)) addToStep(steps, step.atNs, step);
    }
    return fillSteps(steps, fromNs, toNs, stepMs);
  }

  export(format: ExportFormat, query: IncidentQuery, path: string): Promise<void> {
    return exportIncidents(this, format, query, path);
  }
}

/** Puts the entries of a journal over a history that does not hold them. */
export async function overlayEntries(
  base: HistoryReader,
  newer: MemoryStore,
  entries: Iterable<JournalEntry>,
): Promise<OverlayStore> {
  const samplesInBase = new Set<number>();
  for (const entry of entries) {
    if ('counts' in entry) {
      await newer.addCounts(entry.counts);
      continue;
    }
    const { incident, samplesKept } = entry;
    const before = await newer.incident(incident.id);
    if (samplesKept && before === undefined) samplesInBase.add(incident.id);
    if (!samplesKept) samplesInBase.delete(incident.id);
    await newer.saveIncident(samplesKept && before ? { ...incident, samples: before.samples } : incident);
  }
  return new OverlayStore(base, newer, samplesInBase);
}
