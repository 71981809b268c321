import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { isSystemError } from '../../host/system-error.ts';

/** A listener is opened early: its descriptor is among the first. Looking at all of a busy server's would take its time. */
const DESCRIPTORS = 48;
const PROCESSES_AT_ONCE = 16;
const REST_MS = 30_000;
const MAX_KNOWN = 20_000;

/** Names of the processes that hold listening sockets, by the inode of the socket; looked for only when a new listener appears. */
export class ListenerOwners {
  private readonly names: Map<number, string | undefined> = new Map();
  private busy = false;
  private lastMs = 0;

  nameOf(inode: number): string | undefined {
    return this.names.get(inode);
  }

  /** Finds the names of sockets that are not known yet, a few processes at a time. */
  async find(inodes: readonly number[]): Promise<void> {
    const wanted = new Set(inodes.filter((inode) => !this.names.has(inode)));
    if (wanted.size === 0 || this.busy || Date.now() - this.lastMs < REST_MS) return;
    this.busy = true;
    try {
      if (this.names.size > MAX_KNOWN) this.names.clear();
      let looked = 0;
      for (const pid of processes()) {
        if (++looked % PROCESSES_AT_ONCE === 0) await breathe();
        for (const inode of socketsOf(pid)) {
          if (wanted.delete(inode)) this.names.set(inode, nameOf(pid));
        }
        if (wanted.size === 0) break;
      }
      for (const inode of wanted) this.names.set(inode, undefined);
    } finally {
      this.busy = false;
      this.lastMs = Date.now();
    }
  }
}

function processes(): readonly string[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
}

function* socketsOf(pid: string): Generator<number> {
  let missing = 0;
  for (let fd = 0; fd < DESCRIPTORS && missing < 16; fd++) {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
      if (inode !== undefined) yield Number(inode);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      if (error.code !== 'ENOENT') return;
      missing++;
    }
  }
}

function nameOf(pid: string): string | undefined {
  try {
    const name = readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
    // Some runtimes, Node among them, name their first thread instead of the program.
    return name === 'MainThread' ? basename(readlinkSync(`/proc/${pid}/exe`)).replace(/ \(deleted\)$/, '') : name;
  } catch (error) {
    if (isSystemError(error)) return undefined;
    throw error;
  }
}
