import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HistoryStore } from '../history-store.ts';
import { at, closed, HTTPS, sampleCounts, sampleIncident } from './incidents.ts';

/** What every history does, whatever it keeps things in. `open` gets an empty folder. */
export function describeHistory(name: string, open: (folder: string) => Promise<HistoryStore>): void {
  describe(`history: ${name}`, () => {
    let folder: string;
    let store: HistoryStore;
    beforeEach(async () => {
      folder = mkdtempSync(join(tmpdir(), 'synscope-history-'));
      store = await open(folder);
    });
    afterEach(async () => {
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    });
    const ids = async (query: Parameters<HistoryStore['incidents']>[0]) =>
      (await store.incidents(query)).map(({ id }) => id);

    it('is empty at first', async () => {
      expect(await store.incidents({})).toEqual([]);
      expect(await store.incident(1)).toBeUndefined();
      expect(await store.lastIncidentId()).toBe(0);
      expect(await store.timeline(at(0), at(20), 10_000)).toEqual([
        { atNs: at(0), answered: 0, refused: 0, failed: 0 },
        { atNs: at(10), answered: 0, refused: 0, failed: 0 },
      ]);
    });

    it('gives back an incident exactly, and replaces it', async () => {
      const incident = sampleIncident(7);
      await store.saveIncident(incident);
      expect(await store.incident(7)).toEqual(incident);
      const later = { ...closed(incident), attempts: 40, repairs: [] };
      await store.saveIncident(later);
      expect(await store.incident(7)).toEqual(later);
      await store.saveIncident({ ...later, samples: [{ sentence: 'another' }] });
      expect((await store.incident(7))?.samples).toEqual([{ sentence: 'another' }]);
      expect(await store.incidents({})).toHaveLength(1);
    });

    it('keeps an incident of which little is known', async () => {
      const { outcome: _, ...rest } = sampleIncident(1);
      const bare = {
        ...rest,
        cause: null,
        service: { direction: 'outbound', namespace: 'netns:a b' } as const,
        clientNetworks: [],
        samples: [],
        changes: [],
        repairs: [],
      };
      await store.saveIncident(bare);
      expect(await store.incident(1)).toEqual(bare);
      expect(await store.incidents({})).toEqual([bare]);
    });

    it('selects, newest first', async () => {
      await Promise.all([
        store.saveIncident(closed(sampleIncident(1))),
        store.saveIncident(sampleIncident(2, { kind: 'noise', cause: null })),
        store.saveIncident(
          sampleIncident(3, { service: { ...HTTPS, port: 22, process: 'SSHD' }, sentence: 'Something Else' }),
        ),
      ]);
      expect(await ids({})).toEqual([3, 2, 1]);
      expect(await ids({ limit: 1 })).toEqual([3]);
      expect(await ids({ limit: 5, offset: 1 })).toEqual([2, 1]);
      expect(await ids({ state: 'open' })).toEqual([3, 2]);
      expect(await ids({ kind: 'noise' })).toEqual([2]);
      expect(await ids({ causeId: 'no-return-route' })).toEqual([3, 1]);
      expect(await ids({ port: 443 })).toEqual([2, 1]);
      expect(await ids({ sinceNs: at(150) + 9n })).toEqual([3, 2]);
      expect(await ids({ sinceNs: at(150) + 10n })).toEqual([3]);
      expect(await ids({ untilNs: at(60) + 7n })).toEqual([1]);
      expect(await ids({ untilNs: at(60) + 6n })).toEqual([]);
      expect(await ids({ text: 'sshd ELSE' })).toEqual([3]);
      expect(await ids({ text: 'nginx 2001:db8:1::/48' })).toEqual([2, 1]);
      expect(await ids({ text: '%' })).toEqual([]);
      expect(await ids({ text: "'; DROP TABLE incidents" })).toEqual([]);
      expect(await ids({ text: '日本', state: 'closed', port: 443 })).toEqual([1]);
    });

    it('leaves samples out where they are not wanted', async () => {
      await store.saveIncident(sampleIncident(1));
      const [listed] = await store.incidents({ samples: false });
      expect(listed).toEqual({ ...sampleIncident(1), samples: [] });
      expect((await store.incidents({}))[0]?.samples).toHaveLength(1);
    });

    it('adds counts up to steps', async () => {
      await store.addCounts([
        sampleCounts(0),
        sampleCounts(10),
        sampleCounts(20, { service: { ...HTTPS, port: 22 }, failed: 7 }),
        sampleCounts(60, { service: { ...HTTPS, direction: 'outbound' } }),
      ]);
      await store.addCounts([sampleCounts(10)]);
      await store.addCounts([]);
      expect(await store.timeline(at(0), at(120), 60_000)).toEqual([
        { atNs: at(0), answered: 40, refused: 4, failed: 13 },
        { atNs: at(60), answered: 10, refused: 1, failed: 2 },
      ]);
      const steps = await store.timeline(at(-60), at(60), 60_000, { port: 443 });
      expect(steps.map(({ answered }) => answered)).toEqual([0, 30]);
      expect((await store.timeline(at(0), at(20), 10_000)).map(({ failed }) => failed)).toEqual([2, 4]);
      const outbound = await store.timeline(at(0), at(120), 120_000, { direction: 'outbound', namespace: 'local' });
      expect(outbound).toEqual([{ atNs: at(0), answered: 10, refused: 1, failed: 2 }]);
    });

    it('removes what is old, but not what is open, and never gives an id again', async () => {
      const nowNs = BigInt(Date.now()) * 1_000_000n;
      const agoNs = (days: number) => nowNs - BigInt(days) * 86_400_000_000_000n;
      const aged = (id: number, days: number) => sampleIncident(id, { firstNs: agoNs(days), lastNs: agoNs(days) + 1n });
      await store.saveIncident(closed(aged(1, 40)));
      await store.saveIncident(aged(2, 40));
      await store.saveIncident(closed(aged(3, 2)));
      await store.saveIncident(closed(aged(9, 50)));
      await store.addCounts([sampleCounts(0, { atNs: agoNs(40) }), sampleCounts(0, { atNs: agoNs(1) })]);
      expect(await store.retain({ maxAgeMs: 30 * 86_400_000, maxBytes: 1e9 })).toEqual({ incidents: 2 });
      expect(await ids({})).toEqual([3, 2]);
      expect(await store.incident(1)).toBeUndefined();
      expect(await store.lastIncidentId()).toBe(9);
      const answered = (await store.timeline(agoNs(60), nowNs, 86_400_000)).reduce(
        (sum, step) => sum + step.answered,
        0,
      );
      expect(answered).toBe(10);
    });

    it('exports', async () => {
      const names = ['=1+1', 'a,"b"\n'];
      await store.saveIncident(sampleIncident(1, { service: { ...HTTPS, process: names[0] as string } }));
      await store.saveIncident(closed(sampleIncident(2, { service: { ...HTTPS, process: names[1] as string } })));
      await store.saveIncident(sampleIncident(3, { kind: 'warning' }));
      const files = ['jsonl', 'csv', 'parquet'] as const;
      for (const format of files) await store.export(format, { kind: 'failure' }, join(folder, `out.${format}`));
      expect(readdirSync(folder).filter((file) => file.endsWith('.partial'))).toEqual([]);
      const lines = readFileSync(join(folder, 'out.jsonl'), 'utf8').trimEnd().split('\n');
      expect(lines.map((line) => JSON.parse(line).id)).toEqual([2, 1]);
      expect(JSON.parse(lines[1] as string)).toMatchObject({
        firstAt: '2026-11-20T14:01:00.000000007Z',
        samples: sampleIncident(1).samples,
      });
      const csv = readFileSync(join(folder, 'out.csv'), 'utf8');
      expect(csv.split('\r\n')[0]).toMatch(/^id,state,kind,direction,/);
      expect(csv).toContain(",'=1+1,");
      expect(csv).toContain(',"a,""b""\\n",');
      expect(csv).toContain('\\x1b[31m');
      const database = await DuckDBInstance.create(':memory:');
      const connection = await database.connect();
      const rows = await connection.runAndReadAll(
        `SELECT id, process, CAST(first_at AS VARCHAR), closed_at IS NULL FROM '${join(folder, 'out.parquet')}' ORDER BY id`,
      );
      connection.closeSync();
      database.closeSync();
      expect(rows.getRows()).toEqual([
        [1n, names[0], '2026-11-20 14:01:00.000000007', true],
        [2n, names[1], '2026-11-20 14:02:00.000000007', false],
      ]);
    });

    it('exports more than one page, and nothing', async () => {
      await Promise.all(Array.from({ length: 105 }, (_, index) => store.saveIncident(sampleIncident(index + 1))));
      const path = join(folder, 'all.jsonl');
      await store.export('jsonl', {}, path);
      const all = readFileSync(path, 'utf8').trimEnd().split('\n');
      expect(all.map((line) => JSON.parse(line).id)).toEqual(Array.from({ length: 105 }, (_, index) => 105 - index));
      await store.export('jsonl', { limit: 3 }, path);
      expect(readFileSync(path, 'utf8').trimEnd().split('\n')).toHaveLength(3);
      await store.export('jsonl', { port: 1 }, path);
      expect(readFileSync(path, 'utf8')).toBe('');
      await store.export('parquet', { port: 1 }, path);
      await expect(store.export('csv', {}, join(folder, 'none', 'x'))).rejects.toThrow(/none/);
    });
  });
}
