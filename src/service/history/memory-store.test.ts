import { expect, it } from 'vitest';
import { MemoryStore } from './memory-store.ts';
import { describeHistory } from './testing/history-contract.ts';
import { closed, sampleCounts, sampleIncident } from './testing/incidents.ts';

describeHistory('in memory', () => Promise.resolve(new MemoryStore()));

it('is bounded: closed incidents go first, the oldest first', async () => {
  const store = new MemoryStore();
  await store.saveIncident(sampleIncident(1));
  for (let id = 2; id <= 2101; id += 1) await store.saveIncident(closed(sampleIncident(id)));
  const kept = (await store.incidents({ limit: 10_000 })).map(({ id }) => id);
  expect(kept).toHaveLength(2000);
  expect(kept.at(-1)).toBe(1);
  expect(kept.at(-2)).toBe(103);
  expect(await store.lastIncidentId()).toBe(2101);
  for (let seconds = 0; seconds < 60_000; seconds += 1) await store.addCounts([sampleCounts(seconds)]);
  expect(store.drain().counts.length).toBeLessThanOrEqual(50_000);
  expect(store.isEmpty).toBe(true);
});
