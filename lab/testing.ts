import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import process from 'node:process';
import { cgroupRoot } from './leftovers.ts';

/** Why the lab cannot run here; undefined when it can. */
export function labMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  for (const [program, ...args] of [
    ['ip', 'netns', 'list'],
    ['nft', '--version'],
    ['nsenter', '--version'],
  ] as const) {
    if (spawnSync(program, args).status !== 0) return `needs ${program}`;
  }
  return undefined;
}

/** Everything that runs whose names begin so have outside of a process: namespaces, folders of /etc/netns, cgroups. */
export function tracesOf(run: string): string[] {
  return ['/run/netns', '/etc/netns', cgroupRoot() ?? '/nowhere'].flatMap((folder) =>
    names(folder)
      .filter((name) => name.includes(run))
      .map((name) => `${folder}/${name}`),
  );
}

/** Processes in the namespaces of runs whose names begin so. */
export function processesOf(run: string): number[] {
  return names('/run/netns')
    .filter((name) => name.startsWith(run))
    .flatMap((name) => spawnSync('ip', ['netns', 'pids', name], { encoding: 'utf8' }).stdout.split('\n'))
    .filter(Boolean)
    .map(Number);
}

function names(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}
