import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import process from 'node:process';
import type { Host } from '../host/host.ts';
import type { RepairOwner } from './journal/entry.ts';

/** This process, as it signs repairs and locks. */
export function thisOwner(): RepairOwner {
  return { hostname: hostname(), bootId: bootId(), pid: process.pid, pidStart: startOf(process.pid) ?? '' };
}

/** Whether the process that signed still runs: undefined when it ran on another machine, of which nothing can be told. */
export function isAlive(owner: RepairOwner): boolean | undefined {
  if (owner.hostname !== hostname()) return undefined;
  if (owner.bootId !== bootId()) return false;
  return startOf(owner.pid) === owner.pidStart;
}

/** Which network namespace a host is, and the boot of its machine. @throws HostError */
export async function identityOf(host: Host): Promise<{ readonly namespace: string; readonly bootId: string }> {
  const [link, boot] = await Promise.all([
    host.run(['readlink', '/proc/self/ns/net']),
    host.readFile('/proc/sys/kernel/random/boot_id'),
  ]);
  return { namespace: link.stdout.trim() || 'net:unknown', bootId: boot.trim() };
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** When a process started, in clock ticks since boot; undefined when there is none, or it is dead and not yet waited for. */
function startOf(pid: number): string | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\)/s, '').trim().split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
