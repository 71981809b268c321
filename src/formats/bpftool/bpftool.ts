import { type IpRecord, isRecord, number, present, records, text } from '../iproute/ip-json.ts';

/** One loaded program (`bpftool -j prog show`). */
export interface BpfProgram {
  readonly id: number;
  /** `xdp`, `sched_cls`, `cgroup_skb`, `cgroup_sock_addr`, `sk_lookup`, `lsm`, ... */
  readonly type: string;
  readonly name?: string;
}

/** One program on an interface (`bpftool -j net show`). */
export interface BpfNetAttachment {
  readonly device: string;
  /** `driver`, `generic`, `offload` for XDP; `clsact/ingress`, `tcx/egress`, ... for tc. */
  readonly kind: string;
  readonly hook: 'xdp' | 'tc';
  readonly id?: number;
  readonly name?: string;
}

/** One program on a cgroup (`bpftool -j cgroup show`). */
export interface BpfCgroupAttachment {
  readonly id: number;
  /** `cgroup_inet_ingress`, `cgroup_inet4_connect`; without `cgroup_inet_` in versions before 5.19: `ingress`, `connect4`. */
  readonly attachType: string;
  readonly name?: string;
}

/** One link that is not of an interface or a cgroup (`bpftool -j link show`). */
export interface BpfLink {
  readonly type: string;
  readonly programId: number;
  /** `sk_lookup`, `lsm_mac`, `netfilter`, ... */
  readonly attachType?: string;
  /** Inode of the network namespace, of links of type `netns`. */
  readonly namespaceInode?: number;
}

/** Parses `bpftool -j prog show`; undefined when it is not JSON. */
export function parseBpfPrograms(json: string): readonly BpfProgram[] | undefined {
  return parseList(json)?.flatMap((entry) => {
    const id = number(entry, 'id');
    const type = text(entry, 'type') ?? number(entry, 'type')?.toString();
    return id === undefined || type === undefined ? [] : [{ id, type, ...present('name', text(entry, 'name')) }];
  });
}

/** Parses `bpftool -j net show`; undefined when it is not JSON. */
export function parseBpfNet(json: string): readonly BpfNetAttachment[] | undefined {
  return parseList(json)?.flatMap((entry) => [
    ...records(entry, 'xdp').flatMap((one) => netAttachment(one, 'xdp', text(one, 'mode'))),
    ...records(entry, 'tc').flatMap((one) => netAttachment(one, 'tc', text(one, 'kind'))),
  ]);
}

function netAttachment(entry: IpRecord, hook: 'xdp' | 'tc', kind: string | undefined): BpfNetAttachment[] {
  const device = text(entry, 'devname');
  if (device === undefined) return [];
  // Since bpftool 7.3 programs of tc are "prog_id".
  const id = number(entry, 'id') ?? number(entry, 'prog_id');
  return [{ device, hook, kind: kind ?? 'unknown', ...present('id', id), ...present('name', text(entry, 'name')) }];
}

/** Parses `bpftool -j cgroup show PATH`, also with `effective`; undefined when it is not JSON. */
export function parseBpfCgroup(json: string): readonly BpfCgroupAttachment[] | undefined {
  return parseList(json)?.flatMap((entry) => {
    const id = number(entry, 'id');
    const attachType = text(entry, 'attach_type');
    if (id === undefined || attachType === undefined) return [];
    return [{ id, attachType, ...present('name', text(entry, 'name')) }];
  });
}

/** Parses `bpftool -j link show`; undefined when it is not JSON. */
export function parseBpfLinks(json: string): readonly BpfLink[] | undefined {
  return parseList(json)?.flatMap((entry) => {
    const programId = number(entry, 'prog_id');
    const type = text(entry, 'type') ?? number(entry, 'type')?.toString();
    if (programId === undefined || type === undefined) return [];
    const attachType = text(entry, 'attach_type') ?? number(entry, 'attach_type')?.toString();
    const namespaceInode = number(entry, 'netns_ino');
    return [{ type, programId, ...present('attachType', attachType), ...present('namespaceInode', namespaceInode) }];
  });
}

/** bpftool prints errors as an object, and nothing for a cgroup without programs. */
function parseList(json: string): readonly IpRecord[] | undefined {
  if (json.trim() === '') return [];
  try {
    const value: unknown = JSON.parse(json);
    return Array.isArray(value) ? value.filter(isRecord) : undefined;
  } catch {
    return undefined;
  }
}
