import { chmodSync, renameSync, rmSync, statSync } from 'node:fs';
import type { DuckDBConnection, DuckDBValue } from '@duckdb/node-api';
import { rollUpCounts } from './duckdb-roll-up.ts';

/** A file is written anew when so much of it is empty: deleting alone never makes it smaller. */
const WORTH_COMPACTING_BYTES = 4_194_304;
const WORTH_COMPACTING_SHARE = 0.25;
/** What is kept when there is too much: less than allowed, so that it lasts for a while. */
const FILL_SHARE = 0.8;
const MAX_ROUNDS = 5;

/**
 * Removes what is too old, sums up counts that are old, then removes the oldest until the file is small enough. Open incidents stay.
 * @param reopen closes the database and opens what is then under its name
 */
export async function retainRows(
  connection: DuckDBConnection,
  path: string,
  limits: { readonly maxAgeMs: number; readonly maxBytes: number },
  reopen: () => Promise<DuckDBConnection>,
): Promise<{ readonly incidents: number }> {
  const oldestNs = BigInt(Math.round(Date.now() - limits.maxAgeMs)) * 1_000_000n;
  let incidents = await removeBefore(connection, oldestNs, oldestNs);
  await rollUpCounts(connection, Date.now());
  await connection.run('CHECKPOINT');
  let current = connection;
  if (await isWorthCompacting(current)) current = await compact(current, path, reopen);
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const bytes = statSync(path).size;
    if (bytes <= limits.maxBytes) break;
    const remove = 1 - (limits.maxBytes / bytes) * FILL_SHARE;
    const removed = await removeOldest(current, remove);
    incidents += removed.incidents;
    if (removed.rows === 0 && round > 0) break;
    current = await compact(current, path, reopen);
  }
  return { incidents };
}

async function removeOldest(
  connection: DuckDBConnection,
  share: number,
): Promise<{ readonly incidents: number; readonly rows: number }> {
  const quantile = async (sql: string): Promise<bigint> => BigInt(await single(connection, sql, [share]));
  const counts = await quantile('SELECT coalesce(quantile_disc(at_ns, ?), 0) FROM counts');
  const closed = await quantile("SELECT coalesce(quantile_disc(last_ns, ?), 0) FROM incidents WHERE state = 'closed'");
  const before = await rowCount(connection);
  const incidents = await removeBefore(connection, counts + 1n, closed + 1n);
  return { incidents, rows: before - (await rowCount(connection)) };
}

async function removeBefore(connection: DuckDBConnection, countsNs: bigint, incidentsNs: bigint): Promise<number> {
  const old = "state = 'closed' AND last_ns < ?";
  await connection.run('BEGIN TRANSACTION');
  try {
    const incidents = Number(await single(connection, `SELECT count(*) FROM incidents WHERE ${old}`, [incidentsNs]));
    await connection.run('DELETE FROM counts WHERE at_ns < ?', [countsNs]);
    await connection.run(
      'UPDATE removed SET last_id = greatest(last_id, (SELECT coalesce(max(id), 0) FROM incidents))',
    );
    await connection.run(`DELETE FROM samples WHERE id IN (SELECT id FROM incidents WHERE ${old})`, [incidentsNs]);
    await connection.run(`DELETE FROM incidents WHERE ${old}`, [incidentsNs]);
    await connection.run('COMMIT');
    return incidents;
  } catch (error) {
    await connection.run('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

async function isWorthCompacting(connection: DuckDBConnection): Promise<boolean> {
  const reader = await connection.runAndReadAll(
    'SELECT block_size * free_blocks, block_size * total_blocks FROM pragma_database_size() WHERE database_name = current_database()',
  );
  const [free = 0, total = 0] = (reader.getRows()[0] ?? []).map(Number);
  return free > WORTH_COMPACTING_BYTES && free > total * WORTH_COMPACTING_SHARE;
}

/** Writes everything to a new file and puts it in place of the old one, in one step. */
async function compact(
  connection: DuckDBConnection,
  path: string,
  reopen: () => Promise<DuckDBConnection>,
): Promise<DuckDBConnection> {
  const fresh = `${path}.compact`;
  for (const file of [fresh, `${fresh}.wal`]) rmSync(file, { force: true });
  const name = String(await single(connection, 'SELECT current_database()', [])).replaceAll('"', '""');
  try {
    await connection.run(`ATTACH '${fresh.replaceAll("'", "''")}' AS compacted`);
    await connection.run(`COPY FROM DATABASE "${name}" TO compacted`);
    await connection.run('DETACH compacted');
    await connection.run('CHECKPOINT');
  } catch (error) {
    for (const file of [fresh, `${fresh}.wal`]) rmSync(file, { force: true });
    throw error;
  }
  return await reopenAs(path, fresh, reopen);
}

async function reopenAs(
  path: string,
  fresh: string,
  reopen: () => Promise<DuckDBConnection>,
): Promise<DuckDBConnection> {
  const mode = statSync(path).mode & 0o777;
  chmodSync(fresh, mode);
  renameSync(fresh, path);
  return await reopen();
}

async function rowCount(connection: DuckDBConnection): Promise<number> {
  return Number(
    await single(connection, 'SELECT (SELECT count(*) FROM counts) + (SELECT count(*) FROM incidents)', []),
  );
}

async function single(connection: DuckDBConnection, sql: string, values: DuckDBValue[]): Promise<string> {
  const reader = await connection.runAndReadAll(sql, values);
  return String(reader.getRows()[0]?.[0]);
}
