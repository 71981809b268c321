/** Thread of `trackInThread`: tracks one capture; the memory of its table is shared. */
import { parentPort, workerData } from 'node:worker_threads';
import { ParseError } from '../formats/parse-error.ts';
import { InputError } from '../model/errors.ts';
import { trackForComparison } from './track-for-comparison.ts';
import type { FromWorker, WorkerTask } from './track-in-thread.ts';

const { path, name } = workerData as WorkerTask;
const stop = new AbortController();
const send = (message: FromWorker): void => parentPort?.postMessage(message);
parentPort?.once('message', () => stop.abort());

void track().then(() => parentPort?.close());

async function track(): Promise<void> {
  try {
    const result = await trackForComparison(path, name, {
      signal: stop.signal,
      onProgress: (bytesRead, totalBytes) => send({ kind: 'progress', bytesRead, totalBytes }),
    });
    send({ kind: 'result', result });
  } catch (error) {
    if (error instanceof InputError) {
      const { code, message, hint } = error;
      send({ kind: 'unusable', problem: { code, message, ...(hint === undefined ? {} : { hint }) } });
    } else if (error instanceof ParseError) {
      const { code, format, offset, message } = error;
      send({ kind: 'no-capture', problem: { code, format, offset, message } });
    } else {
      throw error;
    }
  }
}
