import { DuckDBInstance } from '@duckdb/node-api';
import type { Incident } from '../../model/incident.ts';
import { DATABASE_OPTIONS } from './duckdb-options.ts';
import { COLUMNS, cells } from './incident-columns.ts';

/** Writes incidents as a Parquet file, compressed with zstd. */
export async function writeParquet(incidents: AsyncIterable<Incident>, path: string): Promise<void> {
  const database = await DuckDBInstance.create(':memory:', DATABASE_OPTIONS);
  const connection = await database.connect();
  try {
    await connection.run(`CREATE TABLE rows (${COLUMNS.map(({ name }) => `${name} VARCHAR`).join(', ')})`);
    const appender = await connection.createAppender('rows');
    for await (const incident of incidents) {
      for (const cell of cells(incident)) {
        if (cell === undefined) appender.appendNull();
        else appender.appendVarchar(String(cell));
      }
      appender.endRow();
    }
    appender.closeSync();
    const columns = COLUMNS.map(({ name, type }) => `CAST(${name} AS ${type}) AS ${name}`).join(', ');
    const file = path.replaceAll("'", "''");
    await connection.run(`COPY (SELECT ${columns} FROM rows) TO '${file}' (FORMAT parquet, COMPRESSION zstd)`);
  } finally {
    connection.closeSync();
    database.closeSync();
  }
}
