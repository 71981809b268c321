import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { errorOf, type PassedFailure } from '../host/passed-failure.ts';
import { interruptSignal } from './interrupt.ts';
import type { WatchCommandOptions } from './watch.ts';

/** What standard output is, as far as one who draws on it must know. */
export type TerminalShape = Pick<NodeJS.WriteStream, 'isTTY' | 'columns' | 'rows'>;

/** What the thread of a watch begins with. */
export interface WatchThreadData {
  readonly options: WatchCommandOptions;
  readonly terminal: TerminalShape;
}

/** What it is told. */
export type ToWatchThread =
  | { readonly type: 'interrupt' }
  | { readonly type: 'reload' }
  | { readonly type: 'terminal'; readonly terminal: TerminalShape }
  | { readonly type: 'exit'; readonly code: number };

/** What it says at its end. */
export interface FromWatchThread {
  readonly failure?: PassedFailure;
}

/** How long a thread that is told to end at once may take. */
const LAST_WORDS_MS = 1000;

/** Watches, in a thread of its own, until a signal ends it. */
export async function watchInThread(options: WatchCommandOptions): Promise<void> {
  const name = import.meta.url.endsWith('.ts') ? './watch-thread.ts' : './watch-thread.cjs';
  const data: WatchThreadData = { options, terminal: terminalShape() };
  // The process ends with it: nobody has to know which descriptors it leaves open.
  const settings = { workerData: data, trackUnmanagedFds: false };
  const thread = new Worker(fileURLToPath(new URL(name, import.meta.url)), settings);
  const tell = (message: ToWatchThread): void => thread.postMessage(message);
  const reload = (): void => tell({ type: 'reload' });
  const resize = (): void => tell({ type: 'terminal', terminal: terminalShape() });
  const signal = interruptSignal((code) => {
    tell({ type: 'exit', code });
    setTimeout(() => process.exit(code), LAST_WORDS_MS);
    thread.once('exit', () => process.exit(code));
  });
  signal.addEventListener('abort', () => tell({ type: 'interrupt' }), { once: true });
  process.on('SIGHUP', reload);
  process.stdout.on('resize', resize);
  try {
    await new Promise<void>((resolve, reject) => {
      let said: FromWatchThread = {};
      thread.once('message', (message: FromWatchThread) => {
        said = message;
      });
      thread.once('error', reject);
      thread.once('exit', () => (said.failure === undefined ? resolve() : reject(errorOf(said.failure))));
    });
  } finally {
    process.off('SIGHUP', reload);
    process.stdout.off('resize', resize);
  }
}

function terminalShape(): TerminalShape {
  const { isTTY, columns, rows } = process.stdout;
  return { isTTY, columns, rows };
}
