import { createReadStream, rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { pipeline } from 'node:stream/promises';
import { formatTimestamp } from '../report/format.ts';
import { encodeJson } from '../report/json.ts';
import { renderIncidents } from '../report/terminal-incidents.ts';
import type { IncidentQuery } from '../service/history/history-store.ts';
import { incidentSummaryValue } from '../service/history/incident-json.ts';
import { type IncidentSource, openIncidentSource } from './incident-source.ts';
import type { IncidentsOptions } from './incidents.ts';
import { OutputBuffer, outputStyle } from './output.ts';

const DEFAULT_LIMIT = 50;

/** Prints or exports what was found. @returns how many incidents there were */
export async function runIncidents(options: IncidentsOptions, file: string | undefined): Promise<number> {
  const source = await openIncidentSource(options.from);
  try {
    const query = queryOf(options);
    if (options.export !== undefined) return await exportTo(source, options, query, file ?? '-');
    return await print(source, options, query);
  } finally {
    await source.close();
  }
}

async function print(source: IncidentSource, options: IncidentsOptions, query: IncidentQuery): Promise<number> {
  const limit = options.limit ?? DEFAULT_LIMIT;
  // One more tells whether there are more.
  const found = await source.incidents({ ...query, limit: limit + 1, samples: false });
  const shown = found.slice(0, limit);
  const more = found.length > limit;
  const output = new OutputBuffer();
  if (options.json) {
    const incidents = shown.map((incident) => `\n    ${encodeJson(incidentSummaryValue(incident))}`).join(',');
    const list = shown.length === 0 ? '[]' : `[${incidents}\n  ]`;
    output.write(
      `{\n  "schemaVersion": 1,\n  "command": "incidents",\n  "incidents": ${list},\n  "more": ${more}\n}\n`,
    );
  } else if (shown.length > 0) output.write(renderIncidents(shown, more, outputStyle()));
  else output.write(`${nothing(options)}\n`);
  output.flush();
  return shown.length;
}

async function exportTo(
  source: IncidentSource,
  { export: format = 'jsonl' }: IncidentsOptions,
  query: IncidentQuery,
  file: string,
): Promise<number> {
  const some = await source.incidents({ ...query, limit: 1, samples: false });
  if (file !== '-') {
    await source.export(format, query, file);
    return some.length;
  }
  const folder = await mkdtemp(join(tmpdir(), 'synscope-export-'));
  try {
    const path = join(folder, 'incidents');
    await source.export(format, query, path);
    await pipeline(createReadStream(path), process.stdout, { end: false });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return some.length;
}

function queryOf({ since, until, state, kind, cause, port, limit }: IncidentsOptions): IncidentQuery {
  return {
    ...(since === undefined ? {} : { sinceNs: since }),
    ...(until === undefined ? {} : { untilNs: until }),
    ...(state === undefined ? {} : { state }),
    ...(kind === undefined ? {} : { kind }),
    ...(cause === undefined ? {} : { causeId: cause }),
    ...(port === undefined ? {} : { port }),
    ...(limit === undefined ? {} : { limit }),
  };
}

function nothing({ since, until, state, kind, cause, port }: IncidentsOptions): string {
  const parts = [
    ...(state === undefined ? [] : [`${state}`]),
    ...(kind === undefined ? [] : [`of kind ${kind}`]),
    ...(cause === undefined ? [] : [`of cause ${cause}`]),
    ...(port === undefined ? [] : [`on port ${port}`]),
    ...(since === undefined ? [] : [`since ${formatTimestamp(since).slice(0, 19)}Z`]),
    ...(until === undefined ? [] : [`until ${formatTimestamp(until).slice(0, 19)}Z`]),
  ];
  return parts.length === 0 ? 'No incident so far.' : `No such incident (${parts.join(', ')}).`;
}
