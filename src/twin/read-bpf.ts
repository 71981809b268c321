import { parseBpfCgroup, parseBpfPrograms } from '../formats/bpftool/bpftool.ts';
import type { Asker } from './ask.ts';
import type { SocketState } from './state.ts';

const PROGRAMS: readonly string[] = ['bpftool', '-j', 'prog', 'show'];
/** Types that see packets and connections wherever they are attached; those of systemd for file systems do not. */
const ANYWHERE: ReadonlySet<string> = new Set(['sk_lookup', 'netfilter']);
const OF_CGROUPS: ReadonlySet<string> = new Set(['cgroup_skb', 'cgroup_sock_addr', 'cgroup_sock']);
const MAX_CGROUPS = 4;

/** Names of BPF programs that stand in the way of the listeners, other than on interfaces: `cgroup_skb deny`. */
export async function readBpf(
  ask: Asker,
  sockets: readonly SocketState[],
  port: number | undefined,
): Promise<readonly string[]> {
  const programs = parseBpfPrograms((await ask.maybe(PROGRAMS)) ?? '[]') ?? [];
  const found = programs.filter(({ type }) => ANYWHERE.has(type)).map(nameOf);
  if (!programs.some(({ type }) => OF_CGROUPS.has(type))) return found;
  const root = /^\S+ (\/\S*) cgroup2 /m.exec((await ask.file('/proc/mounts')) ?? '')?.[1];
  const listeners = sockets.filter(
    ({ state, local }) => state === 'LISTEN' && (port === undefined || local.port === port),
  );
  const cgroups = new Set(listeners.flatMap(({ cgroup }) => (cgroup?.startsWith('/') ? [cgroup] : [])));
  if (root === undefined) return found;
  const attached = await Promise.all(
    [...cgroups].slice(0, MAX_CGROUPS).map(async (cgroup) => {
      const directory = cgroup === '/' ? root : `${root}${cgroup}`;
      const json = await ask.maybe(['bpftool', '-j', 'cgroup', 'show', directory, 'effective']);
      return (parseBpfCgroup(json ?? '[]') ?? []).flatMap(
        ({ id }) => programs.find((program) => program.id === id) ?? [],
      );
    }),
  );
  return [
    ...new Set([
      ...found,
      ...attached
        .flat()
        .filter(({ type }) => OF_CGROUPS.has(type))
        .map(nameOf),
    ]),
  ];
}

function nameOf({ type, name }: { readonly type: string; readonly name?: string }): string {
  return name === undefined ? type : `${type} ${name}`;
}
