import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { JournaledStore } from './journaled-store.ts';
import { describeHistory } from './testing/history-contract.ts';
import { sampleIncident } from './testing/incidents.ts';

describeHistory('journal and DuckDB', (folder) =>
  Promise.resolve(new JournaledStore(folder, join(folder, 'h.duckdb'), () => undefined)),
);

it('a journal that the database never takes over is bounded, keeps the newest, and says that the oldest is gone', {
  timeout: 120_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'synscope-journal-'));
  const path = join(folder, 'h.duckdb');
  // No file can be where a folder is.
  mkdirSync(path);
  const store = new JournaledStore(folder, path, () => undefined);
  const maxBytes = 1;
  try {
    const noise = 'x'.repeat(6_000_000);
    for (let id = 1; id <= 12; id += 1) {
      await store.saveIncident(sampleIncident(id, { samples: [`${id} ${noise}`] }));
      await expect(store.retain({ maxAgeMs: 1e12, maxBytes })).rejects.toThrow('h.duckdb');
      expect(store.state().bytes).toBeLessThan(45_000_000);
    }
    expect(store.state().notes).toEqual([
      {
        reason: expect.stringContaining('the oldest of what was seen was removed'),
        hint: expect.stringContaining(path),
      },
    ]);
    expect(store.state().trouble).toBeDefined();
    rmSync(path, { recursive: true });
    const kept = (await store.incidents({ limit: 100, samples: false })).map(({ id }) => id);
    expect(kept[0]).toBe(12);
    expect(kept.length).toBeGreaterThan(3);
    expect(kept.length).toBeLessThan(8);
    expect(kept).toEqual(kept.map((_, index) => 12 - index));
    expect(await store.lastIncidentId()).toBe(12);
  } finally {
    await store.close();
    expect(readdirSync(folder).filter((name) => name.startsWith('journal-'))).toEqual([]);
    rmSync(folder, { recursive: true, force: true });
  }
});
