/** Saves one incident after the other until it is killed, and says which were acknowledged: node writer.ts FOLDER FIRST-ID */
import { writeSync } from 'node:fs';
import process from 'node:process';
import { openHistory } from '../open-history.ts';
import { sampleCounts, sampleIncident } from './incidents.ts';

const [folder = '', first = '1'] = process.argv.slice(2);
const store = await openHistory(folder);
for (let id = Number(first); ; id += 1) {
  await Promise.all([store.saveIncident(sampleIncident(id)), store.addCounts([sampleCounts(id * 10)])]);
  // Not through a buffer of this process: it dies any moment.
  writeSync(1, `${id}\n`);
  // Every now and then the database is asked, and takes over the journal, so that it is killed in the midst of that, too.
  if (id % 40 === 0) void store.incidents({ limit: 1 }).catch(() => undefined);
}
