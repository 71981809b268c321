import { type Host, HostError } from '../host.ts';

/** Lists the cgroups that name a container, and whose they are; the argument is its id. */
const FIND = 'grep -sHF -e "$1" /proc/[0-9]*/cgroup';

/**
 * The process of a container on a host, by the id of the container: runtimes name the cgroup after it. The first one, where there are
 * several; undefined where there is none.
 * @throws HostError when the processes cannot be looked at.
 */
export async function processOfContainer(host: Host, id: string): Promise<number | undefined> {
  const { stdout } = await host.run(['sh', '-c', FIND, 'sh', id]);
  const found = [...stdout.matchAll(/^\/proc\/(\d+)\/cgroup:(.*)$/gm)]
    .map(([, pid, cgroup = '']) => ({ pid: Number(pid), cgroup }))
    // Its monitor is not in it; what is deeper may be a container inside the container.
    .filter(({ cgroup }) => !cgroup.includes('conmon'))
    .sort((a, b) => a.cgroup.length - b.cgroup.length || a.pid - b.pid);
  return found[0]?.pid;
}

/**
 * Whether a process of a host belongs to a container. An engine may tell the id that the process has on another machine, or in a virtual
 * one: there it may be anybody here.
 */
export async function isProcessOf(host: Host, pid: number, id: string): Promise<boolean> {
  // Where the cgroup has another name, the files that the engine puts over those of the image come from a folder of that name.
  for (const name of ['cgroup', 'mountinfo']) {
    try {
      if ((await host.readFile(`/proc/${pid}/${name}`)).includes(id)) return true;
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
    }
  }
  return false;
}

/** Whether a text is the id of a container as engines give it. */
export function isContainerId(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}
