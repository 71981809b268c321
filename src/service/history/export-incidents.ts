import { once } from 'node:events';
import { createWriteStream, renameSync, rmSync } from 'node:fs';
import process from 'node:process';
import { finished } from 'node:stream/promises';
import type { Incident } from '../../model/incident.ts';
import { encodeJson } from '../../report/json.ts';
import { csvRow } from './csv.ts';
import type { ExportFormat, HistoryStore, IncidentQuery } from './history-store.ts';
import { COLUMNS, cells } from './incident-columns.ts';
import { incidentValue } from './incident-json.ts';

const PAGE = 100;

/** Writes all incidents that match, newest first, to a file that appears under its name only when it is whole. */
export async function exportIncidents(
  store: Pick<HistoryStore, 'incidents'>,
  format: ExportFormat,
  query: IncidentQuery,
  path: string,
): Promise<void> {
  const partial = `${path}.${process.pid}.partial`;
  try {
    if (format === 'parquet') {
      const { writeParquet } = await import('./parquet.ts');
      await writeParquet(allIncidents(store, query), partial);
    } else {
      await writeLines(exportLines(allIncidents(store, query), format), partial);
    }
    renameSync(partial, path);
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  }
}

/** The lines of an export, each with its end. */
async function* exportLines(
  incidents: AsyncIterable<Incident>,
  format: 'jsonl' | 'csv',
): AsyncGenerator<string, void, undefined> {
  if (format === 'csv') yield csvRow(COLUMNS.map(({ name }) => name));
  for await (const incident of incidents) {
    yield format === 'csv' ? csvRow(cells(incident)) : `${encodeJson(incidentValue(incident))}\n`;
  }
}

/** Every incident that matches, page by page, so that they never lie in memory together. */
async function* allIncidents(
  store: Pick<HistoryStore, 'incidents'>,
  { limit = Number.POSITIVE_INFINITY, offset = 0, ...query }: IncidentQuery,
): AsyncGenerator<Incident, void, undefined> {
  let last = Number.POSITIVE_INFINITY;
  let given = 0;
  for (let at = offset; ; at += PAGE) {
    const page = await store.incidents({ ...query, limit: PAGE, offset: at });
    for (const incident of page) {
      // An incident that was opened meanwhile moves the others into the next page.
      if (incident.id >= last) continue;
      last = incident.id;
      yield incident;
      given += 1;
      if (given >= limit) return;
    }
    if (page.length < PAGE) return;
  }
}

async function writeLines(lines: AsyncIterable<string>, path: string): Promise<void> {
  const file = createWriteStream(path);
  await once(file, 'open');
  try {
    for await (const line of lines) if (!file.write(line)) await Promise.race([once(file, 'drain'), finished(file)]);
  } finally {
    file.end();
  }
  await finished(file);
}
