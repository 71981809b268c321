import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { type CommandResult, HostError, type RunOptions } from '../host.ts';
import { hostFailure } from '../host-failure.ts';
import { liveGroups } from '../process-groups.ts';
import {
  DEFAULT_MAX_BYTES,
  DEFAULT_TIMEOUT_MS,
  MAX_STDERR_BYTES,
  type ProcessSettings,
  startProcess,
} from '../run-process.ts';
import { MarkedOutput, parseExitCode, SHELL_DONE, SHELL_KILL, shellRequest } from './remote-shell.ts';

/** What was killed over there has to be gone after so long, or the channel is. */
const KILL_MS = 2000;
/** An orderly end of the shell takes no longer. */
const END_MS = 1500;

/** The shell over there ended before it began a command. */
export class NotBegun extends Error {
  override readonly name: string = 'NotBegun';
  /** What it said, and how it ended. */
  readonly stderr: string;
  readonly exitCode: number | null;

  constructor(stderr: string, exitCode: number | null) {
    super('the shell there has ended');
    this.stderr = stderr;
    this.exitCode = exitCode;
  }
}

/** The command that runs in a channel. */
interface Running {
  readonly stdout: MarkedOutput;
  readonly stderr: MarkedOutput;
  readonly maxBytes: number;
  readonly name: string;
  readonly timer: NodeJS.Timeout;
  /** It was told to end: what it says does not count. */
  failure?: HostError;
  resolve(result: CommandResult): void;
  reject(error: Error): void;
}

/** A process that reaches a shell on another machine, which runs commands for us, one at a time. */
export class RemoteChannel {
  private readonly child: ChildProcess;
  /** Resolves when it takes commands, or with why it never will. */
  readonly ready: Promise<NotBegun | undefined>;
  private readonly ended: Promise<void>;
  private readonly onStderr: ((text: string) => void) | undefined;
  private running: Running | undefined;
  private said = '';
  private over = false;

  /** @param argv starts the shell: see `SHELL_WORDS`. */
  constructor(argv: readonly string[], settings: ProcessSettings = {}) {
    this.child = startProcess(argv, 'pipe', settings);
    this.onStderr = settings.onStderr;
    const { child } = this;
    child.stdin?.on('error', () => {});
    child.stdout?.on('data', (chunk: Buffer) => this.take('stdout', chunk));
    child.stderr?.on('data', (chunk: Buffer) => this.take('stderr', chunk));
    let isReady: (failure?: NotBegun) => void = () => {};
    this.ready = new Promise((resolve) => {
      isReady = resolve;
    });
    child.stdout?.once('data', () => isReady());
    this.ended = new Promise((resolve) => {
      child.on('error', (error) => {
        this.fail(hostFailure(error, `${argv[0]} cannot be run`));
        isReady(new NotBegun(`${error}`, null));
        resolve();
      });
      child.on('close', (code) => {
        this.fail(undefined, code);
        isReady(new NotBegun(this.said, code));
        resolve();
      });
    });
  }

  /** Whether it takes no more commands. */
  get isOver(): boolean {
    return this.over;
  }

  /**
   * Runs a command to its end; undefined when it is too long for this way. It must be idle.
   * @throws HostError
   * @throws NotBegun when it was not run at all.
   */
  run(argv: readonly string[], options: RunOptions): Promise<CommandResult> | undefined {
    const { input, timeoutMs = DEFAULT_TIMEOUT_MS, maxBytes = DEFAULT_MAX_BYTES } = options;
    const token = randomBytes(16).toString('hex');
    const request = shellRequest(token, argv, input);
    if (request === undefined) return undefined;
    if (this.over) return Promise.reject(new NotBegun(this.said, null));
    if (this.running !== undefined) throw new TypeError('a channel runs one command at a time');
    const name = argv[0] ?? '';
    return new Promise((resolve, reject) => {
      const late = new HostError('timed-out', `${name} did not end within ${timeoutMs / 1000} s`);
      this.running = {
        stdout: new MarkedOutput(token, maxBytes),
        stderr: new MarkedOutput(token, MAX_STDERR_BYTES),
        maxBytes,
        name,
        timer: setTimeout(() => this.abandon(late), timeoutMs),
        resolve,
        reject,
      };
      this.child.stdin?.write(request);
    });
  }

  /** Ends the shell, and what it runs; resolves when it is gone. */
  async end(): Promise<void> {
    this.over = true;
    this.child.stdin?.end();
    const timer = setTimeout(() => liveGroups.kill(this.child, 'SIGKILL'), END_MS);
    await this.ended;
    clearTimeout(timer);
  }

  private take(output: 'stdout' | 'stderr', chunk: Buffer): void {
    const { running } = this;
    if (output === 'stderr' && running?.stderr.hasBegun !== true) {
      this.said = `${this.said}${chunk.toString('utf8')}`.slice(-MAX_STDERR_BYTES);
      this.onStderr?.(chunk.toString('utf8'));
    }
    if (running === undefined) return;
    running[output].push(chunk);
    const { stdout, stderr, maxBytes, name } = running;
    if (stdout.bytes > maxBytes) this.abandon(new HostError('failed', `${name} wrote more than ${maxBytes} bytes`));
    if (stdout.tail !== undefined && stderr.tail !== undefined) this.finish(running, stdout.tail);
  }

  private finish(running: Running, tail: string): void {
    this.running = undefined;
    this.said = '';
    clearTimeout(running.timer);
    this.child.stdin?.write(SHELL_DONE);
    if (running.failure !== undefined) {
      running.reject(running.failure);
      return;
    }
    try {
      running.resolve({ exitCode: parseExitCode(tail), stdout: running.stdout.text(), stderr: running.stderr.text() });
    } catch (error) {
      running.reject(error as Error);
    }
  }

  /** Kills what runs; its answer is only waited for. */
  private abandon(failure: HostError): void {
    const { running } = this;
    if (running === undefined || running.failure !== undefined) return;
    running.failure = failure;
    clearTimeout(running.timer);
    this.child.stdin?.write(SHELL_KILL);
    const timer = setTimeout(() => {
      if (this.running === running) liveGroups.kill(this.child, 'SIGKILL');
    }, KILL_MS);
    timer.unref();
  }

  private fail(error: unknown, code: number | null = null): void {
    this.over = true;
    const { running } = this;
    if (running === undefined) return;
    this.running = undefined;
    clearTimeout(running.timer);
    if (running.failure !== undefined) running.reject(running.failure);
    else if (error instanceof HostError) running.reject(error);
    else if (!running.stdout.hasBegun) running.reject(new NotBegun(this.said, code));
    else running.reject(new HostError('unreachable', `the connection was lost while ${running.name} ran`));
  }
}
