import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { isSystemError } from '../../host/system-error.ts';
import { TWIN_PROGRAM } from '../../twin/twin-process.ts';

/** A network namespace that exists now. */
export interface FoundNamespace {
  /** Inode of the namespace: what it is called by the kernel. */
  readonly inode: string;
  /** As `--on` names it: `local`, `netns:web`, `pid:4711`. */
  readonly spec: string;
  /** File through which it can be entered; absent for that of this process. */
  readonly path?: string;
}

const NAMED = '/run/netns';
/** Every so many times every process is asked anew: it may have gone to another namespace, or its number to another process. */
const FULL_SCAN = 12;

/** Finds the network namespaces of this machine again and again, with little work as long as no process begins. */
export class NamespaceScanner {
  private pids: Map<number, string> = new Map();
  private scans = 0;

  /**
   * Our own namespace, those that have a name, and those that a process lives in. One with a name goes by it; another by its oldest
   * process.
   */
  scan(): FoundNamespace[] {
    const found = new Map(namedNamespaces().map((one) => [one.inode, one]));
    const isFull = this.scans++ % FULL_SCAN === 0;
    const pids = new Map<number, string>();
    for (const name of namesIn('/proc')) {
      if (!/^\d+$/.test(name)) continue;
      const pid = Number(name);
      const inode = (isFull ? undefined : this.pids.get(pid)) ?? inodeOf(`/proc/${pid}/ns/net`);
      if (inode !== undefined) pids.set(pid, inode);
    }
    this.pids = pids;
    const copies = new Set<string>();
    for (const pid of [...pids.keys()].sort((a, b) => a - b)) {
      const inode = pids.get(pid)!;
      if (found.has(inode) || copies.has(inode)) continue;
      if (isCopy(pid)) copies.add(inode);
      else found.set(inode, { inode, spec: `pid:${pid}`, path: `/proc/${pid}/ns/net` });
    }
    return [...found.values()];
  }
}

/** Our own namespace, and those that have a name. */
export function namedNamespaces(): FoundNamespace[] {
  const found = new Map<string, FoundNamespace>();
  const own = inodeOf('/proc/self/ns/net');
  if (own !== undefined) found.set(own, { inode: own, spec: 'local' });
  for (const name of namesIn(NAMED)) {
    const path = `${NAMED}/${name}`;
    const inode = fileInode(path);
    if (inode !== undefined && !found.has(inode)) found.set(inode, { inode, spec: `netns:${name}`, path });
  }
  return [...found.values()];
}

/** Whether a name is asked for: `*` stands for everything, and at the end for any rest. */
export function isWanted(spec: string, include: readonly string[], exclude: readonly string[]): boolean {
  const fits = (pattern: string): boolean => {
    const names = [spec, spec.replace(/^netns:/, '')];
    return pattern.endsWith('*')
      ? names.some((name) => name.startsWith(pattern.slice(0, -1)))
      : names.includes(pattern);
  };
  return include.some(fits) && !exclude.some(fits);
}

/** Whether a process is that of a copy of a host, in which handshakes fail because somebody tries what makes them fail. */
function isCopy(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(TWIN_PROGRAM);
  } catch (error) {
    if (isSystemError(error)) return false;
    throw error;
  }
}

/** A process that ends meanwhile, or that is not ours to look at, has none. */
function inodeOf(path: string): string | undefined {
  try {
    return /^net:\[(\d+)\]$/.exec(readlinkSync(path))?.[1];
  } catch (error) {
    if (isSystemError(error)) return undefined;
    throw error;
  }
}

/** A name whose namespace was not mounted (yet) has the inode of an empty file: another file system. */
function fileInode(path: string): string | undefined {
  try {
    const { ino, size, dev } = statSync(path);
    const reference = statSync('/proc/self/ns/net').dev;
    return dev === reference && size === 0 ? String(ino) : undefined;
  } catch (error) {
    if (isSystemError(error)) return undefined;
    throw error;
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (isSystemError(error)) return [];
    throw error;
  }
}
