import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { ConnectResult } from '../src/model/facts/attempt.ts';
import type { ActorAnswer, ActorRequest, ActorTask } from './actors/tasks.ts';
import { LabError } from './exec.ts';

/** The program of an actor: beside this file where sources run directly, beside the built command line otherwise. */
const PROGRAM = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './actors/actor.ts' : './lab-actor.cjs', import.meta.url),
);

/** An actor could not do what it was told; `errno` when a system call failed. */
class ActorError extends LabError {
  override readonly name: string = 'ActorError';
  readonly errno: string | undefined;

  constructor(message: string, errno?: string) {
    super(message);
    this.errno = errno;
  }
}

/** A program in one namespace that does what the runner tells it, until it is ended. */
export class ActorProcess {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting = new Map<number, PromiseWithResolvers<readonly ConnectResult[]>>();
  #ended: Error | undefined;
  #lastId = 0;
  #stderr = '';

  /** @param enter the command that enters the namespace, to which the actor's own is appended. */
  constructor(enter: readonly string[]) {
    const [command = '', ...args] = [...enter, process.execPath, '--no-warnings', PROGRAM];
    this.#child = spawn(command, args, { stdio: 'pipe' });
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#settle(JSON.parse(line) as ActorAnswer));
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-2000);
    });
    this.#child.stdin.on('error', () => undefined);
    this.#child.on('error', (error) => this.#end(error));
    this.#child.on('close', () => this.#end(new LabError(`an actor of the lab ended early: ${this.#stderr.trim()}`)));
  }

  /** Process id: entering a namespace does not change it. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Does a task to its end. @throws ActorError */
  perform(task: ActorTask): Promise<readonly ConnectResult[]> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const request: ActorRequest = { id: ++this.#lastId, task };
    const waiting = Promise.withResolvers<readonly ConnectResult[]>();
    this.#waiting.set(request.id, waiting);
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    return waiting.promise;
  }

  /** Sends a signal; after `KILL` it is gone. */
  signal(name: 'STOP' | 'CONT' | 'KILL'): void {
    this.#child.kill(`SIG${name}`);
  }

  /** Ends it, also when it was stopped, and waits until it is gone. */
  async end(): Promise<void> {
    if (this.#ended !== undefined) return;
    const gone = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.kill('SIGKILL');
    await gone;
  }

  #settle(answer: ActorAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if ('error' in answer) waiting?.reject(new ActorError(answer.error, answer.errno));
    else waiting?.resolve(answer.results ?? []);
  }

  #end(error: Error): void {
    this.#ended ??= error;
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }
}
