import { InputError } from '../../model/errors.ts';
import {
  type CaptureSpec,
  type CommandResult,
  type ConnectOutcome,
  type ConnectRequest,
  type Host,
  type HostCapture,
  HostError,
  type HostStream,
  type RunOptions,
} from '../host.ts';
import { runProcess, streamProcess } from '../run-process.ts';
import { RemoteClock } from './remote-clock.ts';
import { NO_SUCH_PROGRAM, remoteCommand } from './remote-command.ts';
import { connectRemotely } from './remote-connect.ts';
import { Slots } from './slots.ts';
import { SshConnection } from './ssh-connection.ts';
import { parseSshTarget } from './ssh-target.ts';
import { captureWithTcpdump } from './tcpdump-capture.ts';
import type { FilterEndpoint } from './tcpdump-filter.ts';

/** sshd allows ten sessions in one connection unless told otherwise (MaxSessions); the rest is for streams. */
const COMMANDS_AT_ONCE = 7;
/** A password may have to be typed. */
const OPEN_TIMEOUT_MS = 120_000;
/** ssh itself failed, or the command ended so. */
const SSH_FAILED = 255;

/** Another machine, through the system's ssh; nothing needs to be installed there but usual tools. */
export class SshHost implements Host {
  readonly spec: string;
  private readonly connection: SshConnection;
  private readonly sudo: boolean;
  private readonly ownEnd: FilterEndpoint | undefined;
  private readonly slots: Slots = new Slots(COMMANDS_AT_ONCE);
  private readonly clock: RemoteClock = new RemoteClock(async () => (await this.run(['date', '+%s%N'])).stdout);

  private constructor(spec: string, connection: SshConnection, sudo: boolean, ownEnd: FilterEndpoint | undefined) {
    this.spec = spec;
    this.connection = connection;
    this.sudo = sudo;
    this.ownEnd = ownEnd;
  }

  get operator(): string | undefined {
    return this.ownEnd?.address;
  }

  /**
   * Connects to a host.
   * @param target as `--on ssh:` takes it.
   * @param sudo whether commands run as root through `sudo -n`.
   * @param mayAsk whether ssh may ask for a password or about a key, where there is a terminal.
   * @throws InputError when it cannot be reached, or sudo asks for a password there.
   */
  static async open(target: string, sudo: boolean, mayAsk: boolean = true): Promise<SshHost> {
    const connection = new SshConnection(parseSshTarget(target));
    try {
      const { ownEnd, isRoot } = await greet(connection, target, mayAsk);
      const host = new SshHost(`ssh:${target}`, connection, sudo && !isRoot, ownEnd);
      if (sudo) await host.run(['true']);
      return host;
    } catch (error) {
      connection.close();
      if (!(error instanceof HostError)) throw error;
      const { code, message, hint } = error;
      throw new InputError({ code, message: `${message}.`, ...(hint === undefined ? {} : { hint }) }, { cause: error });
    }
  }

  async readFile(path: string): Promise<string> {
    const { exitCode, stdout, stderr } = await this.run(['cat', '--', path]);
    if (exitCode !== 0) throw this.fileFailure(path, stderr);
    return stdout;
  }

  async listDirectory(path: string): Promise<readonly string[]> {
    const { exitCode, stdout, stderr } = await this.run(['ls', '-1A', '--', path.replace(/\/*$/, '/')]);
    if (exitCode !== 0) throw this.fileFailure(path, stderr);
    return stdout
      .split('\n')
      .filter((name) => name !== '')
      .sort();
  }

  async run(argv: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
    const line = remoteCommand(argv, { sudo: this.sudo });
    const result = await this.slots.use(() =>
      runProcess(this.connection.command(line), options, { name: argv[0] ?? '' }),
    );
    const failure = this.failureOf(argv, result.exitCode, result.stderr);
    if (failure !== undefined) throw failure;
    return result;
  }

  stream(argv: readonly string[]): HostStream {
    return this.startStream(argv);
  }

  capture(spec: CaptureSpec): Promise<HostCapture> {
    return captureWithTcpdump(spec, this.ownEnd, (argv, onStderr) => this.startStream(argv, onStderr));
  }

  connect(request: ConnectRequest): Promise<ConnectOutcome> {
    return connectRemotely(this, request);
  }

  nowNs(): Promise<bigint> {
    return this.clock.nowNs();
  }

  async close(): Promise<void> {
    this.connection.close();
  }

  /** Starts a command, and tells what it says on standard error as well. */
  startStream(argv: readonly string[], onStderr?: (text: string) => void): HostStream {
    const line = remoteCommand(argv, { stream: true, sudo: this.sudo });
    return streamProcess(this.connection.command(line), {
      holdStdin: true,
      askToEnd: (child) => child.stdin?.end(),
      failure: (code, stderr) =>
        this.failureOf(argv, code ?? SSH_FAILED, stderr) ??
        new HostError('failed', `${argv[0]} ended with exit code ${code}: ${stderr.trim()}`),
      ...(onStderr === undefined ? {} : { onStderr }),
    });
  }

  /** Why a command did not run at all; undefined when it did. */
  private failureOf(argv: readonly string[], exitCode: number, stderr: string): HostError | undefined {
    const { host } = this.connection.target;
    const program = argv[0] ?? '';
    if (exitCode === 127 && stderr.includes(NO_SUCH_PROGRAM)) {
      return new HostError('not-found', `there is no ${program} on ${host}`);
    }
    if (exitCode === 126) {
      return new HostError('no-permission', `${program} cannot be run on ${host}: ${lastLine(stderr)}`);
    }
    if (this.sudo && exitCode === 1 && /^sudo: /m.test(stderr)) return sudoRefused(host, stderr);
    if (exitCode === SSH_FAILED && !this.connection.isUp()) {
      return new HostError('unreachable', `the connection to ${host} is lost: ${lastLine(stderr) || 'ssh ended'}`);
    }
    return undefined;
  }

  private fileFailure(path: string, stderr: string): HostError {
    const reason = lastLine(stderr).replace(/^(?:cat|ls): (?:cannot \w+ )?(?:can't open )?/, '');
    if (/No such file|Not a directory/.test(reason)) return new HostError('not-found', `cannot read ${reason}`);
    if (!/Permission denied|not permitted/.test(reason))
      return new HostError('failed', `${path} cannot be read: ${reason}`);
    return new HostError('no-permission', `cannot read ${reason}`, { hint: 'use --sudo, or ssh:root@…' });
  }
}

interface Greeting {
  readonly ownEnd: FilterEndpoint | undefined;
  readonly isRoot: boolean;
}

/** Opens the connection, and asks who we are there and from where we come. */
async function greet(connection: SshConnection, target: string, isAllowed: boolean): Promise<Greeting> {
  const mayAsk = isAllowed && process.stdin.isTTY === true && process.stderr.isTTY === true;
  const line = remoteCommand(['sh', '-c', 'id -u; echo "$SSH_CONNECTION"'], {});
  let answer: CommandResult;
  try {
    answer = await runProcess(
      connection.command(line, mayAsk),
      { timeoutMs: OPEN_TIMEOUT_MS },
      { onTerminal: mayAsk, name: 'ssh' },
    );
  } catch (error) {
    if (!(error instanceof HostError) || error.code !== 'not-found') throw error;
    throw new HostError('not-found', 'ssh is not installed on this machine', { cause: error });
  }
  const { exitCode, stdout, stderr } = answer;
  if (exitCode !== 0) {
    if (/REMOTE HOST IDENTIFICATION HAS CHANGED/.test(stderr)) throw wrongKey(target, stderr);
    const denied = /Permission denied|Host key verification failed/.test(stderr);
    const message = `${target} cannot be reached: ${lastLine(stderr) || 'ssh failed'}`.replace(/\.$/, '');
    const hint = 'Make sure that ssh reaches it with a key, without a question.';
    throw new HostError('unreachable', message, denied ? { hint } : {});
  }
  const [uid, from = ''] = stdout.trim().split('\n');
  const [, address, port] = /^(\S+) (\d+) /.exec(from) ?? [];
  return {
    isRoot: uid === '0',
    ownEnd: address === undefined || port === undefined ? undefined : { address, port: Number(port) },
  };
}

/** Somebody else may answer in its place: that is for a person to decide. */
function wrongKey(target: string, stderr: string): HostError {
  const [, file, line] = /^Offending \S+ key in (\S+):(\d+)/m.exec(stderr) ?? [];
  const known = file === undefined ? 'the known_hosts file' : `line ${line} of ${file}`;
  return new HostError('unreachable', `${target} is not trusted: its host key is another than ${known} says`, {
    hint: `Make sure that it is the right machine; if its key was really changed: ssh-keygen -R HOST${file === undefined ? '' : ` -f ${file}`}`,
  });
}

function sudoRefused(host: string, stderr: string): HostError {
  return new HostError('no-permission', `sudo on ${host} refuses: ${lastLine(stderr).replace(/^sudo: /, '')}`, {
    hint: 'let that user run commands through sudo without a password, or use ssh:root@…',
  });
}

function lastLine(text: string): string {
  return text.trim().split(/\r?\n/).at(-1)?.trim() ?? '';
}
