import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type CommandResult, HostError, type HostStream, type RunOptions } from '../../host/host.ts';
import { LocalHost } from '../../host/local-host.ts';

/** This machine with tracefs mounted, in a mount namespace that only the tests see: nothing is mounted for anybody else. */
export class TracefsHost extends LocalHost {
  private readonly keeper: ChildProcess;

  private constructor(keeper: ChildProcess) {
    super();
    this.keeper = keeper;
  }

  /** Mounts it; undefined where that is not permitted. */
  static async open(): Promise<TracefsHost | undefined> {
    const script = 'mount -t tracefs tracefs /sys/kernel/tracing && echo up && exec sleep 600';
    const keeper = spawn('unshare', ['--mount', '--propagation=private', 'sh', '-c', script], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const up = await Promise.race([
      once(keeper.stdout ?? keeper, 'data').then(() => true),
      once(keeper, 'exit').then(() => false),
    ]).catch(() => false);
    return up ? new TracefsHost(keeper) : undefined;
  }

  override async run(argv: readonly string[], options?: RunOptions): Promise<CommandResult> {
    return super.run([...this.enterMount(), ...argv], options);
  }

  override stream(argv: readonly string[]): HostStream {
    return super.stream([...this.enterMount(), ...argv]);
  }

  override async readFile(path: string): Promise<string> {
    return super.readFile(this.root + path);
  }

  override async readFiles(paths: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const read = await super.readFiles(paths.map((path) => this.root + path));
    return new Map([...read].map(([path, text]) => [path.slice(this.root.length), text]));
  }

  override async listDirectory(path: string): Promise<readonly string[]> {
    const { exitCode, stdout } = await this.run(['ls', '-1A', path]);
    if (exitCode !== 0) throw new HostError('not-found', `${path} does not exist`);
    return stdout.split('\n').filter((name) => name !== '');
  }

  override async close(): Promise<void> {
    this.keeper.kill('SIGKILL');
  }

  /** Files as the mount namespace of the keeper sees them (proc(5), /proc/PID/root). */
  private get root(): string {
    return `/proc/${this.keeper.pid}/root`;
  }

  private enterMount(): string[] {
    return ['nsenter', `--mount=/proc/${this.keeper.pid}/ns/mnt`, '--'];
  }
}
