import { type ChildProcess, spawn } from 'node:child_process';
import { type CommandResult, HostError, type HostStream, type RunOptions } from './host.ts';
import { hostFailure } from './host-failure.ts';
import { liveGroups } from './process-groups.ts';
import { canRunQuickly, runQuickly } from './quick-process.ts';

/** A command that runs to its end gets so long unless told otherwise. */
export const DEFAULT_TIMEOUT_MS = 10_000;
/** Largest output of a command that is kept unless told otherwise. */
export const DEFAULT_MAX_BYTES: number = 64 * 1024 * 1024;
/** Standard error is for people; more than this of it says nothing new. */
export const MAX_STDERR_BYTES: number = 64 * 1024;
/** What was asked to end gets so long before it is killed. */
const GRACE_MS = 2000;

/** How a process is started. */
export interface ProcessSettings {
  /** Surrounds the system call that starts the process: it inherits the namespaces that the thread is in at that moment. */
  readonly enter?: <T>(start: () => T) => T;
  /** Keeps the process with the terminal (so that it can ask for a password) instead of in a group of its own. */
  readonly onTerminal?: boolean;
  /** Variables that differ from those of this process; undefined takes one away. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** What the program is called in messages, when it is only the way to another one. */
  readonly name?: string;
  /** Gets what it writes to standard error, as it comes. */
  readonly onStderr?: (text: string) => void;
}

/**
 * Runs a command to its end. All processes that it started end with it, also when it takes too long or writes too much.
 * @throws HostError
 */
export function runProcess(
  argv: readonly string[],
  { input, timeoutMs = DEFAULT_TIMEOUT_MS, maxBytes = DEFAULT_MAX_BYTES }: RunOptions = {},
  settings: ProcessSettings = {},
): Promise<CommandResult> {
  const name = settings.name ?? argv[0] ?? '';
  if (settings.onTerminal !== true && canRunQuickly()) {
    const environment = { ...commandEnvironment(), ...settings.environment };
    const { enter } = settings;
    const limits = { timeoutMs, maxBytes, maxStderrBytes: MAX_STDERR_BYTES };
    return runQuickly({
      ...{ argv, name, environment, ...limits },
      ...(input === undefined ? {} : { input }),
      ...(enter === undefined ? {} : { enter }),
    });
  }
  const child = startProcess(argv, input === undefined ? 'ignore' : 'pipe', settings);
  return new Promise((resolve, reject) => {
    let failure: unknown;
    const fail = (error: unknown): void => {
      failure ??= error;
      liveGroups.kill(child, 'SIGKILL');
    };
    const timer = setTimeout(() => {
      fail(new HostError('timed-out', `${name} did not end within ${timeoutMs / 1000} s`));
      // Something that left the group may hold the pipes open for ever.
      child.stdout?.destroy();
      child.stderr?.destroy();
    }, timeoutMs);
    const stdout = collect(child.stdout, maxBytes, () =>
      fail(new HostError('failed', `${name} wrote more than ${maxBytes} bytes`)),
    );
    const stderr = collect(child.stderr, MAX_STDERR_BYTES);
    child.on('error', (error) => {
      failure = hostFailure(error, `${argv[0]} cannot be run`);
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (failure !== undefined) reject(failure);
      else if (code === null) reject(new HostError('failed', `${name} was ended by ${signal}`));
      else resolve({ exitCode: code, stdout: stdout(), stderr: stderr() });
    });
    // A command that does not read its input is free to do so.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}

/** How a stream ends, beyond what its reader sees. */
export interface StreamSettings extends ProcessSettings {
  /** Ends the command; when absent, SIGTERM does. */
  readonly askToEnd?: (child: ChildProcess) => void;
  /** Holds standard input open until the end is asked for. */
  readonly holdStdin?: boolean;
  /** Writes an empty line to it so often, to say that somebody is there. */
  readonly heartbeatMs?: number;
  /** Whether this end is an orderly one; when absent, exit code 0 is. */
  readonly isOrderly?: (code: number | null) => boolean;
  /** Makes the error for an end that is not orderly. */
  readonly failure?: (code: number | null, stderr: string) => HostError;
}

/**
 * Starts a command and hands over what it writes as it comes; it waits when nobody takes it. Reading throws HostError when the
 * command cannot be started, or ends by itself with an error.
 */
export function streamProcess(argv: readonly string[], settings: StreamSettings = {}): HostStream {
  const child = startProcess(argv, settings.holdStdin ? 'pipe' : 'ignore', settings);
  let stopped = false;
  let stderr = '';
  const { heartbeatMs } = settings;
  const beating = heartbeatMs === undefined ? undefined : setInterval(() => child.stdin?.write('\n'), heartbeatMs);
  beating?.unref();
  child.stdin?.on('error', () => {});
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = `${stderr}${text}`.slice(0, MAX_STDERR_BYTES);
    settings.onStderr?.(text);
  });
  const end = new Promise<HostError | undefined>((resolve, reject) => {
    child.on('error', (error) => {
      const failure = hostFailure(error, `${argv[0]} cannot be run`);
      if (failure instanceof HostError) resolve(failure);
      else reject(failure);
    });
    child.on('close', (code, signal) => {
      clearInterval(beating);
      const orderly = stopped || (settings.isOrderly?.(code) ?? code === 0);
      const how = code === null ? `was ended by ${signal}` : `ended with exit code ${code}`;
      const said = stderr.trim() === '' ? '' : `: ${stderr.trim()}`;
      resolve(
        orderly ? undefined : (settings.failure?.(code, stderr) ?? new HostError('failed', `${argv[0]} ${how}${said}`)),
      );
    });
  });
  end.catch(() => {});
  return {
    chunks: (async function* () {
      try {
        if (child.stdout !== null) yield* child.stdout as AsyncIterable<Uint8Array>;
      } catch (error) {
        // The reader ended the stream before the command did.
        if (!stopped) throw hostFailure(error, `${argv[0]} cannot be read`);
      }
      const failure = await end;
      if (failure !== undefined) throw failure;
    })(),
    stop() {
      if (stopped) return;
      stopped = true;
      clearInterval(beating);
      if (settings.askToEnd === undefined) liveGroups.kill(child, 'SIGTERM');
      else settings.askToEnd(child);
      setTimeout(() => liveGroups.kill(child, 'SIGKILL'), GRACE_MS).unref();
    },
  };
}

/** Starts a process whose outputs are read, and that ends with this one. */
export function startProcess(
  argv: readonly string[],
  stdin: 'ignore' | 'pipe',
  settings: ProcessSettings,
): ChildProcess {
  const [program, ...rest] = argv;
  if (program === undefined || program === '') throw new TypeError('a command needs a program');
  const enter = settings.enter ?? (<T>(start: () => T): T => start());
  const child = enter(() =>
    spawn(program, rest, {
      stdio: [stdin, 'pipe', 'pipe'],
      detached: settings.onTerminal !== true,
      env: { ...commandEnvironment(), ...settings.environment },
    }),
  );
  if (settings.onTerminal !== true) liveGroups.add(child);
  return child;
}

/** The environment of commands: messages in English, and programs of the administrator are found, as for root. */
function commandEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, LC_ALL: 'C', PATH: `${process.env.PATH || '/usr/bin:/bin'}:/usr/sbin:/sbin` };
}

function collect(stream: ChildProcess['stdout'], maxBytes: number, onTooMuch?: () => void): () => string {
  const pieces: Buffer[] = [];
  let bytes = 0;
  stream?.on('data', (piece: Buffer) => {
    if (bytes >= maxBytes) return;
    bytes += piece.length;
    pieces.push(piece);
    if (bytes > maxBytes) onTooMuch?.();
  });
  return () => Buffer.concat(pieces).toString('utf8');
}
