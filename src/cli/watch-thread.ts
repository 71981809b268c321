/**
 * The thread in which `watch` works. It enters network namespaces, and a process counts as one of the namespace in which its first thread is:
 * `ip netns pids`, by which programs find what they kill when they remove a namespace, would name the watch.
 */
import process from 'node:process';
import { parentPort, workerData } from 'node:worker_threads';
import { failureOf } from '../host/passed-failure.ts';
import { InputError } from '../model/errors.ts';
import { UsageError } from './command.ts';
import { runWatch } from './watch-run.ts';
import type { FromWatchThread, TerminalShape, ToWatchThread, WatchThreadData } from './watch-start.ts';

const { options, terminal } = workerData as WatchThreadData;
const ending = new AbortController();
let reload: () => void = () => {};
let shape = terminal;

// What a thread writes goes through the first one: only that knows whether it comes to a terminal.
for (const name of ['isTTY', 'columns', 'rows'] as const satisfies readonly (keyof TerminalShape)[]) {
  Object.defineProperty(process.stdout, name, { get: () => shape[name] });
}
parentPort?.on('message', (message: ToWatchThread) => {
  if (message.type === 'interrupt') ending.abort();
  else if (message.type === 'reload') reload();
  else if (message.type === 'terminal') shape = message.terminal;
  // Whatever was started ends with it.
  else process.exit(message.code);
});
void run().then((message) => {
  parentPort?.postMessage(message);
  parentPort?.close();
});

async function run(): Promise<FromWatchThread> {
  try {
    await runWatch(options, ending.signal, (take) => {
      reload = take;
    });
    return {};
  } catch (error) {
    const told = error instanceof UsageError ? new InputError({ code: 'usage', message: error.message }) : error;
    return { failure: failureOf(told) };
  }
}
