import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SCHEMA_VERSION } from './duckdb-schema.ts';
import { DuckDbStore } from './duckdb-store.ts';
import { describeHistory } from './testing/history-contract.ts';
import { at, closed, sampleCounts, sampleIncident } from './testing/incidents.ts';

describeHistory('DuckDB', (folder) => Promise.resolve(new DuckDbStore(join(folder, 'h.duckdb'))));

describe('the file of a history', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'synscope-duckdb-'));
    path = join(folder, 'h.duckdb');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  async function run(...statements: readonly string[]): Promise<unknown[][]> {
    const database = await DuckDBInstance.create(path);
    const connection = await database.connect();
    try {
      let rows: unknown[][] = [];
      for (const statement of statements) rows = (await connection.runAndReadAll(statement)).getRows();
      return rows;
    } finally {
      connection.closeSync();
      database.closeSync();
    }
  }

  it('is readable by its owner only', async () => {
    const store = new DuckDbStore(path);
    await store.saveIncident(sampleIncident(1));
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await store.close();
  });

  it('of version 1 is brought to the newest version', async () => {
    const statements = readFileSync(new URL('testing/version-1.sql', import.meta.url), 'utf8');
    await run(...statements.split(';\n').filter((statement) => statement.trim() !== ''));
    const store = new DuckDbStore(path);
    expect(await store.incident(41)).toMatchObject({ id: 41, attempts: 12, samples: [{ sentence: 'old sample' }] });
    expect((await store.incidents({ text: 'NGINX 198.51.100.0/24' })).map(({ id }) => id)).toEqual([41]);
    expect((await store.incidents({ text: 'no-return-route 443' })).map(({ id }) => id)).toEqual([41]);
    expect((await store.timeline(at(0), at(10), 10_000))[0]).toMatchObject({ answered: 5, failed: 1 });
    await store.saveIncident(sampleIncident(42));
    await store.close();
    expect(await run('SELECT version FROM schema_version')).toEqual([[SCHEMA_VERSION]]);
  });

  it('of a newer version is left alone', async () => {
    await run('CREATE TABLE schema_version (version INTEGER)', 'INSERT INTO schema_version VALUES (99)');
    const store = new DuckDbStore(path);
    await expect(store.incidents({})).rejects.toThrow(/written by a newer synscope \(version 99 of its tables/);
    await store.close();
    expect(readdirSync(folder)).toEqual(['h.duckdb']);
    const reader = new DuckDbStore(path, { readOnly: true });
    await expect(reader.incidents({})).rejects.toMatchObject({ problem: 'newer' });
    await reader.close();
  });

  it.each([
    ['is no database', () => Buffer.from('garbage '.repeat(4000))],
    ['is empty', () => Buffer.alloc(0)],
    ['is cut', (bytes: Buffer) => bytes.subarray(0, 9000)],
    [
      'has flipped bits',
      (bytes: Buffer) => {
        for (let index = 12_288; index < bytes.length; index += 500) bytes[index] = (bytes[index] ?? 0) ^ 0xff;
        return bytes;
      },
    ],
  ])('that %s is moved aside and said, and a new one is begun', async (_, damage) => {
    const before = new DuckDbStore(path);
    await before.absorb(
      'a',
      Array.from({ length: 50 }, (_, index) => ({ incident: sampleIncident(index + 1) })),
    );
    await before.close();
    writeFileSync(path, damage(readFileSync(path)));
    const store = new DuckDbStore(path);
    // Damage inside may be noticed only when it is read.
    const first = await store.incidents({}).catch(() => undefined);
    expect(first ?? (await store.incidents({}))).toEqual([]);
    expect(store.state().notes[0]?.reason).toMatch(/h\.duckdb is damaged; it is now .*damaged-\d+T\d+Z, and a new one/);
    expect(readdirSync(folder).filter((name) => name.includes('.damaged-'))).toHaveLength(1);
    await store.saveIncident(sampleIncident(1));
    await store.close();
    const again = new DuckDbStore(path);
    expect(await again.incident(1)).toEqual(sampleIncident(1));
    await again.close();
  });

  it('gets smaller when there is too much', async () => {
    const store = new DuckDbStore(path);
    const noise = (id: number) => Array.from({ length: 5000 }, (_, index) => ({ n: Math.sin(id * 1000 + index) }));
    const many = Array.from({ length: 60 }, (_, index) => ({
      incident: closed(sampleIncident(index + 1, { samples: noise(index + 1) })),
    }));
    await store.absorb('many', [
      ...many,
      { counts: Array.from({ length: 10_000 }, (_, index) => sampleCounts(index * 10)) },
    ]);
    await store.saveIncident(sampleIncident(61));
    await store.close();
    const before = statSync(path).size;
    const maxBytes = Math.round(before / 2);
    const { incidents } = await store.retain({ maxAgeMs: 1e15, maxBytes });
    expect(incidents).toBeGreaterThan(10);
    expect(incidents).toBeLessThan(60);
    expect(statSync(path).size).toBeLessThanOrEqual(maxBytes);
    expect(existsSync(`${path}.compact`)).toBe(false);
    const left = await store.incidents({ limit: 1000 });
    expect(left).toHaveLength(61 - incidents);
    expect(left[0]).toEqual(sampleIncident(61));
    expect(left[1]?.samples).toEqual(noise(60));
    expect(await store.lastIncidentId()).toBe(61);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await store.saveIncident(sampleIncident(62));
    await store.close();
    const again = new DuckDbStore(path);
    expect(await again.lastIncidentId()).toBe(62);
    await again.close();
  });

  it('sums up old counts, by the minute and then by the hour', async () => {
    const store = new DuckDbStore(path);
    const dayNs = 86_400_000_000_000n;
    const nowNs = BigInt(Date.now()) * 1_000_000n;
    const dayStart = (days: number): bigint => ((nowNs - BigInt(days) * dayNs) / dayNs) * dayNs;
    // Two hours of two services, in steps of 10 s, on four days.
    const counts = [0.1, 5, 20, 25].flatMap((days) => {
      const startNs = days < 1 ? nowNs - dayNs / 10n : dayStart(days);
      return Array.from({ length: 720 }, (_, index) => index).flatMap((index) => {
        const atNs = startNs + BigInt(index) * 10_000_000_000n;
        return [
          sampleCounts(0, { atNs }),
          sampleCounts(0, { atNs, service: { direction: 'outbound', namespace: 'local' } }),
        ];
      });
    });
    await store.addCounts(counts);
    const sums = async (): Promise<unknown> =>
      (await store.timeline(nowNs - 30n * dayNs, nowNs, 3_600_000)).map(({ answered, refused, failed }) => [
        answered,
        refused,
        failed,
      ]);
    const before = await sums();
    await store.retain({ maxAgeMs: 1e12, maxBytes: 1e9 });
    await store.retain({ maxAgeMs: 1e12, maxBytes: 1e9 });
    expect(await sums()).toEqual(before);
    expect((await store.timeline(dayStart(5), dayStart(5) + 120_000_000_000n, 60_000, { port: 443 }))[1]).toMatchObject(
      {
        answered: 60,
        failed: 12,
      },
    );
    await store.close();
    expect(await run('SELECT interval_ms, count(*) FROM counts GROUP BY 1 ORDER BY 1')).toEqual([
      [10_000, 1440n],
      [60_000, 240n],
      [3_600_000, 8n],
    ]);
  });

  it('takes over a segment of the journal once', async () => {
    const store = new DuckDbStore(path);
    const entries = [
      { incident: sampleIncident(1) },
      { counts: [sampleCounts(0)] },
      { incident: { ...sampleIncident(1), attempts: 5, samples: [] }, samplesKept: true as const },
    ];
    await store.absorb('a', entries);
    await store.absorb('a', entries);
    await store.absorb('b', [{ counts: [sampleCounts(0)] }]);
    expect(await store.incident(1)).toEqual({ ...sampleIncident(1), attempts: 5 });
    expect((await store.timeline(at(0), at(10), 10_000))[0]?.answered).toBe(20);
    await store.close();
  });
});
