import { join } from 'node:path';
import { JournaledStore } from './journaled-store.ts';
import { describeHistory } from './testing/history-contract.ts';

describeHistory('journal and DuckDB', (folder) =>
  Promise.resolve(new JournaledStore(folder, join(folder, 'h.duckdb'), () => undefined)),
);
