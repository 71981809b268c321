import { type CommandResult, HostError, type RunOptions } from './host.ts';
import { LocalHost } from './local-host.ts';
import { type NetworkNamespace, openNamespace } from './network-namespace.ts';
import type { Enter } from './read-text.ts';

/**
 * Shows a program the file system of the devices of its own network namespace: /sys shows those of the namespace that it was
 * mounted in. The mount is the program's alone and ends with it. The arguments follow.
 */
const WITH_OWN_SYSFS: readonly string[] = [
  'unshare',
  '--mount',
  '--propagation=private',
  'sh',
  '-c',
  'mount -t sysfs sysfs /sys && exec "$@"',
  'sh',
];

/** A network namespace of this machine; all else of the machine is as `local` sees it. */
export class NetnsHost extends LocalHost {
  override readonly spec: string;
  protected override readonly enter: Enter;
  private readonly namespace: NetworkNamespace;

  /**
   * @param name as `--on netns:` takes it.
   * @throws InputError when there is no such namespace.
   */
  constructor(name: string) {
    super();
    this.spec = `netns:${name}`;
    this.namespace = openNamespace(name);
    this.enter = (run) => this.namespace.enter(run);
  }

  override run(argv: readonly string[], options?: RunOptions): Promise<CommandResult> {
    return super.run(argv.some(isOfDevices) ? [...WITH_OWN_SYSFS, ...argv] : argv, options);
  }

  override async readFile(path: string): Promise<string> {
    if (!isOfDevices(path)) return super.readFile(ofThread(path));
    const { exitCode, stdout, stderr } = await this.run(['cat', '--', path]);
    if (exitCode !== 0) throw sysfsFailure(path, stderr);
    return stdout;
  }

  override async readFiles(paths: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const files = new Map<string, string>();
    const read = await super.readFiles(paths.filter((path) => !isOfDevices(path)).map(ofThread));
    for (const path of paths) {
      const text = isOfDevices(path) ? await this.readDeviceFile(path) : read.get(ofThread(path));
      if (text !== undefined) files.set(path, text);
    }
    return files;
  }

  override async listDirectory(path: string): Promise<readonly string[]> {
    if (!isOfDevices(path)) return super.listDirectory(ofThread(path));
    const { exitCode, stdout, stderr } = await this.run(['ls', '-1A', '--', `${path}/`]);
    if (exitCode !== 0) throw sysfsFailure(path, stderr);
    return stdout
      .split('\n')
      .filter((name) => name !== '')
      .sort();
  }

  /** A file of a device as {@link readFiles} tells it. */
  private async readDeviceFile(path: string): Promise<string | undefined> {
    try {
      const text = await this.readFile(path);
      return text === '' ? undefined : text.replace(/\n$/, '');
    } catch (error) {
      if (error instanceof HostError) return undefined;
      throw error;
    }
  }

  override async close(): Promise<void> {
    this.namespace.close();
  }
}

function isOfDevices(path: string): boolean {
  return /^\/sys\/(class\/net|devices)(\/|$)/.test(path);
}

/** /proc/net follows the first thread of the process, which need not be this one. */
function ofThread(path: string): string {
  return path.replace(/^\/proc\/(?:self\/)?net(?=\/|$)/, '/proc/thread-self/net');
}

function sysfsFailure(path: string, stderr: string): HostError {
  const reason = stderr.trim().split('\n').at(-1) ?? '';
  const code = /No such file/.test(reason)
    ? 'not-found'
    : /ermission|not permitted/.test(reason)
      ? 'no-permission'
      : 'failed';
  return new HostError(code, `${path} cannot be read: ${reason}`);
}
