import { randomBytes } from 'node:crypto';
import { createReadStream, rmSync, statSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { ApiError } from '../api-error.ts';
import type { HttpApp, HttpParts } from '../context.ts';
import { incidentQuery, Parameters } from '../query.ts';

const TYPES: Readonly<Record<'jsonl' | 'csv' | 'parquet', string>> = {
  jsonl: 'application/x-ndjson; charset=utf-8',
  csv: 'text/csv; charset=utf-8; header=present',
  parquet: 'application/vnd.apache.parquet',
};

/** So many are made at a time: they take memory and disk. */
const MAX_EXPORTS = 2;

/** Adds the download of incidents as a file. */
export function addExportRoute(app: HttpApp, { store }: HttpParts): void {
  let running = 0;
  app.get('/api/v1/export', async (context) => {
    const parameters = new Parameters(new URL(context.req.url).searchParams);
    const format = parameters.word('format', ['jsonl', 'csv', 'parquet']) ?? 'jsonl';
    const limit = parameters.count('limit', 1, 1_000_000_000);
    const query = { ...incidentQuery(parameters), ...(limit === undefined ? {} : { limit }) };
    if (running >= MAX_EXPORTS) {
      throw new ApiError(429, 'too-many', 'other exports are being made', { retryAfter: 10 });
    }
    running += 1;
    // Made whole before the first byte goes out: a failure can still be told.
    const folder = await mkdtemp(join(tmpdir(), 'synscope-export-')).catch((error: unknown) => {
      running -= 1;
      throw error;
    });
    const remove = (): void => {
      running -= 1;
      rmSync(folder, { recursive: true, force: true });
    };
    try {
      const path = join(folder, `${randomBytes(8).toString('hex')}.${format}`);
      await store.export(format, query, path);
      const file = createReadStream(path).once('close', remove);
      return context.body(Readable.toWeb(file) as ReadableStream<Uint8Array>, 200, {
        'content-type': TYPES[format],
        'content-length': String(statSync(path).size),
        'content-disposition': `attachment; filename="synscope-incidents.${format}"`,
      });
    } catch (error) {
      remove();
      throw error;
    }
  });
}
