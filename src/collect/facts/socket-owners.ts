import {
  type ProcessCgroups,
  parseCgroups,
  parseFrozen,
  parseOpenFilesLimit,
  parseProcessState,
  unitOfCgroup,
} from '../../formats/procfs/process.ts';
import type { SocketUser } from '../../formats/ss/socket-row.ts';
import { type Host, HostError } from '../../host/host.ts';
import { readFiles } from '../../host/read-files.ts';
import type { SocketOwner } from '../../model/facts/sockets.ts';

/** Processes that are looked at closely. */
const PROCESSES = 32;

/** Reads what /proc says of the processes behind sockets, by process id; of the first ones only. Processes that ended are absent. */
export async function readOwners(host: Host, users: readonly SocketUser[]): Promise<ReadonlyMap<number, SocketOwner>> {
  const names = new Map(users.map(({ pid, name }) => [pid, name]));
  const pids = [...names.keys()].slice(0, PROCESSES);
  if (pids.length === 0) return new Map();
  const [files, openFiles] = await Promise.all([
    readFiles(
      host,
      pids.flatMap((pid) => ['comm', 'stat', 'cgroup', 'limits'].map((name) => `/proc/${pid}/${name}`)),
    ),
    countOpenFiles(host, pids),
  ]);
  const cgroups = new Map(pids.map((pid) => [pid, parseCgroups(files.get(`/proc/${pid}/cgroup`) ?? '')]));
  const frozen = await readFiles(host, [...new Set([...cgroups.values()].flatMap(freezerFiles))]);
  const owners = pids.flatMap((pid): [number, SocketOwner][] => {
    const stat = files.get(`/proc/${pid}/stat`);
    if (stat === undefined) return [];
    const groups = cgroups.get(pid) ?? {};
    const states = freezerFiles(groups).flatMap((path) => frozen.get(path) ?? []);
    return [
      [
        pid,
        {
          pid,
          name: files.get(`/proc/${pid}/comm`)?.trim() ?? names.get(pid) ?? '?',
          ...optional('state', parseProcessState(stat)),
          ...optional('frozen', states.length === 0 ? undefined : states.some(parseFrozen)),
          ...optional('openFiles', openFiles.get(pid)),
          ...optional('openFilesLimit', parseOpenFilesLimit(files.get(`/proc/${pid}/limits`) ?? '')),
          ...optional('cgroup', groups.unified),
          ...optional('unit', unitOfCgroup(groups.unified ?? '')),
        },
      ],
    ];
  });
  return new Map(owners);
}

/** A process of a socket as far as `ss` alone tells it. */
export function bareOwner({ pid, name }: SocketUser): SocketOwner {
  return { pid, name };
}

/** Files that say whether a cgroup is frozen, wherever the hierarchy is mounted. */
function freezerFiles({ unified, freezer }: ProcessCgroups): string[] {
  const root = '/sys/fs/cgroup';
  const below = (path: string | undefined): path is string =>
    path !== undefined && path !== '/' && !path.includes('/..') && path.length < 1024;
  return [
    ...(below(unified) ? [`${root}${unified}/cgroup.events`, `${root}/unified${unified}/cgroup.events`] : []),
    ...(below(freezer) ? [`${root}/freezer${freezer}/freezer.state`] : []),
  ];
}

/** How many files each process has open; a process whose files may not be seen is absent. */
async function countOpenFiles(host: Host, pids: readonly number[]): Promise<ReadonlyMap<number, number>> {
  const counts = new Map<number, number>();
  try {
    const directories = pids.map((pid) => `/proc/${pid}/fd`);
    const { stdout } = await host.run(['find', ...directories, '-maxdepth', '1', '-name', '[0-9]*']);
    for (const [, pid] of stdout.matchAll(/^\/proc\/(\d+)\/fd\/\d+$/gm)) {
      counts.set(Number(pid), (counts.get(Number(pid)) ?? 0) + 1);
    }
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
  }
  return counts;
}

function optional<Key extends keyof SocketOwner>(key: Key, value: SocketOwner[Key] | undefined): Partial<SocketOwner> {
  return value === undefined ? {} : { [key]: value };
}
