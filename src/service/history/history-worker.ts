/** The process of the database of a watch. It is started when it is needed, and ends with the watch that started it. */
import process from 'node:process';
import { DuckDbStore } from './duckdb-store.ts';
import type { HistoryCall, HistoryReply, HistoryRequest, HistoryResults } from './history-calls.ts';
import { historyError } from './history-error.ts';
import { readSegment } from './journal.ts';
import { MemoryStore } from './memory-store.ts';
import { type HistoryReader, overlayEntries } from './overlay-store.ts';

const path = process.argv[2] ?? '';
const store = new DuckDbStore(path);
let last: Promise<void> = Promise.resolve();
let waiting = 0;

// Ctrl-C reaches the whole group of processes; the watch says when to end.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
process.umask(0o077);
process.on('disconnect', () => {
  // In the midst of work the watch is gone without a word, and the next one waits for the file. What was acknowledged is in the journal.
  if (waiting > 0) process.kill(process.pid, 'SIGKILL');
  else void store.close().finally(() => process.exit());
});
process.on('message', (request: HistoryRequest) => {
  waiting += 1;
  last = last.then(async () => {
    const reply = await answer(request);
    waiting -= 1;
    if (process.connected) process.send?.(reply);
  });
});

async function answer({ id, call, segments }: HistoryRequest): Promise<HistoryReply> {
  const absorbed: string[] = [];
  let reader: HistoryReader = store;
  let failure: unknown;
  for (const segment of segments) {
    try {
      const read = readSegment(segment);
      if (read !== undefined) await store.absorb(segment.id, read.entries);
      absorbed.push(segment.id);
    } catch (error) {
      failure = error;
      break;
    }
  }
  try {
    if (failure !== undefined) {
      if (call.method === 'absorb' || call.method === 'retain') throw failure;
      reader = await withoutWriting(segments.filter((segment) => !absorbed.includes(segment.id)));
    }
    const result = await run(call, reader);
    return { id, absorbed, state: stateAfter(failure), result };
  } catch (error) {
    const { problem, message, hint } = historyError(error, path);
    return { id, absorbed, state: store.state(), error: { problem, message, hint } };
  }
}

/** What a database that cannot be written still holds, with what it should have taken over. */
async function withoutWriting(segments: HistoryRequest['segments']): Promise<HistoryReader> {
  const readable = new DuckDbStore(path, { readOnly: true });
  const base = await readable.lastIncidentId().then(
    () => readable,
    () => new MemoryStore(),
  );
  const entries = segments.flatMap((segment) => readSegment(segment)?.entries ?? []);
  return await overlayEntries(base, new MemoryStore(), entries);
}

function stateAfter(failure: unknown): HistoryReply['state'] {
  if (failure === undefined) return store.state();
  const { message, hint } = historyError(failure, path);
  return { ...store.state(), trouble: hint === undefined ? { reason: message } : { reason: message, hint } };
}

async function run(call: HistoryCall, reader: HistoryReader): Promise<HistoryResults[keyof HistoryResults]> {
  switch (call.method) {
    case 'absorb':
      return undefined;
    case 'incident':
      return await reader.incident(call.id);
    case 'incidents':
      return await reader.incidents(call.query);
    case 'lastIncidentId':
      return await reader.lastIncidentId();
    case 'timeline':
      return await reader.timeline(call.fromNs, call.toNs, call.stepMs, call.service);
    case 'export':
      await reader.export(call.format, call.query, call.path);
      return undefined;
    case 'retain':
      return await store.retain(call);
  }
}
