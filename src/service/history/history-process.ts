import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { HistoryCall, HistoryReply, HistoryRequest, HistoryResults } from './history-calls.ts';
import { HistoryError } from './history-error.ts';
import type { HistoryState } from './history-store.ts';
import type { SealedSegment } from './journal.ts';

/** The database is left when nobody asked for so long: it takes tens of megabytes. */
const IDLE_MS = 30_000;

interface Waiting {
  resolve(reply: HistoryReply): void;
  reject(error: Error): void;
}

/** What a call gave, and what it did to the journal. */
export interface HistoryAnswer<Result> {
  readonly result: Result;
  readonly absorbed: readonly string[];
  readonly state: HistoryState;
}

/**
 * The process that has the database open. It runs only while it is asked, so that a watch stays small; DuckDB cannot take the watch down,
 * and never keeps its event loop waiting.
 */
export class HistoryProcess {
  readonly #path: string;
  readonly #waiting: Map<number, Waiting> = new Map();
  #child: ChildProcess | undefined;
  #idle: NodeJS.Timeout | undefined;
  #nextId = 1;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * Asks the database, after it has taken over the segments.
   * @throws HistoryError, with what was taken over nevertheless in `absorbed`
   */
  async call<C extends HistoryCall>(
    call: C,
    segments: readonly SealedSegment[],
    onAbsorbed: (ids: readonly string[]) => void,
  ): Promise<HistoryAnswer<HistoryResults[C['method']]>> {
    const reply = await this.#send(call, segments);
    onAbsorbed(reply.absorbed);
    if (reply.error !== undefined) throw new HistoryError(reply.error.problem, reply.error.message, reply.error.hint);
    return { result: reply.result as HistoryResults[C['method']], absorbed: reply.absorbed, state: reply.state };
  }

  /** Whether the process runs now. */
  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  /** Lets the process end, and waits for that. */
  async close(): Promise<void> {
    clearTimeout(this.#idle);
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.disconnect();
    await ended;
  }

  #send(call: HistoryCall, segments: readonly SealedSegment[]): Promise<HistoryReply> {
    const child = this.#start();
    const id = this.#nextId;
    this.#nextId += 1;
    clearTimeout(this.#idle);
    return new Promise<HistoryReply>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      const request: HistoryRequest = { id, call, segments };
      child.send(request, (error) => {
        if (error !== null) this.#fail(id, error);
      });
    }).finally(() => {
      if (this.#waiting.size > 0) return;
      clearTimeout(this.#idle);
      this.#idle = setTimeout(() => void this.close(), IDLE_MS).unref();
    });
  }

  #start(): ChildProcess {
    if (this.#child?.connected) return this.#child;
    // The name of the file ends as that of this one: .ts where sources run directly, .cjs when built.
    const file = `./history-worker${import.meta.url.slice(import.meta.url.lastIndexOf('.'))}`;
    const child = fork(fileURLToPath(new URL(file, import.meta.url)), [this.#path], {
      serialization: 'advanced',
      execArgv: ['--max-old-space-size=256'],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-2000);
    });
    child.on('message', (reply: HistoryReply) => {
      this.#waiting.get(reply.id)?.resolve(reply);
      this.#waiting.delete(reply.id);
    });
    child.on('error', () => undefined);
    child.on('exit', (code, signal) => {
      if (this.#child === child) this.#child = undefined;
      const why = said.trim().split('\n').at(-1);
      const error = new HistoryError(
        'failed',
        `the process of the history ended with ${signal ?? code}${why ? ` (${why})` : ''}`,
        'what it was to write is kept, and it is started again',
      );
      for (const id of this.#waiting.keys()) this.#fail(id, error);
    });
    this.#child = child;
    return child;
  }

  #fail(id: number, error: Error): void {
    this.#waiting.get(id)?.reject(error);
    this.#waiting.delete(id);
  }
}
