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
import { RemoteClock } from '../ssh/remote-clock.ts';
import { lastLine } from '../ssh/remote-command.ts';
import { connectRemotely } from '../ssh/remote-connect.ts';
import { captureWithTcpdump } from '../ssh/tcpdump-capture.ts';

/** A host where everything is done by commands: the usual tools have to be there. */
export abstract class CommandHost implements Host {
  readonly spec: string;
  private readonly clock: RemoteClock = new RemoteClock(async () => (await this.run(['date', '+%s%N'])).stdout);

  protected constructor(spec: string) {
    this.spec = spec;
  }

  abstract run(argv: readonly string[], options?: RunOptions): Promise<CommandResult>;
  abstract close(): Promise<void>;
  /** Starts a command whose output is read as it comes; it ends when it is asked to, or when the way to it breaks. */
  protected abstract start(argv: readonly string[], onStderr?: (text: string) => void): HostStream;

  async readFile(path: string): Promise<string> {
    const { exitCode, stdout, stderr } = await this.run(['cat', '--', path]);
    if (exitCode !== 0) throw fileFailure(path, stderr);
    return stdout;
  }

  async listDirectory(path: string): Promise<readonly string[]> {
    const { exitCode, stdout, stderr } = await this.run(['ls', '-1A', '--', path.replace(/\/*$/, '/')]);
    if (exitCode !== 0) throw fileFailure(path, stderr);
    return stdout
      .split('\n')
      .filter((name) => name !== '')
      .sort();
  }

  stream(argv: readonly string[]): HostStream {
    return this.start(argv);
  }

  capture(spec: CaptureSpec): Promise<HostCapture> {
    return captureWithTcpdump(spec, undefined, (argv, onStderr) => this.start(argv, onStderr));
  }

  connect(request: ConnectRequest): Promise<ConnectOutcome> {
    return connectRemotely(this, request);
  }

  nowNs(): Promise<bigint> {
    return this.clock.nowNs();
  }
}

function fileFailure(path: string, stderr: string): HostError {
  const reason = lastLine(stderr);
  if (/No such file|Not a directory/.test(reason)) return new HostError('not-found', `there is no ${path}`);
  const denied = /Permission denied|not permitted/.test(reason);
  return new HostError(denied ? 'no-permission' : 'failed', `${path} cannot be read: ${reason}`);
}
