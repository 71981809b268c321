import { expect, it } from 'vitest';
import type { Incident, IncidentService } from '../../model/incident.ts';
import { MemoryStore } from '../history/memory-store.ts';
import { IncidentBook } from './incident-book.ts';

const SERVICE: IncidentService = { direction: 'inbound', namespace: 'local', port: 443 };

function bookOf(store: MemoryStore, told: Incident[] = []): IncidentBook {
  return new IncidentBook({
    store,
    networks: () => 5,
    onChange: (incident) => told.push(incident),
    onTrouble: (error) => {
      throw error;
    },
  });
}

const start = {
  kind: 'failure',
  service: SERVICE,
  cause: null,
  sentence: 'It fails.',
  firstNs: 5n,
  changes: [],
} as const;

it('numbers incidents on from those of the history, and goes on with those that are open', async () => {
  const store = new MemoryStore();
  const first = bookOf(store);
  await first.start();
  const one = first.begin(start)!;
  const two = first.begin({ ...start, outcome: 'refused', outcomeClass: 'refusal' })!;
  expect([one.id, two.id]).toEqual([1, 2]);
  two.count('192.0.2.1', 9n, 3);
  first.close(one, 'it was well again');
  await first.stop();
  expect(await store.incident(1)).toMatchObject({ state: 'closed', closedBecause: 'it was well again' });

  const next = bookOf(store);
  await next.start();
  expect(next.open.map(({ id, outcomeClass }) => [id, outcomeClass])).toEqual([[2, 'refusal']]);
  next.open[0]!.count('192.0.2.9', 12n, 1);
  expect(next.incidents()[0]).toMatchObject({
    attempts: 4,
    firstNs: 5n,
    lastNs: 12n,
    clientNetworks: [{ network: '192.0.2.0/24', attempts: 2 }],
  });
  expect(next.begin(start)?.id).toBe(3);
});

it('has a bound on what is open at once', async () => {
  const book = bookOf(new MemoryStore());
  await book.start();
  for (let i = 0; i < 300; i++) book.begin(start);
  expect(book.open.length).toBe(200);
  expect(book.refused).toBe(100);
  await book.stop();
});

it('tells and saves only what changed', async () => {
  const told: Incident[] = [];
  const book = bookOf(new MemoryStore(), told);
  await book.start();
  const one = book.begin(start)!;
  book.changed(true);
  book.changed(true);
  expect(told).toHaveLength(1);
  one.count('192.0.2.1', 6n, 1);
  book.changed(true);
  expect(told.map(({ attempts }) => attempts)).toEqual([0, 1]);
  await book.stop();
});
