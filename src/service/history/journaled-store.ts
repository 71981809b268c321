import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import type { NotSeen } from '../../model/diagnosis.ts';
import type { HandshakeCounts, Incident, IncidentService } from '../../model/incident.ts';
import type { HistoryCall, HistoryResults } from './history-calls.ts';
import { type HistoryError, historyError, troubleOf } from './history-error.ts';
import { HistoryProcess } from './history-process.ts';
import type { ExportFormat, HistoryState, HistoryStore, IncidentQuery, TimelineStep } from './history-store.ts';
import { samplesText } from './incident-json.ts';
import { Journal } from './journal.ts';
import { entryLine, type JournalEntry } from './journal-format.ts';
import { MemoryStore } from './memory-store.ts';
import { type HistoryReader, OverlayStore } from './overlay-store.ts';

/** The database takes over the journal when it is so large, or so old. */
const ABSORB_BYTES = 4_194_304;
const ABSORB_EVERY_MS = 3_600_000;
/** While the database cannot take it over, the journal may fill what the retention leaves for both, and so much in any case. */
const LEAST_JOURNAL_BYTES = 8 * ABSORB_BYTES;
const DEFAULT_MAX_BYTES = 1_000_000_000;
/** While the disk takes nothing, it is tried again after so long. */
const RETRY_MS = 5000;
/** Samples of so many incidents are remembered as written. */
const KNOWN_SAMPLES = 512;

interface Pending {
  readonly entry: JournalEntry;
  resolve(): void;
  reject(error: Error): void;
}

/**
 * A history that costs next to nothing while nobody asks: what is seen goes to a journal, and a process that runs only when it is needed takes
 * it over into a DuckDB file and answers questions. While the disk takes nothing, what is seen is kept in memory, up to a bound.
 */
export class JournaledStore implements HistoryStore {
  readonly #path: string;
  readonly #journal: Journal;
  readonly #database: HistoryProcess;
  readonly #onClose: () => void;
  readonly #unwritten: MemoryStore = new MemoryStore();
  readonly #samples: Map<number, string> = new Map();
  readonly #absorbing: NodeJS.Timeout;
  #pending: Pending[] = [];
  #flushing: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;
  #lastId = 0;
  #maxBytes: number = DEFAULT_MAX_BYTES;
  #shrunk: NotSeen | undefined;
  #writeTrouble: HistoryError | undefined;
  #databaseState: HistoryState | undefined;
  #closed = false;

  constructor(folder: string, path: string, onClose: () => void) {
    this.#path = path;
    this.#journal = new Journal(folder);
    this.#database = new HistoryProcess(path);
    this.#onClose = onClose;
    this.#absorbing = setInterval(() => this.#absorb(), ABSORB_EVERY_MS).unref();
  }

  saveIncident(incident: Incident): Promise<void> {
    this.#lastId = Math.max(this.#lastId, incident.id);
    return this.#append({ incident });
  }

  addCounts(counts: readonly HandshakeCounts[]): Promise<void> {
    return counts.length === 0 ? Promise.resolve() : this.#append({ counts });
  }

  async incident(id: number): Promise<Incident | undefined> {
    return await this.#reader().incident(id);
  }

  async incidents(query: IncidentQuery): Promise<readonly Incident[]> {
    return await this.#reader().incidents(query);
  }

  async lastIncidentId(): Promise<number> {
    this.#lastId = Math.max(this.#lastId, await this.#ask({ method: 'lastIncidentId' }));
    return this.#lastId;
  }

  async timeline(
    fromNs: bigint,
    toNs: bigint,
    stepMs: number,
    service?: Partial<IncidentService>,
  ): Promise<readonly TimelineStep[]> {
    return await this.#reader().timeline(fromNs, toNs, stepMs, service);
  }

  async export(format: ExportFormat, query: IncidentQuery, path: string): Promise<void> {
    await this.#reader().export(format, query, path);
  }

  retain(limits: { readonly maxAgeMs: number; readonly maxBytes: number }): Promise<{ readonly incidents: number }> {
    this.#maxBytes = limits.maxBytes;
    return this.#ask({ method: 'retain', ...limits });
  }

  state(): HistoryState {
    const trouble: NotSeen | undefined =
      this.#writeTrouble === undefined ? this.#databaseState?.trouble : troubleOf(this.#writeTrouble);
    return {
      kind: 'duckdb',
      path: this.#path,
      bytes: this.#databaseBytes() + this.#journal.bytes(),
      notes: [...(this.#databaseState?.notes ?? []), ...(this.#shrunk === undefined ? [] : [this.#shrunk])],
      ...(trouble === undefined ? {} : { trouble }),
    };
  }

  /** Writes what is left and lets the database take it over. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#absorbing);
    clearTimeout(this.#retry);
    await this.#flush();
    if (!this.#unwritten.isEmpty) await this.#tryAgain();
    clearTimeout(this.#retry);
    // What the database cannot take now is in the journal, and taken over by the next watch.
    await this.#ask({ method: 'absorb' }).catch(() => undefined);
    await this.#journal.seal();
    await this.#database.close();
    this.#onClose();
  }

  #append(entry: JournalEntry): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      this.#pending.push({ entry, resolve, reject });
      void this.#flush();
    });
  }

  #flush(): Promise<void> {
    if (this.#pending.length > 0) this.#flushing ??= this.#flushAll();
    return this.#flushing ?? Promise.resolve();
  }

  async #flushAll(): Promise<void> {
    while (this.#pending.length > 0) {
      const batch = this.#pending;
      this.#pending = [];
      // While the disk is known to take nothing, only the retry tries again.
      const failure = this.#writeTrouble ?? (await this.#write(batch.map(({ entry }) => entry)));
      for (const { entry, resolve, reject } of batch) {
        if (failure === undefined) resolve();
        else {
          await this.#keep(entry);
          reject(failure);
        }
      }
    }
    // In the same step as the look at what is pending: what comes next starts anew.
    this.#flushing = undefined;
    if (this.#journal.currentBytes > ABSORB_BYTES) this.#absorb();
  }

  async #keep(entry: JournalEntry): Promise<void> {
    await ('counts' in entry ? this.#unwritten.addCounts(entry.counts) : this.#unwritten.saveIncident(entry.incident));
  }

  /** Writes entries in one go: of several states of an incident only the last. */
  async #write(entries: readonly JournalEntry[]): Promise<HistoryError | undefined> {
    const latest = new Map<number, Incident>();
    for (const entry of entries) if ('incident' in entry) latest.set(entry.incident.id, entry.incident);
    const counts = entries.flatMap((entry) => ('counts' in entry ? entry.counts : []));
    const written = new Map<number, string>();
    const lines = [...latest.values()].map((incident) => {
      const digest = createHash('sha256').update(samplesText(incident.samples)).digest('base64');
      written.set(incident.id, digest);
      return entryLine(this.#samples.get(incident.id) === digest ? { incident, samplesKept: true } : { incident });
    });
    if (counts.length > 0) lines.push(entryLine({ counts }));
    if (lines.length === 0) return undefined;
    try {
      await this.#journal.append(lines.join(''), this.#lastId);
    } catch (error) {
      this.#writeTrouble = historyError(error, this.#path);
      this.#retry = setTimeout(() => void this.#tryAgain(), RETRY_MS).unref();
      return this.#writeTrouble;
    }
    for (const [id, digest] of written) {
      this.#samples.delete(id);
      this.#samples.set(id, digest);
    }
    for (const id of this.#samples.keys()) {
      if (this.#samples.size <= KNOWN_SAMPLES) break;
      this.#samples.delete(id);
    }
    return undefined;
  }

  async #tryAgain(): Promise<void> {
    await this.#flushing;
    const { incidents, counts } = this.#unwritten.drain();
    const failure = await this.#write([...incidents.map((incident) => ({ incident })), { counts }]);
    if (failure === undefined) {
      this.#writeTrouble = undefined;
      return;
    }
    // What came meanwhile is newer.
    const newer = this.#unwritten.drain();
    for (const incident of [...incidents, ...newer.incidents]) await this.#unwritten.saveIncident(incident);
    await this.#unwritten.addCounts([...counts, ...newer.counts]);
  }

  #absorb(): void {
    // What is wrong stands in the state.
    this.#ask({ method: 'absorb' }).catch(() => undefined);
  }

  #reader(): HistoryReader {
    const base: HistoryReader = {
      incident: (id: number) => this.#ask({ method: 'incident', id }),
      incidents: (query: IncidentQuery) => this.#ask({ method: 'incidents', query }),
      lastIncidentId: () => this.#ask({ method: 'lastIncidentId' }),
      timeline: (fromNs: bigint, toNs: bigint, stepMs: number, service?: Partial<IncidentService>) =>
        this.#ask({ method: 'timeline', fromNs, toNs, stepMs, service }),
      export: (format: ExportFormat, query: IncidentQuery, path: string) =>
        this.#ask({ method: 'export', format, query, path }),
    };
    return this.#unwritten.isEmpty ? base : new OverlayStore(base, this.#unwritten);
  }

  async #ask<C extends HistoryCall>(call: C): Promise<HistoryResults[C['method']]> {
    await this.#flush();
    await this.#journal.seal();
    try {
      const answer = await this.#database.call(call, this.#journal.sealed(), (ids) => {
        for (const id of ids) this.#journal.remove(id);
      });
      // A new file was begun in place of a damaged one: it has no samples.
      if (answer.state.notes.length !== (this.#databaseState?.notes.length ?? 0)) this.#samples.clear();
      this.#databaseState = answer.state;
      return answer.result;
    } catch (error) {
      const problem = historyError(error, this.#path);
      const { trouble: _, ...state } = this.#databaseState ?? { kind: 'duckdb', path: this.#path, notes: [] };
      this.#databaseState = { ...state, trouble: troubleOf(problem) };
      this.#shrink();
      throw problem;
    }
  }

  /** What nobody takes over must not fill the disk: the oldest goes, and that is said. */
  #shrink(): void {
    const room = Math.max(LEAST_JOURNAL_BYTES, this.#maxBytes - this.#databaseBytes());
    if (this.#journal.shrink(room) === 0) return;
    // Later entries may rely on samples that were in what is gone.
    this.#samples.clear();
    this.#shrunk = {
      reason: `the oldest of what was seen was removed, as the database did not take it over (latest on ${new Date().toISOString().slice(0, 16)}Z)`,
      hint: `see why ${this.#path} cannot be written`,
    };
  }

  #databaseBytes(): number {
    return statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0;
  }
}
