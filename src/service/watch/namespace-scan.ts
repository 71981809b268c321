import { readdirSync, readlinkSync, statSync } from 'node:fs';
import { isSystemError } from '../../host/system-error.ts';

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

/**
 * Finds the network namespaces of this machine: our own, those that have a name, and those that a process lives in. One with a name goes by
 * it; another by its oldest process.
 */
export function scanNamespaces(): FoundNamespace[] {
  const found = new Map<string, FoundNamespace>();
  const own = inodeOf('/proc/self/ns/net');
  if (own !== undefined) found.set(own, { inode: own, spec: 'local' });
  for (const name of namesIn(NAMED)) {
    const path = `${NAMED}/${name}`;
    const inode = fileInode(path);
    if (inode !== undefined && !found.has(inode)) found.set(inode, { inode, spec: `netns:${name}`, path });
  }
  const pids = namesIn('/proc').filter((name) => /^\d+$/.test(name));
  for (const pid of pids.map(Number).sort((a, b) => a - b)) {
    const path = `/proc/${pid}/ns/net`;
    const inode = inodeOf(path);
    if (inode !== undefined && !found.has(inode)) found.set(inode, { inode, spec: `pid:${pid}`, path });
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
