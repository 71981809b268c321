import {
  type Attribute,
  attribute,
  decodeAttributes,
  encodeAttributes,
  find,
  findNested,
  findText,
  nested,
  u32,
  viewOf,
} from '../formats/netlink/attributes.ts';
import { HostError } from '../host/host.ts';
import { NETLINK_ROUTE } from '../host/netlink-socket.ts';
import type { Asker } from './ask.ts';
import type { HostState, LinkState, TrafficFilter } from './state.ts';

/** linux/rtnetlink.h, linux/pkt_sched.h. */
const RTM_GETTFILTER = 46;
const RTM_NEWTFILTER = 44;
const PARENTS = { ingress: 0xffff_fff2, egress: 0xffff_fff3 } as const;
/** `struct tcmsg`: family, interface, handle, parent, info (preference and protocol). */
export const HEAD_BYTES = 20;
export const TCA_KIND = 1;
export const TCA_OPTIONS = 2;
const TCA_CHAIN = 11;
const TCA_BPF_OPS = 5;
/** Attributes of `bpf` that make a filter: action, police, class, instructions (number and bytes), flags. */
const BPF_KEPT: ReadonlySet<number> = new Set([1, 2, 3, 4, 5, 8]);
/** Attributes of `u32` that are counters. */
const U32_COUNTERS = 9;
/** Where each kind has its flags (TCA_CLS_FLAGS_*): only the first two are for who makes a filter, others tell where it is. */
const FLAGS: Readonly<Record<string, number>> = { u32: 11, flower: 22, matchall: 3 };
const FLAGS_TO_SET = 3;
const MAX_FILTERS = 4096;

/** Filters of tc, where the kernel can be asked for them as it would take them again. */
export async function readTrafficFilters(
  ask: Asker,
  hooks: HostState['filterHooks'],
  links: readonly LinkState[],
): Promise<Pick<HostState, 'trafficFilters'>> {
  const { host } = ask;
  if (hooks.length === 0 || host.dumpNetlink === undefined) return {};
  const filters: TrafficFilter[] = [];
  try {
    for (const hook of hooks) {
      const [device = '', kind] = hook.split(' ');
      const index = links.find(({ name }) => name === device)?.index;
      if (index === undefined) continue;
      for (const where of kind === 'clsact' ? (['ingress', 'egress'] as const) : (['ingress'] as const)) {
        const head = new Uint8Array(HEAD_BYTES);
        viewOf(head).setInt32(4, index, true);
        viewOf(head).setUint32(12, kind === 'ingress' ? 0xffff_0000 : PARENTS[where], true);
        for (const { type, body } of await host.dumpNetlink(NETLINK_ROUTE, RTM_GETTFILTER, head)) {
          const filter = type === RTM_NEWTFILTER ? filterOf(body, device, where) : undefined;
          if (filter !== undefined && filters.length < MAX_FILTERS) filters.push(filter);
        }
      }
    }
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    ask.note('filters of tc', error.message);
    return {};
  }
  return { trafficFilters: filters };
}

/** A filter that can be made again; undefined for what is none. */
export function filterOf(body: Uint8Array, device: string, hook: TrafficFilter['hook']): TrafficFilter | undefined {
  if (body.length < HEAD_BYTES) return undefined;
  const view = viewOf(body);
  const handle = view.getUint32(8, true);
  const attributes = decodeAttributes(body, HEAD_BYTES);
  const kind = findText(attributes, TCA_KIND);
  const options = findNested(attributes, TCA_OPTIONS);
  // Every preference begins with an entry that is only its head.
  if (kind === undefined || handle === 0 || (kind === 'u32' && (handle & 0xfff) === 0)) return undefined;
  const info = view.getUint32(16, true);
  const protocol = protocolName(((info & 0xff) << 8) | ((info >>> 8) & 0xff));
  const name = `${kind} dev ${device} ${hook} protocol ${protocol} pref ${info >>> 16} handle ${handleName(kind, handle)}`;
  const filter = { device, hook, kind, name };
  if (kind === 'bpf' && find(options, TCA_BPF_OPS) === undefined) return filter;
  const chain = find(attributes, TCA_CHAIN);
  const list = [
    attribute(TCA_KIND, find(attributes, TCA_KIND) as Uint8Array),
    nested(
      TCA_OPTIONS,
      options.filter((option) => isKept(kind, option)).map((option) => settable(kind, option)),
    ),
    ...(chain === undefined ? [] : [attribute(TCA_CHAIN, chain)]),
  ];
  return { ...filter, body: Buffer.from(encodeAttributes(list, body.slice(0, HEAD_BYTES))).toString('hex') };
}

function isKept(kind: string, { type }: Attribute): boolean {
  if (kind === 'bpf') return BPF_KEPT.has(type);
  return kind !== 'u32' || type !== U32_COUNTERS;
}

function settable(kind: string, option: Attribute): Attribute {
  return option.type === FLAGS[kind] && option.value.length === 4
    ? attribute(option.type, u32(viewOf(option.value).getUint32(0, true) & FLAGS_TO_SET))
    : option;
}

/** As `tc` takes it. */
function protocolName(etherType: number): string {
  return { 3: 'all', 2048: 'ip', 34525: 'ipv6' }[etherType] ?? `0x${etherType.toString(16).padStart(4, '0')}`;
}

/** As `tc` takes it: those of u32 are a table, a bucket and a node. */
function handleName(kind: string, handle: number): string {
  const hex = (number: number): string => number.toString(16);
  if (kind !== 'u32') return `0x${hex(handle)}`;
  return `${hex(handle >>> 20)}:${hex((handle >>> 12) & 0xff)}:${hex(handle & 0xfff)}`;
}
