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
import { NotBegun, type RemoteChannel } from './remote-channel.ts';
import { RemoteChannels } from './remote-channels.ts';
import { RemoteClock } from './remote-clock.ts';
import { HEARTBEAT_MS, lastLine, NO_SUCH_PROGRAM, quoteForShell, remoteCommand } from './remote-command.ts';
import { connectRemotely } from './remote-connect.ts';
import { SHELL_WORDS } from './remote-shell.ts';
import { SingleCommands, type SudoUse, sudoRefused, sudoUse } from './remote-sudo.ts';
import { SshConnection } from './ssh-connection.ts';
import { type Greeting, greet } from './ssh-greeting.ts';
import { parseSshTarget } from './ssh-target.ts';
import { captureWithTcpdump } from './tcpdump-capture.ts';
import type { FilterEndpoint } from './tcpdump-filter.ts';

/** sshd allows ten sessions in one connection unless told otherwise (MaxSessions); the rest is for streams. */
const COMMANDS_AT_ONCE = 5;
/** ssh itself failed, or the command ended so. */
const SSH_FAILED = 255;

/** Another machine, through the system's ssh; nothing needs to be installed there but usual tools. */
export class SshHost implements Host {
  readonly spec: string;
  private readonly connection: SshConnection;
  private sudo: SudoUse = 'not';
  private readonly ownEnd: FilterEndpoint | undefined;
  private shells: RemoteChannels;
  private readonly clock: RemoteClock = new RemoteClock(async () => (await this.run(['date', '+%s%N'])).stdout);

  private constructor(spec: string, connection: SshConnection, { ownEnd, shell }: Greeting) {
    this.spec = spec;
    this.connection = connection;
    this.ownEnd = ownEnd;
    this.shells = this.newShells(shell);
  }

  get operator(): string | undefined {
    return this.ownEnd?.address;
  }

  /**
   * Connects to a host.
   * @param target as `--on ssh:` takes it.
   * @param sudo whether commands run as root through `sudo -n`, as far as it allows them.
   * @param mayAsk whether ssh may ask for a password or about a key, where there is a terminal.
   * @throws InputError when it cannot be reached, or sudo allows nothing there.
   */
  static async open(target: string, sudo: boolean, mayAsk: boolean = true): Promise<SshHost> {
    const connection = new SshConnection(parseSshTarget(target));
    try {
      const greeting = await greet(connection, target, mayAsk);
      const host = new SshHost(`ssh:${target}`, connection, greeting);
      if (sudo && !greeting.isRoot) await host.useSudo();
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

  run(argv: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
    const run = (words: readonly string[]): Promise<CommandResult> => this.runPlain(words, options);
    return this.sudo instanceof SingleCommands ? this.sudo.run(argv, run) : run(argv);
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
    await this.shells.end();
    this.connection.close();
  }

  /** Starts a command, and tells what it says on standard error as well. */
  startStream(argv: readonly string[], onStderr?: (text: string) => void): HostStream {
    // What runs as root cannot be ended by another user: only by the shell that sudo runs.
    const line = remoteCommand(argv, { stream: true, sudo: this.sudo === 'shell' });
    return streamProcess(this.connection.command(line), {
      holdStdin: true,
      heartbeatMs: HEARTBEAT_MS,
      askToEnd: (child) => child.stdin?.end(),
      failure: (code, stderr) =>
        this.failureOf(argv, code ?? SSH_FAILED, stderr) ??
        (code === null || code === SSH_FAILED ? this.lost(stderr) : undefined) ??
        new HostError('failed', `${argv[0]} ended with exit code ${code}: ${stderr.trim()}`),
      ...(onStderr === undefined ? {} : { onStderr }),
    });
  }

  private async useSudo(): Promise<void> {
    const use = await sudoUse(this.connection.target.host, (argv) => this.run(argv));
    // Shells that are root's take the place of those that asked.
    if (use === 'shell') {
      await this.shells.end();
      this.shells = this.newShells();
    }
    this.sudo = use;
  }

  private newShells(first?: RemoteChannel): RemoteChannels {
    return new RemoteChannels(() => this.shell(), COMMANDS_AT_ONCE, first);
  }

  /** The local command that starts a shell there which serves requests. */
  private shell(): readonly string[] {
    const words = [...(this.sudo === 'shell' ? ['sudo', '-n', '--'] : []), ...SHELL_WORDS];
    return this.connection.command(words.map(quoteForShell).join(' '));
  }

  /** Runs a command as the user that the shells are of. */
  private async runPlain(argv: readonly string[], options: RunOptions): Promise<CommandResult> {
    const { host } = this.connection.target;
    try {
      const result = (await this.shells.run(argv, options)) ?? (await this.runAlone(argv, options));
      const failure = this.failureOf(argv, result.exitCode, result.stderr);
      if (failure !== undefined) throw failure;
      return result;
    } catch (error) {
      if (!(error instanceof NotBegun)) throw error;
      throw (
        this.failureOf(argv, error.exitCode ?? SSH_FAILED, error.stderr) ??
        this.lost(error.stderr) ??
        new HostError('failed', `nothing can be run on ${host}: ${lastLine(error.stderr) || 'its shell has ended'}`)
      );
    }
  }

  /** In a session of its own, for what is too long for a shell that reads requests. */
  private async runAlone(argv: readonly string[], options: RunOptions): Promise<CommandResult> {
    const line = remoteCommand(argv, { sudo: this.sudo === 'shell' });
    const result = await runProcess(this.connection.command(line), options, { name: argv[0] ?? '' });
    const lost = result.exitCode === SSH_FAILED ? this.lost(result.stderr) : undefined;
    if (lost !== undefined) throw lost;
    return result;
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
    return this.sudo === 'shell' && exitCode === 1 && /^sudo: /m.test(stderr) ? sudoRefused(host, stderr) : undefined;
  }

  /** The error of a connection that is no more; undefined while it stands. */
  private lost(stderr: string): HostError | undefined {
    const { host } = this.connection.target;
    if (this.connection.isUp()) return undefined;
    return new HostError('unreachable', `the connection to ${host} is lost: ${lastLine(stderr) || 'ssh ended'}`);
  }

  private fileFailure(path: string, stderr: string): HostError {
    const reason = lastLine(stderr).replace(/^(?:cat|ls): (?:cannot \w+ )?(?:can't open )?/, '');
    if (/No such file|Not a directory/.test(reason)) return new HostError('not-found', `cannot read ${reason}`);
    if (!/Permission denied|not permitted/.test(reason))
      return new HostError('failed', `${path} cannot be read: ${reason}`);
    return new HostError('no-permission', `cannot read ${reason}`, { hint: 'use --sudo, or ssh:root@…' });
  }
}
