import { statSync } from 'node:fs';
import type { DuckDBConnection, DuckDBValue } from '@duckdb/node-api';
import type { NotSeen } from '../../model/diagnosis.ts';
import type { HandshakeCounts, Incident, IncidentService } from '../../model/incident.ts';
import { moveAside, type OpenDatabase, openDatabase, openForReading } from './duckdb-open.ts';
import { retainRows } from './duckdb-retain.ts';
import { appendCounts, condition, incidentOfRow, incidentRow, SAVE_INCIDENT } from './duckdb-rows.ts';
import { exportIncidents } from './export-incidents.ts';
import { historyError, troubleOf } from './history-error.ts';
import type { ExportFormat, HistoryState, HistoryStore, IncidentQuery, TimelineStep } from './history-store.ts';
import { samplesText } from './incident-json.ts';
import { DEFAULT_LIMIT } from './incident-query.ts';
import type { JournalEntry } from './journal-format.ts';
import { addToStep, fillSteps, MAX_STEPS, type StepCounts } from './timeline.ts';

const ROWS_AT_ONCE = 50;

/** A segment that was taken over is remembered for 90 days, in case its file could not be removed. */
const ABSORBED_KEPT_NS = 90n * 86_400n * 1_000_000_000n;

/**
 * A history in one DuckDB file, which belongs to one process at a time. Each promise resolves after its transaction is in the log on
 * disk. Opens the file when it is first needed, and anew after an error that DuckDB does not survive.
 */
export class DuckDbStore implements HistoryStore {
  readonly #path: string;
  readonly #readOnly: boolean;
  readonly #notes: NotSeen[] = [];
  #open: OpenDatabase | undefined;
  #trouble: NotSeen | undefined;
  /** One statement after the other: a transaction must not mix with another. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(path: string, { readOnly = false }: { readonly readOnly?: boolean } = {}) {
    this.#path = path;
    this.#readOnly = readOnly;
  }

  saveIncident(incident: Incident): Promise<void> {
    return this.#write((connection) => saveRow(connection, incident, incident.samples));
  }

  addCounts(counts: readonly HandshakeCounts[]): Promise<void> {
    return this.#write((connection) => addRows(connection, counts));
  }

  /** Takes over what a segment of the journal holds, once: of a segment that was taken over before nothing happens. */
  async absorb(segment: string, entries: readonly JournalEntry[]): Promise<void> {
    const known = await this.#use((connection) =>
      rows(connection, 'SELECT segment FROM absorbed WHERE segment = ?', [segment]),
    );
    if (known.length > 0) return;
    const { incidents, counts } = latestOf(entries);
    // In pieces, as a transaction takes memory for each row. To save an incident twice does no harm; counts must come once.
    for (let index = 0; index < incidents.length; index += ROWS_AT_ONCE) {
      await this.#write(async (connection) => {
        for (const { incident, samples } of incidents.slice(index, index + ROWS_AT_ONCE)) {
          await saveRow(connection, incident, samples);
        }
      });
    }
    await this.#write(async (connection) => {
      await addRows(connection, counts);
      const nowNs = BigInt(Date.now()) * 1_000_000n;
      await connection.run('INSERT INTO absorbed VALUES (?, ?)', [segment, nowNs]);
      // Only of the latest can the file still be there.
      await connection.run('DELETE FROM absorbed WHERE at_ns < ?', [nowNs - ABSORBED_KEPT_NS]);
    });
  }

  incident(id: number): Promise<Incident | undefined> {
    return this.#use(async (connection) => {
      const [row] = await rows(
        connection,
        'SELECT i.*, s.samples FROM incidents i LEFT JOIN samples s ON s.id = i.id WHERE i.id = ?',
        [BigInt(id)],
      );
      return row && incidentOfRow(row);
    });
  }

  incidents(query: IncidentQuery): Promise<readonly Incident[]> {
    const { limit = DEFAULT_LIMIT, offset = 0 } = query;
    const { sql, values } = condition(query);
    const from =
      query.samples === false
        ? 'SELECT i.* FROM incidents i'
        : 'SELECT i.*, s.samples FROM incidents i LEFT JOIN samples s ON s.id = i.id';
    return this.#use(async (connection) => {
      const found = await rows(connection, `${from} WHERE ${sql} ORDER BY i.id DESC LIMIT ? OFFSET ?`, [
        ...values,
        BigInt(Math.min(limit, Number.MAX_SAFE_INTEGER)),
        BigInt(offset),
      ]);
      return found.map(incidentOfRow);
    });
  }

  lastIncidentId(): Promise<number> {
    return this.#use(async (connection) => {
      const [row] = await rows(
        connection,
        'SELECT greatest((SELECT coalesce(max(id), 0) FROM incidents), (SELECT max(last_id) FROM removed)) AS id',
        [],
      );
      return Number(row?.id ?? 0);
    });
  }

  timeline(
    fromNs: bigint,
    toNs: bigint,
    stepMs: number,
    service: Partial<IncidentService> = {},
  ): Promise<readonly TimelineStep[]> {
    const wanted = (['direction', 'namespace', 'address', 'port'] as const).flatMap((part) =>
      service[part] === undefined ? [] : [{ sql: ` AND ${part} = ?`, value: service[part] }],
    );
    const stepNs = BigInt(stepMs) * 1_000_000n;
    return this.#use(async (connection) => {
      const found = await rows(
        connection,
        `SELECT at_ns // ? * ? AS step, sum(answered) AS answered, sum(refused) AS refused, sum(failed) AS failed
         FROM counts WHERE at_ns >= ? AND at_ns < ?${wanted.map(({ sql }) => sql).join('')} GROUP BY step ORDER BY step LIMIT ${MAX_STEPS}`,
        [stepNs, stepNs, fromNs, toNs, ...wanted.map(({ value }) => value)],
      );
      const steps = new Map<bigint, StepCounts>();
      for (const { step, answered, refused, failed } of found) {
        addToStep(steps, BigInt(step as bigint), {
          answered: Number(answered),
          refused: Number(refused),
          failed: Number(failed),
        });
      }
      return fillSteps(steps, fromNs, toNs, stepMs);
    });
  }

  export(format: ExportFormat, query: IncidentQuery, path: string): Promise<void> {
    return exportIncidents(this, format, query, path);
  }

  retain(limits: { readonly maxAgeMs: number; readonly maxBytes: number }): Promise<{ readonly incidents: number }> {
    return this.#queue(async () => {
      const { connection } = await this.#opened();
      return await retainRows(connection, this.#path, limits, () => this.#reopen());
    });
  }

  state(): HistoryState {
    const bytes = sizeOf(this.#path) + sizeOf(`${this.#path}.wal`);
    const trouble = this.#trouble === undefined ? {} : { trouble: this.#trouble };
    return { kind: 'duckdb', path: this.#path, bytes, notes: this.#notes, ...trouble };
  }

  close(): Promise<void> {
    return this.#queue(() => {
      this.#forget();
      return Promise.resolve();
    });
  }

  #write(work: (connection: DuckDBConnection) => Promise<void>): Promise<void> {
    return this.#use(async (connection) => {
      await connection.run('BEGIN TRANSACTION');
      try {
        await work(connection);
        await connection.run('COMMIT');
      } catch (error) {
        // After an error of the disk there may be nothing left to roll back.
        await connection.run('ROLLBACK').catch(() => undefined);
        throw error;
      }
    });
  }

  #use<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
    return this.#queue(async () => {
      const { connection } = await this.#opened();
      return await work(connection);
    });
  }

  #queue<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work).then(
      (result) => {
        this.#trouble = undefined;
        return result;
      },
      (error: unknown) => {
        const problem = historyError(error, this.#path);
        this.#trouble = troubleOf(problem);
        // What fails once may have invalidated the whole database (FATAL errors do): the next use opens it anew.
        this.#forget();
        if (problem.problem === 'damaged' && !this.#readOnly) {
          const aside = moveAside(this.#path);
          this.#notes.push({ reason: `${problem.message}; it is now ${aside}, and a new one was begun` });
        }
        throw problem;
      },
    );
    this.#last = done.catch(() => undefined);
    return done;
  }

  async #opened(): Promise<OpenDatabase> {
    this.#open ??= this.#readOnly ? await openForReading(this.#path) : await openDatabase(this.#path, this.#notes);
    return this.#open;
  }

  async #reopen(): Promise<DuckDBConnection> {
    this.#forget();
    return (await this.#opened()).connection;
  }

  #forget(): void {
    this.#open?.close();
    this.#open = undefined;
  }
}

async function saveRow(
  connection: DuckDBConnection,
  incident: Incident,
  samples: Incident['samples'] | undefined,
): Promise<void> {
  await connection.run(SAVE_INCIDENT, incidentRow(incident));
  if (samples === undefined) return;
  await connection.run('INSERT OR REPLACE INTO samples VALUES (?, ?)', [BigInt(incident.id), samplesText(samples)]);
}

/** The last state of each incident, with its samples where the entries hold them, and all counts. */
function latestOf(entries: readonly JournalEntry[]) {
  const latest = new Map<number, { incident: Incident; samples: Incident['samples'] | undefined }>();
  const counts: HandshakeCounts[] = [];
  for (const entry of entries) {
    if ('counts' in entry) {
      for (const one of entry.counts) counts.push(one);
      continue;
    }
    const { incident, samplesKept } = entry;
    const samples = samplesKept ? latest.get(incident.id)?.samples : incident.samples;
    latest.set(incident.id, { incident, samples });
  }
  return { incidents: [...latest.values()], counts };
}

async function addRows(connection: DuckDBConnection, counts: readonly HandshakeCounts[]): Promise<void> {
  if (counts.length === 0) return;
  const appender = await connection.createAppender('counts');
  try {
    for (const entry of counts) appendCounts(appender, entry);
    // Within the transaction: the commit is what counts.
    appender.flushSync();
  } finally {
    appender.closeSync();
  }
}

async function rows(
  connection: DuckDBConnection,
  sql: string,
  values: DuckDBValue[],
): Promise<Record<string, DuckDBValue>[]> {
  return (await connection.runAndReadAll(sql, values)).getRowObjects();
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
