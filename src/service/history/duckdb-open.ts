import { chmodSync, existsSync, renameSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import type { NotSeen } from '../../model/diagnosis.ts';
import { DATABASE_OPTIONS } from './duckdb-options.ts';
import { migrate, newerHistory, SCHEMA_VERSION, schemaVersion } from './duckdb-schema.ts';
import { type HistoryError, historyError } from './history-error.ts';

/** Twenty seconds: who holds the lock reads for a moment, or is the process of a watch that was killed, and ends as well. */
const LOCK_TRIES = 200;
const LOCK_RETRY_MS = 100;

/** An open database. */
export interface OpenDatabase {
  readonly connection: DuckDBConnection;
  close(): void;
}

/**
 * Opens the file of a history, makes it where there is none, and brings its tables to the newest version. A damaged file is moved aside,
 * said in `notes`, and a new one begun: a watch must not stay away because of its history.
 * @throws HistoryError
 */
export async function openDatabase(path: string, notes: NotSeen[]): Promise<OpenDatabase> {
  try {
    return await openAndMigrate(path);
  } catch (error) {
    const problem = historyError(error, path);
    if (problem.problem !== 'damaged') throw problem;
    return await openAfterDamage(path, notes, problem);
  }
}

/** Opens a file for reading only; several processes may do so at once. @throws HistoryError */
export async function openForReading(path: string): Promise<OpenDatabase> {
  try {
    const opened = await connect(path, { ...DATABASE_OPTIONS, access_mode: 'READ_ONLY' });
    try {
      const version = await schemaVersion(opened.connection);
      if (version > SCHEMA_VERSION) throw newerHistory(path, version);
      return opened;
    } catch (error) {
      opened.close();
      throw error;
    }
  } catch (error) {
    throw historyError(error, path);
  }
}

/** Moves a damaged file, and the log beside it, out of the way. @returns its new name */
export function moveAside(path: string): string {
  const stamp = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '');
  let name = `${path}.damaged-${stamp}`;
  for (let more = 2; existsSync(name); more += 1) name = `${path}.damaged-${stamp}-${more}`;
  renameSync(path, name);
  if (existsSync(`${path}.wal`)) renameSync(`${path}.wal`, `${name}.wal`);
  return name;
}

/** First without the log, which holds only the latest; then without the file. */
async function openAfterDamage(path: string, notes: NotSeen[], problem: HistoryError): Promise<OpenDatabase> {
  const wal = `${path}.wal`;
  if (existsSync(wal)) {
    const aside = `${wal}.damaged`;
    renameSync(wal, aside);
    try {
      const opened = await openAndMigrate(path);
      notes.push({
        reason: `the log of the history was damaged; it is now ${aside}, and its last entries are missing`,
      });
      return opened;
    } catch {
      renameSync(aside, wal);
    }
  }
  const aside = moveAside(path);
  notes.push({ reason: `${problem.message}; it is now ${aside}, and a new one was begun` });
  return await openAndMigrate(path).catch((error: unknown) => {
    throw historyError(error, path);
  });
}

async function openAndMigrate(path: string): Promise<OpenDatabase> {
  const isNew = !existsSync(path);
  const opened = await connect(path, DATABASE_OPTIONS);
  try {
    // It names clients and services: nobody else's business.
    if (isNew) chmodSync(path, 0o600);
    await migrate(opened.connection, path);
    return opened;
  } catch (error) {
    opened.close();
    throw error;
  }
}

async function connect(path: string, options: Readonly<Record<string, string>>): Promise<OpenDatabase> {
  const database = await whenFree(() => DuckDBInstance.create(path, { ...options }));
  const connection = await database.connect();
  return {
    connection,
    close() {
      connection.closeSync();
      database.closeSync();
    },
  };
}

/** Somebody who reads the history holds it for moments only: waits for them. */
async function whenFree<T>(open: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await open();
    } catch (error) {
      if (tries >= LOCK_TRIES || !/Could not set lock/i.test(String(error))) throw error;
      await delay(LOCK_RETRY_MS);
    }
  }
}
