import type { DuckDBConnection } from '@duckdb/node-api';

const DAY_MS = 86_400_000;

/** Counts of so long ago are kept by the minute, or by the hour. The step is the boundary's, too: a step is summed up as a whole, and once. */
const ROLL_UPS: readonly { readonly afterMs: number; readonly stepMs: number; readonly wholeMs: number }[] = [
  { afterMs: 2 * DAY_MS, stepMs: 60_000, wholeMs: 3_600_000 },
  { afterMs: 14 * DAY_MS, stepMs: 3_600_000, wholeMs: DAY_MS },
];

/** Sums up old counts: nobody asks for ten seconds of a fortnight ago, and they would be most of the file. */
export async function rollUpCounts(connection: DuckDBConnection, nowMs: number): Promise<void> {
  for (const { afterMs, stepMs, wholeMs } of ROLL_UPS) {
    const beforeMs = Math.floor((nowMs - afterMs) / wholeMs) * wholeMs;
    await rollUp(connection, BigInt(beforeMs) * 1_000_000n, stepMs);
  }
}

async function rollUp(connection: DuckDBConnection, beforeNs: bigint, stepMs: number): Promise<void> {
  const old = 'interval_ms < ? AND at_ns < ?';
  const found = await connection.runAndReadAll(`SELECT 1 FROM counts WHERE ${old} LIMIT 1`, [stepMs, beforeNs]);
  if (found.getRows().length === 0) return;
  const stepNs = BigInt(stepMs) * 1_000_000n;
  await connection.run('BEGIN TRANSACTION');
  try {
    await connection.run(
      `CREATE OR REPLACE TEMP TABLE rolled_up AS
       SELECT at_ns // ? * ? AS at_ns, ?::INTEGER AS interval_ms, direction, namespace, address, port, process,
         sum(answered)::BIGINT AS answered, sum(refused)::BIGINT AS refused, sum(failed)::BIGINT AS failed
       FROM counts WHERE ${old} GROUP BY ALL`,
      [stepNs, stepNs, stepMs, stepMs, beforeNs],
    );
    await connection.run(`DELETE FROM counts WHERE ${old}`, [stepMs, beforeNs]);
    await connection.run('INSERT INTO counts BY NAME SELECT * FROM rolled_up');
    await connection.run('DROP TABLE rolled_up');
    await connection.run('COMMIT');
  } catch (error) {
    await connection.run('ROLLBACK').catch(() => undefined);
    throw error;
  }
}
