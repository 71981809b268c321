import { readdirSync, readFileSync } from 'node:fs';
import process from 'node:process';
import type { Sample } from './exposition.ts';

/** What the kernel says of this process; what it does not say is left out. */
export function processSamples(): Sample[] {
  const { user, system } = process.cpuUsage();
  const samples: Sample[] = [
    { name: 'process_cpu_seconds_total', labels: [], value: (user + system) / 1e6 },
    { name: 'process_start_time_seconds', labels: [], value: STARTED_SECONDS },
  ];
  const status = read('/proc/self/status');
  const kilobytes = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]);
  const soft = /^Max open files\s+(\d+)/m.exec(read('/proc/self/limits'))?.[1];
  const wanted: readonly [Sample['name'], number][] = [
    ['process_resident_memory_bytes', kilobytes('VmRSS') * 1024],
    ['process_virtual_memory_bytes', kilobytes('VmSize') * 1024],
    ['process_open_fds', openDescriptors()],
    ['process_max_fds', Number(soft)],
  ];
  for (const [name, value] of wanted) if (Number.isFinite(value)) samples.push({ name, labels: [], value });
  return samples;
}

const STARTED_SECONDS: number = Math.round(Date.now() - performance.now()) / 1000;

function openDescriptors(): number {
  try {
    // The directory itself is open while it is read.
    return readdirSync('/proc/self/fd').length - 1;
  } catch {
    return Number.NaN;
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
