import type { DuckDBConnection } from '@duckdb/node-api';
import { HistoryError } from './history-error.ts';

/**
 * What makes each version of the tables from the one before; the first makes them. Never change one that was released: files that it
 * made exist. Times are nanoseconds since 1970; lists are JSON.
 */
const MIGRATIONS: readonly (readonly string[])[] = [
  [
    `CREATE TABLE incidents (
      id BIGINT PRIMARY KEY, state VARCHAR NOT NULL, kind VARCHAR NOT NULL,
      direction VARCHAR NOT NULL, namespace VARCHAR NOT NULL, address VARCHAR, port INTEGER, process VARCHAR,
      cause_id VARCHAR, cause_status VARCHAR, cause_title VARCHAR, sentence VARCHAR NOT NULL, outcome VARCHAR,
      first_ns BIGINT NOT NULL, last_ns BIGINT NOT NULL, closed_ns BIGINT, closed_because VARCHAR,
      attempts BIGINT NOT NULL, clients BIGINT NOT NULL,
      client_networks VARCHAR NOT NULL, changes VARCHAR NOT NULL, repairs VARCHAR NOT NULL)`,
    'CREATE TABLE samples (id BIGINT PRIMARY KEY, samples VARCHAR NOT NULL)',
    `CREATE TABLE counts (
      at_ns BIGINT NOT NULL, interval_ms INTEGER NOT NULL,
      direction VARCHAR NOT NULL, namespace VARCHAR NOT NULL, address VARCHAR, port INTEGER, process VARCHAR,
      answered BIGINT NOT NULL, refused BIGINT NOT NULL, failed BIGINT NOT NULL)`,
    // Segments of the journal that are in the tables already, and the largest id of incidents that were removed.
    'CREATE TABLE absorbed (segment VARCHAR PRIMARY KEY, at_ns BIGINT NOT NULL)',
    'CREATE TABLE removed (last_id BIGINT NOT NULL)',
    'INSERT INTO removed VALUES (0)',
  ],
  [
    // What the words of a query are looked for in.
    "ALTER TABLE incidents ADD COLUMN search VARCHAR DEFAULT ''",
    `UPDATE incidents SET search = lower(concat_ws(chr(10), sentence, cause_id, cause_title, direction, namespace, address,
      CAST(port AS VARCHAR), process, array_to_string(json_extract_string(client_networks, '$[*].network'), chr(10))))`,
  ],
];

/** The version that this program writes. */
export const SCHEMA_VERSION: number = MIGRATIONS.length;

/**
 * Brings the tables to {@link SCHEMA_VERSION}, each step in a transaction of its own.
 * @throws HistoryError when a newer program made them.
 */
export async function migrate(connection: DuckDBConnection, path: string): Promise<void> {
  await connection.run('CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)');
  const found = await schemaVersion(connection);
  if (found > SCHEMA_VERSION) throw newerHistory(path, found);
  for (let version = found + 1; version <= SCHEMA_VERSION; version += 1) {
    await connection.run('BEGIN TRANSACTION');
    for (const statement of MIGRATIONS[version - 1] ?? []) await connection.run(statement);
    await connection.run('DELETE FROM schema_version');
    await connection.run('INSERT INTO schema_version VALUES (?)', [version]);
    await connection.run('COMMIT');
  }
}

/** Version of the tables; 0 when there are none. @throws when there is no table of versions */
export async function schemaVersion(connection: DuckDBConnection): Promise<number> {
  const rows = await connection.runAndReadAll('SELECT max(version) FROM schema_version');
  return Number(rows.getRows()[0]?.[0] ?? 0);
}

/** The error for a file of a newer program. */
export function newerHistory(path: string, version: number): HistoryError {
  return new HistoryError(
    'newer',
    `the history ${path} was written by a newer synscope (version ${version} of its tables; this one knows ${SCHEMA_VERSION})`,
    'use that version, or another folder with --state',
  );
}
