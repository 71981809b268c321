import { isOfDevices, type OwnEtc, type RunThere, runInOwnView } from './container/own-etc.ts';
import { type CommandResult, HostError, type RunOptions } from './host.ts';
import { LocalHost } from './local-host.ts';
import type { NetworkNamespace } from './network-namespace.ts';
import type { Enter } from './read-text.ts';
import { runProcess } from './run-process.ts';

/** What a {@link NamespaceHost} consists of. */
export interface NamespaceParts {
  /** As `--on` named it. */
  readonly spec: string;
  readonly namespace: NetworkNamespace;
  /** Files of /etc that are not those of the machine. */
  readonly etc?: OwnEtc | undefined;
  /** Variables of commands that differ from our own; undefined takes one away. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** A network namespace of this machine; all else of the machine is as `local` sees it. */
export class NamespaceHost extends LocalHost {
  override readonly spec: string;
  protected override readonly enter: Enter;
  private readonly parts: NamespaceParts;

  constructor(parts: NamespaceParts) {
    super();
    this.parts = parts;
    this.spec = parts.spec;
    this.enter = (run) => parts.namespace.enter(run);
  }

  override get environment(): Readonly<Record<string, string | undefined>> {
    return { ...super.environment, ...this.parts.environment };
  }

  override async run(argv: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
    const { etc, environment = {} } = this.parts;
    const run: RunThere = (words, settings) =>
      runProcess(words, settings, { enter: this.enter, environment, name: argv[0] ?? '' });
    return runInOwnView(argv, options, { etc, run });
  }

  override async readFile(path: string): Promise<string> {
    const own = path.startsWith('/etc/') ? await this.parts.etc?.readFile(path) : undefined;
    if (own !== undefined) return own;
    if (!isOfDevices(path)) return super.readFile(ofThread(path));
    const { exitCode, stdout, stderr } = await this.run(['cat', '--', path]);
    if (exitCode !== 0) throw sysfsFailure(path, stderr);
    return stdout;
  }

  override async readFiles(paths: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const files = new Map<string, string>();
    const read = await super.readFiles(paths.filter((path) => !isSpecial(path)).map(ofThread));
    for (const path of paths) {
      const text = isSpecial(path) ? await this.readIfAny(path) : read.get(ofThread(path));
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

  /** A file as {@link readFiles} tells it. */
  private async readIfAny(path: string): Promise<string | undefined> {
    try {
      const text = await this.readFile(path);
      return text === '' ? undefined : text.replace(/\n$/, '');
    } catch (error) {
      if (error instanceof HostError) return undefined;
      throw error;
    }
  }

  override async close(): Promise<void> {
    await super.close();
    this.parts.namespace.close();
  }
}

/** A file that is not read as the others are. */
function isSpecial(path: string): boolean {
  return isOfDevices(path) || path.startsWith('/etc/');
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
