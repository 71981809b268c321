import { Worker } from 'node:worker_threads';
import { ParseError, type ParseProblem } from '../formats/parse-error.ts';
import type { ReadCaptureOptions } from '../host/capture-input.ts';
import { InputError, type InputProblem } from '../model/errors.ts';
import { type ComparedInput, trackForComparison } from './track-for-comparison.ts';

/** What a thread is told. */
export interface WorkerTask {
  readonly path: string;
  readonly name: string;
}

/** What a thread tells. */
export type FromWorker =
  | { readonly kind: 'progress'; readonly bytesRead: number; readonly totalBytes: number | undefined }
  | { readonly kind: 'result'; readonly result: ComparedInput }
  | { readonly kind: 'unusable'; readonly problem: InputProblem }
  | { readonly kind: 'no-capture'; readonly problem: ParseProblem };

/** The same as `trackForComparison`, in a thread of its own, so that several captures are read side by side. */
export function trackInThread(path: string, name: string, options: ReadCaptureOptions): Promise<ComparedInput> {
  const { signal, onProgress } = options;
  if (signal?.aborted) return trackForComparison(path, name, options);
  const task: WorkerTask = { path, name };
  // The name of the thread's file ends as that of this one: .ts where sources run directly, .js when built.
  const file = `./track-worker${import.meta.url.slice(import.meta.url.lastIndexOf('.'))}`;
  const worker = new Worker(new URL(file, import.meta.url), { workerData: task });
  const stop = (): void => worker.postMessage('stop');
  signal?.addEventListener('abort', stop, { once: true });
  return new Promise<ComparedInput>((resolve, reject) => {
    worker.on('message', (message: FromWorker) => {
      switch (message.kind) {
        case 'progress':
          return onProgress?.(message.bytesRead, message.totalBytes);
        case 'result':
          return resolve(message.result);
        case 'unusable':
          return reject(new InputError(message.problem));
        case 'no-capture':
          return reject(new ParseError(message.problem));
      }
    });
    worker.on('error', reject);
    worker.on('exit', (code) => reject(new Error(`the thread that read ${path} ended with ${code}`)));
  }).finally(() => signal?.removeEventListener('abort', stop));
}
