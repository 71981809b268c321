/** Fills a small disk and makes room again: unshare -m, mount a tmpfs on FOLDER, node full-disk.ts FOLDER. Prints what happened as JSON. */
import { readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { HistoryError } from '../history-error.ts';
import { openHistory } from '../open-history.ts';
import { sampleCounts, sampleIncident } from './incidents.ts';

const folder = process.argv[2] ?? '';
const full = join(folder, 'full');
const room = statfsSync(folder);
writeFileSync(full, Buffer.alloc(room.bavail * room.bsize));
const first = await openHistory(join(folder, 'first'));
await first.saveIncident(sampleIncident(1));
const atStart = { ids: (await first.incidents({})).map(({ id }) => id), ...first.state() };
await first.close();
rmSync(full);
rmSync(join(folder, 'first'), { recursive: true, force: true });

const store = await openHistory(folder);
const noise = (id: number) => [
  { text: Array.from({ length: 100 }, (_, index) => Math.sin(id * 100 + index)).join('') },
];
for (let id = 1; id <= 20; id += 1) await store.saveIncident(sampleIncident(id, { samples: noise(id) }));
// The database has the first part, the journal the second.
await store.incidents({ limit: 1 });
for (let id = 21; id <= 30; id += 1) await store.saveIncident(sampleIncident(id, { samples: noise(id) }));

const filler = join(folder, 'filler');
const { bavail, bsize } = statfsSync(folder);
writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - 4096)));
let acknowledged = 30;
let error: HistoryError | undefined;
const refused: number[] = [];
for (let id = 31; id <= 60; id += 1) {
  try {
    await store.saveIncident(sampleIncident(id, { samples: noise(id) }));
    acknowledged = id;
  } catch (failure) {
    if (!(failure instanceof HistoryError)) throw failure;
    error ??= failure;
    refused.push(id);
  }
}
await store.addCounts([sampleCounts(0)]).catch(() => undefined);
const troubled = store.state().trouble;
const whileFull = (await store.incidents({ limit: 1000, samples: false })).map(({ id }) => id);

rmSync(filler);
const deadline = Date.now() + 60_000;
while (store.state().trouble !== undefined && Date.now() < deadline) {
  await store.incidents({ limit: 1 }).catch(() => undefined);
  await new Promise((resolve) => setTimeout(resolve, 200));
}
const after = (await store.incidents({ limit: 1000 })).map(({ id, samples }) => [id, samples.length]);
await store.saveIncident(sampleIncident(61));
await store.close();
const again = await openHistory(folder);
const reopened = (await again.incidents({ limit: 1000, samples: false })).map(({ id }) => id);
await again.close();
process.stdout.write(
  JSON.stringify({
    atStart,
    acknowledged,
    refused,
    problem: error?.problem,
    message: error?.message,
    hint: error?.hint,
    troubled,
    whileFull,
    after,
    trouble: store.state().trouble,
    reopened,
    files: readdirSync(folder).sort(),
  }),
);
