import { InputError } from '../../model/errors.ts';
import { type CommandResult, type Host, HostError, type HostStream, type RunOptions } from '../host.ts';
import { CommandHost } from './command-host.ts';
import { NAME_SERVICE_SOCKETS, type OwnEtc, runInOwnView } from './own-etc.ts';

/** Holds the namespaces of a process open by being in them; tells its own id first. */
const HOLD = 'echo "$$"; exec sleep 2147483647';

/** A host that is asked by commands, and tells what they say on standard error. */
export interface CommandBase extends Host {
  startStream(argv: readonly string[], onStderr?: (text: string) => void): HostStream;
}

/** The network namespace of a process on another machine, with the tools of that machine. */
export class NodeNamespaceHost extends CommandHost {
  private readonly base: CommandBase;
  private readonly holder: { readonly pid: number; readonly stream: HostStream };
  private readonly etc: OwnEtc | undefined;

  private constructor(spec: string, base: CommandBase, holder: NodeNamespaceHost['holder'], etc: OwnEtc | undefined) {
    super(spec);
    this.base = base;
    this.holder = holder;
    this.etc = etc;
  }

  /**
   * Enters the namespaces of a process.
   * @param base gets closed with this host.
   * @throws InputError when there is no such process, or it may not be entered.
   */
  static async open(spec: string, base: CommandBase, pid: number): Promise<NodeNamespaceHost> {
    let stream: HostStream | undefined;
    try {
      const etc = await etcOf(base, pid);
      stream = base.startStream(['nsenter', '--target', `${pid}`, '--net', '--uts', '--', 'sh', '-c', HOLD]);
      const { value } = await stream.chunks[Symbol.asyncIterator]().next();
      const holder = Number(value === undefined ? '' : Buffer.from(value).toString());
      if (!Number.isInteger(holder) || holder < 2) throw new HostError('failed', 'nsenter started nothing');
      return new NodeNamespaceHost(spec, base, { pid: holder, stream }, etc);
    } catch (error) {
      stream?.stop();
      await base.close();
      if (!(error instanceof HostError)) throw error;
      const { code, message, hint = 'It takes root there: ssh:root@…, or --sudo.' } = error;
      throw new InputError({ code, message: `Process ${pid} of ${base.spec} cannot be entered: ${message}.`, hint });
    }
  }

  run(argv: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
    const run = (words: readonly string[], settings: RunOptions): Promise<CommandResult> =>
      this.base.run(this.enter(words), settings);
    return runInOwnView(argv, options, { etc: this.etc, run });
  }

  override async readFile(path: string): Promise<string> {
    const own = path.startsWith('/etc/') ? await this.etc?.readFile(path) : undefined;
    return own ?? super.readFile(path);
  }

  async close(): Promise<void> {
    this.holder.stream.stop();
    await this.base.close();
  }

  protected start(argv: readonly string[], onStderr?: (text: string) => void): HostStream {
    return this.base.startStream(this.enter(argv), onStderr);
  }

  private enter(argv: readonly string[]): readonly string[] {
    const { pid } = this.holder;
    return ['nsenter', `--net=/proc/${pid}/ns/net`, `--uts=/proc/${pid}/ns/uts`, '--', ...argv];
  }
}

/**
 * Files of /etc of a process in a container on another machine, as they were when it was opened. Only those are read that the engine has
 * mounted there: what lies beside them may be a symbolic link of the container's own making, to any file of that machine.
 */
async function etcOf(base: Host, pid: number): Promise<OwnEtc | undefined> {
  const { stdout: links } = await base.run(['readlink', '/proc/self/ns/mnt', `/proc/${pid}/ns/mnt`]);
  const [ours, theirs] = links.trim().split('\n');
  if (theirs === undefined) throw new HostError('not-found', 'it has ended, or may not be looked at');
  if (ours === theirs) return undefined;
  const mounted = new Set(
    (await base.readFile(`/proc/${pid}/mountinfo`)).split('\n').map((line) => line.split(' ')[4]),
  );
  const files = new Map<string, string>();
  for (const path of ['/etc/hosts', '/etc/resolv.conf']) {
    if (mounted.has(path)) files.set(path, await base.readFile(`/proc/${pid}/root${path}`));
  }
  return {
    async readFile(path) {
      const text = files.get(path);
      if (text === undefined) throw new HostError('not-found', `${path} of the container is not read from outside`);
      return text;
    },
    hiddenSockets: async () => NAME_SERVICE_SOCKETS.filter((path) => !mounted.has(path)),
  };
}
