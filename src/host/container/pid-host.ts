import { InputError } from '../../model/errors.ts';
import { HostError } from '../host.ts';
import { NamespaceHost, type NamespaceParts } from '../namespace-host.ts';
import { cannotOpen, holdNamespaces, type NamespaceFile, type NetworkNamespace } from '../network-namespace.ts';
import { isSystemError } from '../system-error.ts';
import { NAME_SERVICE_SOCKETS, type OwnEtc, RESOLVER_FILE_NAMES } from './own-etc.ts';
import { ProcessEnded, ProcessFolder } from './process-folder.ts';

/**
 * Opens the network namespace of a process of this machine. It stays open when the process ends.
 * @param spec as `--on` named it.
 * @throws InputError when there is no such process, or its namespace may not be seen.
 */
export async function openProcess(pid: number, spec: string): Promise<NamespaceHost> {
  const folder = new ProcessFolder(pid);
  let namespace: NetworkNamespace | undefined;
  try {
    namespace = holdNamespacesOf(folder);
    const etc = folder.sharesFiles() ? undefined : new ProcessEtc(folder);
    await etc?.remember();
    return new ProcessHost({ spec, namespace, etc, environment: proxiesOf(folder) }, folder);
  } catch (error) {
    namespace?.close();
    folder.close();
    throw isEnd(error) ? hasEnded(pid, error) : cannotOpen(`Process ${pid}`, error);
  }
}

/**
 * Reads what `--on pid:` takes.
 * @throws InputError when it is no process id.
 */
export function parsePid(text: string): number {
  if (/^[1-9]\d{0,9}$/.test(text)) return Number(text);
  throw new InputError({ code: 'bad-host', message: `pid: takes the id of a process, and "${text}" is none.` });
}

class ProcessHost extends NamespaceHost {
  private readonly folder: ProcessFolder;

  constructor(parts: NamespaceParts, folder: ProcessFolder) {
    super(parts);
    this.folder = folder;
  }

  override async close(): Promise<void> {
    await super.close();
    this.folder.close();
  }
}

/** The network, and what the process calls itself: the name of a container is that of its UTS namespace. */
function holdNamespacesOf(folder: ProcessFolder): NetworkNamespace {
  const files = (['net', 'uts'] as const).map((kind): NamespaceFile => ({ kind, path: folder.path(`ns/${kind}`) }));
  return holdNamespaces(`the network namespace of process ${folder.pid}`, files);
}

/** Files of /etc of a process in a container. Those that count for names are remembered for when it has ended. */
class ProcessEtc implements OwnEtc {
  private readonly folder: ProcessFolder;
  private readonly remembered = new Map<string, string>();
  private hidden: readonly string[] = [];

  constructor(folder: ProcessFolder) {
    this.folder = folder;
  }

  async remember(): Promise<void> {
    for (const name of RESOLVER_FILE_NAMES) {
      await this.readFile(`/etc/${name}`).catch((error: unknown) => {
        if (!(error instanceof HostError)) throw error;
      });
    }
    this.hidden = NAME_SERVICE_SOCKETS.filter((path) => !this.folder.hasBelowRoot(path));
  }

  async readFile(path: string): Promise<string> {
    try {
      const text = await this.folder.readBelowRoot(path);
      this.remembered.set(path, text);
      return text;
    } catch (error) {
      const text = error instanceof ProcessEnded ? this.remembered.get(path) : undefined;
      if (text === undefined) throw error;
      return text;
    }
  }

  async hiddenSockets(): Promise<readonly string[]> {
    return this.hidden;
  }
}

/** Commands get the proxies of the process, not ours. */
function proxiesOf(folder: ProcessFolder): Record<string, string | undefined> {
  const isProxy = (name: string): boolean => /^[a-z]*_proxy$/i.test(name);
  const own = Object.keys(process.env).filter(isProxy);
  const theirs = (folder.readIfAny('environ') ?? '').split('\0').flatMap((variable) => {
    const at = variable.indexOf('=');
    return at > 0 && isProxy(variable.slice(0, at)) ? [[variable.slice(0, at), variable.slice(at + 1)] as const] : [];
  });
  return Object.fromEntries([...own.map((name) => [name, undefined] as const), ...theirs]);
}

function isEnd(error: unknown): boolean {
  return error instanceof ProcessEnded || (isSystemError(error) && (error.code === 'ENOENT' || error.code === 'ESRCH'));
}

function hasEnded(pid: number, cause: unknown): InputError {
  return new InputError({ code: 'not-found', message: `Process ${pid} has ended.` }, { cause });
}
