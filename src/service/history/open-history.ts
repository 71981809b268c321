import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { lockFile } from '../../host/file-lock.ts';
import { HistoryError, type HistoryProblem, historyError } from './history-error.ts';
import type { HistoryStore } from './history-store.ts';
import { listSegments, readSegment } from './journal.ts';
import { JournaledStore } from './journaled-store.ts';
import { MemoryStore } from './memory-store.ts';
import { type HistoryReader, overlayEntries } from './overlay-store.ts';

const FILE = 'history.duckdb';

/** These are for a person to mend; with all else a watch does without its history rather than stay away. */
const FATAL: ReadonlySet<HistoryProblem> = new Set(['in-use', 'no-permission', 'newer']);

/**
 * Opens the history of a watch in its state folder, which is made if need be, for this process alone. Without a folder nothing is kept;
 * nor when the disk is too full to begin one, which `state()` then says.
 * @throws HistoryError when the folder may not be used, another watch uses it, or a newer synscope wrote it
 */
export async function openHistory(folder: string | undefined): Promise<HistoryStore> {
  if (folder === undefined) return new MemoryStore();
  const path = join(folder, FILE);
  let store: JournaledStore | undefined;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const lock = lockFile(join(folder, 'history.lock'));
    if (lock === undefined) {
      throw new HistoryError(
        'in-use',
        `another synscope watch keeps its history in ${folder}`,
        'end it, or give this one another folder with --state',
      );
    }
    store = new JournaledStore(folder, path, () => lock.release());
    // Takes over what a watch that was killed left behind, and finds out whether the file can be used.
    await store.lastIncidentId();
    return store;
  } catch (error) {
    await store?.close();
    const problem = historyError(error, path);
    if (FATAL.has(problem.problem)) throw problem;
    const hint = 'what is seen is kept in memory; start the watch again when this is mended';
    return new MemoryStore({ reason: problem.message, hint });
  }
}

/** A history that is only read. */
export type ReadOnlyHistory = HistoryReader & { close(): Promise<void> };

/**
 * Opens the history that a watch left in its state folder for reading, while no watch runs.
 * @returns undefined when there is none.
 * @throws HistoryError when it cannot be read
 */
export async function openHistoryForReading(folder: string): Promise<ReadOnlyHistory | undefined> {
  const path = join(folder, FILE);
  try {
    const segments = existsSync(folder) ? listSegments(folder) : [];
    if (!existsSync(path) && segments.length === 0) return undefined;
    const entries = segments.flatMap((segment) => readSegment(segment)?.entries ?? []);
    if (!existsSync(path)) return withClose(await overlayEntries(new MemoryStore(), new MemoryStore(), entries));
    const { DuckDbStore } = await import('./duckdb-store.ts');
    const store = new DuckDbStore(path, { readOnly: true });
    await store.lastIncidentId();
    return withClose(await overlayEntries(store, new MemoryStore(), entries), () => store.close());
  } catch (error) {
    throw historyError(error, path);
  }
}

function withClose(reader: HistoryReader, close: () => Promise<void> = () => Promise.resolve()): ReadOnlyHistory {
  return {
    incident: (id) => reader.incident(id),
    incidents: (query) => reader.incidents(query),
    lastIncidentId: () => reader.lastIncidentId(),
    timeline: (fromNs, toNs, stepMs, service) => reader.timeline(fromNs, toNs, stepMs, service),
    export: (format, query, path) => reader.export(format, query, path),
    close,
  };
}
