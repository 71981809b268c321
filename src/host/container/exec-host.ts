import { InputError } from '../../model/errors.ts';
import { type CommandResult, HostError, type HostStream, type RunOptions } from '../host.ts';
import { runProcess, streamProcess } from '../run-process.ts';
import { HEARTBEAT_MS, lastLine, NO_SUCH_PROGRAM, remoteWords } from '../ssh/remote-command.ts';
import { CommandHost } from './command-host.ts';
import { Slots } from './slots.ts';

/** Each is a process here, and a connection to the daemon. */
const COMMANDS_AT_ONCE = 6;
/** The first command may have to wait for a login, or a connection to the cluster. */
const OPEN_TIMEOUT_MS = 60_000;

/** What docker and kubectl say when it is they who failed. */
const ENGINE_ERROR =
  /^(?:Error response from daemon: |Error from server |Cannot connect to the Docker daemon|Unable to connect to the server|The connection to the server |error: (?:unable|Internal error|Timeout))/im;

/** How a program is started in a container by its engine. */
export interface ExecParts {
  /** As `--on` named it. */
  readonly spec: string;
  /** The container in messages: `container web`. */
  readonly what: string;
  /** Arguments before the program: `docker exec ID`; with standard input where `interactive`. */
  readonly exec: (interactive: boolean) => readonly string[];
  /** What to do where the image lacks what is needed. */
  readonly hint: string;
}

/** A container that is only reached through its engine, with the tools of its image. */
export class ExecHost extends CommandHost {
  private readonly parts: ExecParts;
  private readonly slots: Slots = new Slots(COMMANDS_AT_ONCE);

  private constructor(parts: ExecParts) {
    super(parts.spec);
    this.parts = parts;
  }

  /** @throws InputError when nothing can be run in the container. */
  static async open(parts: ExecParts): Promise<ExecHost> {
    const host = new ExecHost(parts);
    const { what, hint } = parts;
    try {
      const { exitCode, stderr } = await host.run(['true'], { timeoutMs: OPEN_TIMEOUT_MS });
      if (exitCode === 0) return host;
      throw new InputError({
        code: 'unreachable',
        message: `Nothing can be run in ${what}: ${lastLine(stderr)}.`,
        hint,
      });
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      throw new InputError({ code: error.code, message: `Nothing can be run in ${what}: ${error.message}.`, hint });
    }
  }

  async run(argv: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
    const command = [...this.parts.exec(options.input !== undefined), ...remoteWords(argv, {})];
    const result = await this.slots.use(() => runProcess(command, options, { name: argv[0] ?? '' }));
    const failure = this.failureOf(argv, result.exitCode, result.stderr);
    if (failure !== undefined) throw failure;
    return result;
  }

  async close(): Promise<void> {}

  protected start(argv: readonly string[], onStderr?: (text: string) => void): HostStream {
    return streamProcess([...this.parts.exec(true), ...remoteWords(argv, { stream: true })], {
      // What runs in a container does not end with the client of the engine, but when its standard input does.
      holdStdin: true,
      heartbeatMs: HEARTBEAT_MS,
      askToEnd: (child) => child.stdin?.end(),
      failure: (code, stderr) =>
        this.failureOf(argv, code ?? 1, stderr) ??
        new HostError('failed', `${argv[0]} ended with exit code ${code}: ${lastLine(stderr)}`),
      ...(onStderr === undefined ? {} : { onStderr }),
    });
  }

  /** Why a command did not run at all; undefined when it did. */
  private failureOf(argv: readonly string[], exitCode: number, stderr: string): HostError | undefined {
    const { what, hint } = this.parts;
    if (exitCode === 0) return undefined;
    if (stderr.includes(NO_SUCH_PROGRAM)) {
      return new HostError('not-found', `the image of ${what} has no ${argv[0]}`, { hint });
    }
    if (/executable file not found|"?sh"?: .*no such file/i.test(stderr)) {
      return new HostError('not-found', `the image of ${what} has no shell`, { hint });
    }
    const isOfEngine = ENGINE_ERROR.test(stderr) || (exitCode === 125 && stderr.startsWith('Error: '));
    return isOfEngine ? new HostError('unreachable', `${what} is not reached: ${lastLine(stderr)}`) : undefined;
  }
}
