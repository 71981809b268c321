import { type ChildProcess, spawn } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { HostError } from '../host/host.ts';
import { errorOf } from '../host/passed-failure.ts';
import { liveGroups } from '../host/process-groups.ts';
import type { AnswerOf, Operations, QuestionOf } from './operations.ts';
import type { BuildQuestion, FromTwin, ToTwin, TwinSummary } from './protocol.ts';
import type { HostState } from './state.ts';
import type { TwinOptions } from './twin.ts';

/** The program of a copy: beside this file where sources run directly, beside the built command line otherwise. */
export const TWIN_PROGRAM: string = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './runner.ts' : './twin-runner.cjs', import.meta.url),
);

/** A machine under load starts a process slowly. */
const START_MS = 30_000;
const BUILD_MS = 120_000;
const ASK_MS = 120_000;
const MAX_STDERR = 16_384;

/**
 * Goes on in a namespace whose table of connections is small, where the kernel can do that (Linux 6.1): to list half-open connections it walks
 * through all of the table, which for the whole machine has hundreds of thousands of rows. A namespace can only choose it for
 * those that it makes. Two limits follow from the size of the table: they are set to what they are with the usual one.
 */
const WITH_SMALL_TABLE = [
  ...['sh', '-c'],
  `cd /proc/sys/net/ipv4 && half=$(cat tcp_max_syn_backlog) waiting=$(cat tcp_max_tw_buckets)
  { echo 1024 >tcp_child_ehash_entries; } 2>/dev/null
  exec unshare --net -- sh -c 'half=$1 waiting=$2; shift 2
    cd /proc/sys/net/ipv4 && { echo "$half" >tcp_max_syn_backlog; echo "$waiting" >tcp_max_tw_buckets; } 2>/dev/null
    cd / && exec "$@"' sh "$half" "$waiting" "$@"`,
  'sh',
];
/** With privileges only a network namespace is needed; without, a user namespace in which this user is root as well. */
const WAYS = {
  root: ['unshare', '--net', '--', ...WITH_SMALL_TABLE],
  user: ['unshare', '--user', '--map-root-user', '--net', '--', ...WITH_SMALL_TABLE],
} as const;

interface Waiting {
  resolve(answer: unknown): void;
  reject(error: Error): void;
}

/**
 * A twin in a process of its own, in a network namespace that has no name. When the process ends, also by `kill -9`, and also when this one
 * ends, everything of it is gone.
 */
export class TwinProcess {
  /** What cannot be had because it runs without root. Empty with root. */
  readonly limits: readonly string[];
  private readonly child: ChildProcess;
  private readonly waiting = new Map<number, Waiting>();
  private lastId = 0;
  private stderr = '';
  private ended: Error | undefined;

  private constructor(child: ChildProcess, limits: readonly string[]) {
    this.child = child;
    this.limits = limits;
  }

  /** Process id, of the process in the namespace. */
  get pid(): number {
    return this.child.pid ?? 0;
  }

  /**
   * Starts the process; takes as long as Node does, so it is best begun before the state is read.
   * @param options.asUser in a user namespace, also where a network namespace alone could be had.
   * @throws HostError where no namespace can be had.
   */
  static async start({ asUser = process.getuid?.() !== 0 }: { readonly asUser?: boolean } = {}): Promise<TwinProcess> {
    if (process.platform !== 'linux') {
      throw new HostError('failed', `a copy of a host needs Linux, and this is ${process.platform}`, {
        hint: 'copy the recording to a Linux machine and prove it there',
      });
    }
    if (asUser) return TwinProcess.launch('user');
    try {
      return await TwinProcess.launch('root');
    } catch (error) {
      // Root of a container may not be allowed to, and a user namespace still may.
      if (!(error instanceof HostError) || error.code !== 'no-permission') throw error;
      return TwinProcess.launch('user');
    }
  }

  private static launch(way: keyof typeof WAYS): Promise<TwinProcess> {
    const [program, ...args] = [...WAYS[way], process.execPath, '--no-warnings', TWIN_PROGRAM];
    const child = spawn(program, args, {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      // Out of reach of a Ctrl-C in the terminal: whoever gets that ends it.
      detached: true,
    });
    liveGroups.add(child);
    const twin = new TwinProcess(child, way === 'root' ? [] : LIMITS);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => twin.end(new HostError('timed-out', 'the process of the copy did not start')),
        START_MS,
      );
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        twin.stderr = (twin.stderr + text).slice(-MAX_STDERR);
      });
      child.on('message', (message: FromTwin) => {
        if (!('ready' in message)) return twin.settle(message);
        clearTimeout(timer);
        resolve(twin);
      });
      child.on('error', (error: NodeJS.ErrnoException) => {
        clearTimeout(timer);
        const failure = new HostError(
          error.code === 'ENOENT' ? 'not-found' : 'failed',
          `the copy of a host cannot be started: ${error.code === 'ENOENT' ? 'unshare is not installed' : error.message}`,
          { cause: error, hint: 'install util-linux' },
        );
        twin.finish(failure);
        reject(failure);
      });
      child.on('close', () => {
        clearTimeout(timer);
        const failure = twin.endFailure(way);
        twin.finish(failure);
        reject(failure);
      });
    });
  }

  /**
   * Builds the copy. Once in the life of a process.
   * @throws HostError when it cannot be built at all. @throws InputError when the SYN does not fit the host.
   */
  build(state: HostState, options: TwinOptions): Promise<TwinSummary> {
    const question: BuildQuestion = { state, options };
    return this.call('build', question, BUILD_MS) as Promise<TwinSummary>;
  }

  /** Has the copy do something. The process is killed when it takes longer than `timeoutMs`. @throws HostError, InputError */
  ask<Name extends keyof Operations>(
    name: Name,
    question: QuestionOf<Name>,
    timeoutMs: number = ASK_MS,
  ): Promise<AnswerOf<Name>> {
    return this.call(name, question, timeoutMs) as Promise<AnswerOf<Name>>;
  }

  /** Ends the process, and with it everything of the copy. Safe to call twice. */
  async close(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null || this.child.pid === undefined) return;
    const gone = new Promise((resolve) => this.child.once('exit', resolve));
    this.end(new HostError('failed', 'the copy was ended'));
    await gone;
  }

  private call(name: string, question: unknown, timeoutMs: number): Promise<unknown> {
    if (this.ended !== undefined) return Promise.reject(this.ended);
    const id = ++this.lastId;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const timer = setTimeout(() => {
      this.end(
        new HostError(
          'timed-out',
          `the copy did not ${name === 'build' ? 'build' : 'answer'} within ${timeoutMs / 1000} s`,
        ),
      );
    }, timeoutMs);
    this.waiting.set(id, { resolve, reject });
    const message: ToTwin = { id, do: name, question };
    this.child.send(message, (error) => {
      if (error !== null) this.finish(this.endFailure('root'));
    });
    return promise.finally(() => clearTimeout(timer));
  }

  private settle(message: Exclude<FromTwin, { ready: true }>): void {
    const waiting = this.waiting.get(message.id);
    this.waiting.delete(message.id);
    if ('answer' in message) waiting?.resolve(message.answer);
    else if ('failure' in message) waiting?.reject(errorOf(message.failure));
    else waiting?.resolve(undefined);
  }

  private end(error: Error): void {
    this.finish(error);
    liveGroups.kill(this.child, 'SIGKILL');
  }

  private finish(error: Error): void {
    this.ended ??= error;
    for (const { reject } of this.waiting.values()) reject(this.ended);
    this.waiting.clear();
  }

  /** Why the process is gone. */
  private endFailure(way: keyof typeof WAYS): HostError {
    const said = this.stderr.trim().split('\n').at(-1) ?? '';
    if (/unshare.*(not permitted|denied|No space left)/i.test(said)) {
      return new HostError('no-permission', `a copy of a host cannot be made here: ${said}`, {
        hint:
          way === 'root'
            ? 'run as root of the machine itself'
            : 'run as root, or allow user namespaces (user.max_user_namespaces)',
      });
    }
    return new HostError('failed', `the process of the copy ended early${said === '' ? '' : `: ${said}`}`);
  }
}

const LIMITS: readonly string[] = [
  'without root the kernel does not tell at which function the copy drops a packet',
  'without root all listeners of the copy belong to one user',
];
