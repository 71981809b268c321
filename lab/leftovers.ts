import { readdirSync, readFileSync, readlinkSync, rmdirSync, rmSync, statSync } from 'node:fs';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from './exec.ts';
import { RUN_PATTERN } from './plan-names.ts';

const NAMESPACES = '/run/netns';
const ETC = '/etc/netns';
/** What the cgroups of the lab begin with. */
export const CGROUP_PREFIX = 'synscope-lab-';

/** Removes everything that a run has outside of its process: processes in its namespaces, the namespaces, cgroups, files. */
export async function removeRun(name: string): Promise<void> {
  const namespaces = names(NAMESPACES).filter((namespace) => namespace.startsWith(`${name}-`));
  const groups = cgroupsOf(name);
  await endProcesses([...processesIn(namespaces), ...groups.flatMap(processesOfGroup)]);
  if (namespaces.length > 0) {
    await run(['ip', '-force', '-batch', '-'], namespaces.map((namespace) => `netns delete ${namespace}\n`).join(''));
  }
  for (const folder of names(ETC).filter((folder) => folder.startsWith(`${name}-`))) {
    rmSync(`${ETC}/${folder}`, { recursive: true, force: true });
  }
  for (const group of groups.reverse()) await removeGroup(group);
}

/** Runs whose process is gone, by name. */
export function findLeftovers(): string[] {
  const found = new Map<string, string>();
  for (const namespace of names(NAMESPACES)) {
    const name = namespace.slice(0, namespace.lastIndexOf('-'));
    if (RUN_PATTERN.test(name)) found.set(name, `${NAMESPACES}/${namespace}`);
  }
  for (const group of allCgroups()) {
    const name = /\/synscope-lab-(ss\d+x[0-9a-z]{5})[^/]*$/.exec(group)?.[1];
    if (name !== undefined && !found.has(name)) found.set(name, group);
  }
  return [...found].filter(([name, path]) => !isOwnerAlive(name, path)).map(([name]) => name);
}

/** Removes what crashed runs left. Returns their names. */
export async function sweepLeftovers(): Promise<string[]> {
  const leftovers = findLeftovers();
  for (const name of leftovers) await removeRun(name);
  return leftovers;
}

/** Where cgroups of version 2 are; undefined when they are not mounted. */
export function cgroupRoot(): string | undefined {
  const mounts = readFileSync('/proc/self/mounts', 'utf8');
  return /^\S+ (\S+) cgroup2 /m.exec(mounts)?.[1];
}

/** Whether the process that made a thing still runs: one that began after the thing only has the same number. */
function isOwnerAlive(name: string, path: string): boolean {
  const pid = Number(RUN_PATTERN.exec(name)?.[1]);
  if (pid === process.pid) return true;
  try {
    const madeMs = statSync(path).ctimeMs;
    return statSync(`/proc/${pid}`).isDirectory() && startedMs(pid) <= madeMs + 1000;
  } catch {
    return false;
  }
}

/** When a process began: field 22 of /proc/PID/stat counts from boot, in hundredths of a second (proc(5), USER_HZ). */
function startedMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const ticks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  const uptimeSeconds = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
  return Date.now() - uptimeSeconds * 1000 + ticks * 10;
}

function processesIn(namespaces: readonly string[]): number[] {
  const inodes = new Set<number>();
  for (const namespace of namespaces) {
    try {
      inodes.add(statSync(`${NAMESPACES}/${namespace}`).ino);
    } catch {
      // It went in the meantime.
    }
  }
  if (inodes.size === 0) return [];
  return names('/proc')
    .filter((name) => /^\d+$/.test(name) && inodes.has(namespaceInode(name)))
    .map(Number);
}

function namespaceInode(pid: string): number {
  try {
    return Number(/\[(\d+)\]/.exec(readlinkSync(`/proc/${pid}/ns/net`))?.[1]);
  } catch {
    return Number.NaN;
  }
}

/** Whether a process runs, or is stopped. A zombie is gone but for its parent: state Z, or X while it goes (proc(5)). */
export function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** Kills processes and waits until they are gone; also stopped ones. */
async function endProcesses(pids: readonly number[]): Promise<void> {
  for (const pid of pids) {
    try {
      if (pid !== process.pid) process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself.
    }
  }
  for (let tries = 0; tries < 100 && pids.some((pid) => pid !== process.pid && isRunning(pid)); tries++)
    await sleep(10);
}

function allCgroups(): string[] {
  const root = cgroupRoot();
  return root === undefined
    ? []
    : names(root)
        .filter((name) => name.startsWith(CGROUP_PREFIX))
        .map((name) => `${root}/${name}`);
}

function cgroupsOf(name: string): string[] {
  return allCgroups().filter((group) => new RegExp(`/${CGROUP_PREFIX}${name}(?![0-9a-z])`).test(group));
}

function processesOfGroup(group: string): number[] {
  try {
    return readFileSync(`${group}/cgroup.procs`, 'utf8').split('\n').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

async function removeGroup(group: string): Promise<void> {
  // A group is busy until the kernel has let go of its last process.
  for (let tries = 0; tries < 50; tries++) {
    try {
      return rmdirSync(group);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      await sleep(20);
    }
  }
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
