import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * What an engine does: a process with mounts, a host name and a root of its own. Arguments: the root, a folder whose files are mounted over
 * those of /etc, a script that changes the root further.
 */
const START = `
set -e
root=$1 own=$2
mount -t tmpfs tmpfs "$root"
mkdir "$root/etc" "$root/proc" "$root/tmp"
for name in bin lib lib64 sbin usr; do
  if [ -L "/$name" ]; then cp -P "/$name" "$root/$name"
  elif [ -d "/$name" ]; then mkdir "$root/$name"; mount --rbind "/$name" "$root/$name"
  fi
done
cd "$root"
eval "$3"
for file in "$own"/*; do
  if [ -f "$file" ]; then
    : >> "$root/etc/\${file##*/}"
    mount --bind "$file" "$root/etc/\${file##*/}"
  fi
done
hostname synscope-box
exec chroot "$root" sh -c 'echo ready; exec sleep 1000'
`;

/** A process that lives as in a container. */
export interface FakeContainer {
  readonly pid: number;
  /** 64 hexadecimal digits, as engines give them. */
  readonly id: string;
  /** Ends the process and waits for its end. */
  kill(): Promise<void>;
  remove(): Promise<void>;
}

/** How a {@link FakeContainer} is made. */
export interface FakeContainerOptions {
  /** Name of the network namespace that it is in. */
  readonly namespace: string;
  /** Files that the engine mounts over those in /etc. */
  readonly mounted?: Readonly<Record<string, string>>;
  /** A script that adds to its root, in which it starts. */
  readonly prepare?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Puts it into a cgroup of its own, below this folder. */
  readonly cgroups?: string;
}

/** Starts a process as an engine does. */
export async function startFakeContainer(options: FakeContainerOptions): Promise<FakeContainer> {
  const { namespace, mounted = {}, prepare = '', environment = {}, cgroups } = options;
  const folder = mkdtempSync(join(tmpdir(), 'synscope-container-'));
  const id = `${process.pid}`.padStart(16, '0').repeat(4);
  const own = join(folder, id);
  for (const path of [own, join(folder, 'root')]) mkdirSync(path);
  for (const [name, text] of Object.entries(mounted)) writeFileSync(join(own, name), text);
  const cgroup = cgroups === undefined ? undefined : join(cgroups, `synscope-${id}.scope`);
  const words = ['unshare', '--mount', '--uts', '--propagation=private', 'sh', '-c', START, 'sh', join(folder, 'root')];
  const argv = [`--net=/run/netns/${namespace}`, '--', ...words, own, prepare];
  const child = spawn('nsenter', argv, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...environment },
  });
  const kill = async (): Promise<void> => end(child);
  const remove = async (): Promise<void> => {
    await kill();
    if (cgroup !== undefined && existsSync(cgroup)) rmdirSync(cgroup);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await new Promise<void>((resolve, reject) => {
      child.stdout?.once('data', () => resolve());
      child.once('exit', (code) => reject(new Error(`the process of a container ended with ${code}`)));
    });
    if (cgroup !== undefined) {
      mkdirSync(cgroup);
      writeFileSync(join(cgroup, 'cgroup.procs'), `${child.pid}`);
    }
  } catch (error) {
    await remove();
    throw error;
  }
  return { pid: child.pid as number, id, kill, remove };
}

/** Why such a process cannot be started here; undefined when it can. */
export function containersMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  const programs = ['unshare', 'nsenter', 'chroot', 'ip'];
  const missing = programs.find((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0);
  return missing === undefined ? undefined : `needs ${missing}`;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}
