import {
  type BpfCgroupAttachment,
  type BpfLink,
  type BpfNetAttachment,
  type BpfProgram,
  parseBpfCgroup,
  parseBpfLinks,
  parseBpfNet,
  parseBpfPrograms,
} from '../../formats/bpftool/bpftool.ts';
import { type Host, HostError } from '../../host/host.ts';
import { readFileIfAny } from '../../host/read-files.ts';
import type { BpfAttachment } from '../../model/facts/links.ts';
import { type AttemptScope, type Collector, defineCollector, hasAttempt, known } from './collector.ts';
import { pathDevices } from './path-devices.ts';
import { listWith, unreadable } from './run-tool.ts';

interface Reading {
  readonly programs: readonly BpfProgram[];
  readonly net: readonly BpfNetAttachment[];
  readonly links: readonly BpfLink[];
  /** Inode of the network namespace; absent when it was not needed. */
  readonly namespaceInode?: number;
  readonly cgroup?: { readonly path: string; readonly attached: readonly BpfCgroupAttachment[] };
}

/** Types of programs by where they are looked for. */
const ON_CGROUPS = /^(cgroup_skb|cgroup_sock|cgroup_sock_addr|sock_ops)$/;
const ON_INTERFACES = /^(xdp|sched_cls|sched_act)$/;
/** Types that are attached to something that is not asked for here: that they are there is all that is known. */
const ELSEWHERE: Readonly<Record<string, BpfAttachment['hook']>> = {
  lsm: 'lsm',
  sk_reuseport: 'reuseport',
  socket_filter: 'socket-filter',
  netfilter: 'other',
};

/**
 * BPF programs that can decide about a handshake. The list is complete for interfaces, for the cgroup of the listener or the client, and
 * for the network namespace, or it is not there at all: without bpftool nobody says what hangs on a cgroup. (XDP programs also stand in
 * `links`, those of tc in `trafficControl`.)
 */
export const bpfPrograms: Collector = defineCollector<'bpfPrograms', Reading>({
  provides: 'bpfPrograms',
  baseline: false,
  after: ['sockets', 'outgoingRoute', 'links', 'addresses'],
  readAfter: ['sockets'],
  async read(host, scope) {
    const programs = await ask(host, ['prog', 'show'], parseBpfPrograms);
    const some = (types: RegExp): boolean => programs.some(({ type }) => types.test(type));
    const [net, links, namespaceInode, cgroup] = await Promise.all([
      some(ON_INTERFACES) ? ask(host, ['net', 'show'], parseBpfNet) : [],
      some(/^sk_lookup$/) ? ask(host, ['link', 'show'], parseBpfLinks) : [],
      some(/^sk_lookup$/) ? ownNamespace(host) : undefined,
      some(ON_CGROUPS) && hasAttempt(scope) ? readCgroup(host, scope) : undefined,
    ]);
    return {
      programs,
      net,
      links,
      ...(namespaceInode === undefined ? {} : { namespaceInode }),
      ...(cgroup === undefined ? {} : { cgroup }),
    };
  },
  fact(reading, _before, scope) {
    const names = new Map(reading.programs.map(({ id, name }) => [id, name]));
    const named = (id: number | undefined, name?: string): Pick<BpfAttachment, 'id' | 'name'> => {
      const known = name ?? (id === undefined ? undefined : names.get(id));
      return { ...(id === undefined ? {} : { id }), ...(known === undefined || known === '' ? {} : { name: known }) };
    };
    const path = pathDevices(scope);
    const value: BpfAttachment[] = [
      ...reading.net.map(({ device, hook, kind, id, name }): BpfAttachment => {
        const place = hook === 'xdp' ? 'xdp' : /egress/.test(kind) ? 'tc-egress' : 'tc-ingress';
        const devices = place === 'tc-egress' ? path.outgoing : path.incoming;
        return { hook: place, ...named(id, name), target: device, onPath: devices.has(device) };
      }),
      ...(reading.cgroup?.attached ?? []).flatMap(({ id, attachType, name }): BpfAttachment[] => {
        const hook = cgroupHook(attachType);
        return hook === undefined ? [] : [{ hook, ...named(id, name), target: reading.cgroup!.path, onPath: true }];
      }),
      ...reading.links
        .filter(({ attachType }) => attachType === 'sk_lookup')
        .filter(({ namespaceInode }) => namespaceInode === reading.namespaceInode)
        .map(({ programId, namespaceInode }): BpfAttachment => {
          return { hook: 'sk-lookup', ...named(programId), target: `net:[${namespaceInode}]`, onPath: true };
        }),
      ...reading.programs.flatMap(({ id, type }): BpfAttachment[] => {
        const hook = ELSEWHERE[type];
        return hook === undefined ? [] : [{ hook, ...named(id) }];
      }),
    ];
    return { value, source: 'bpftool' };
  },
});

async function ask<Parsed>(
  host: Host,
  words: readonly string[],
  parse: (json: string) => Parsed | undefined,
): Promise<Parsed> {
  const argv = ['bpftool', '-j', ...words];
  const parsed = parse(await listWith(host, argv));
  if (parsed === undefined) throw unreadable(argv);
  return parsed;
}

async function ownNamespace(host: Host): Promise<number | undefined> {
  const inode = /\[(\d+)\]/.exec(await listWith(host, ['readlink', '/proc/self/ns/net']))?.[1];
  return inode === undefined ? undefined : Number(inode);
}

/** Programs that are asked for the sockets of the listener, or of this process when it connects: those of its cgroup and all above. */
async function readCgroup(host: Host, scope: AttemptScope): Promise<Reading['cgroup']> {
  const mounts = await host.readFile('/proc/mounts');
  const root = /^\S+ (\/\S*) cgroup2 /m.exec(mounts)?.[1];
  if (root === undefined) return undefined;
  const path = await cgroupOf(host, scope);
  if (path === undefined) {
    if (scope.side === 'server' && known(scope, 'sockets')?.matching.length === 0) return undefined;
    throw new HostError('not-found', 'the cgroup of the process is not known, so its BPF programs cannot be listed', {
      hint: 'run as root',
    });
  }
  const directory = path === '/' ? root : `${root}${path}`;
  return { path, attached: await ask(host, ['cgroup', 'show', directory, 'effective'], parseBpfCgroup) };
}

async function cgroupOf(host: Host, scope: AttemptScope): Promise<string | undefined> {
  if (scope.side === 'client') {
    return /^0::(\/.*)$/m.exec((await readFileIfAny(host, '/proc/self/cgroup')) ?? '')?.[1];
  }
  // The cgroup of the socket is that of the process when it was made.
  const listener = known(scope, 'sockets')?.matching[0];
  const path = listener?.cgroup ?? listener?.owners.find(({ cgroup }) => cgroup !== undefined)?.cgroup;
  return path?.startsWith('/') ? path : undefined;
}

/** `cgroup_inet_ingress` since bpftool 7 (libbpf's names), `ingress` before. */
function cgroupHook(attachType: string): BpfAttachment['hook'] | undefined {
  const name = attachType.replace(/^cgroup_/, '').replace(/^inet_(?=ingress|egress)/, '');
  switch (name) {
    case 'ingress':
    case 'egress':
      return `cgroup-${name}`;
    case 'inet4_connect':
    case 'connect4':
      return 'cgroup-connect4';
    case 'inet6_connect':
    case 'connect6':
      return 'cgroup-connect6';
    case 'device':
    case 'sysctl':
      return undefined;
    default:
      return 'cgroup-other';
  }
}
