import {
  attribute,
  decodeAttributes,
  encodeAttributes,
  find,
  findText,
  viewOf,
} from '../formats/netlink/attributes.ts';
import { HostError } from '../host/host.ts';
import { NETLINK_ROUTE } from '../host/netlink-socket.ts';
import type { Asker } from './ask.ts';
import { deviceOfQdisc, isHarmlessQdisc } from './build-policies.ts';
import { filterOf, HEAD_BYTES, TCA_KIND, TCA_OPTIONS } from './read-traffic-filters.ts';
import type { LinkState, Shaper } from './state.ts';

/** linux/rtnetlink.h. */
export const RTM_NEWQDISC = 36;
const RTM_GETQDISC = 38;
export const RTM_NEWTCLASS = 40;
const RTM_GETTCLASS = 42;
export const RTM_NEWTFILTER = 44;
const RTM_GETTFILTER = 46;
/** `struct tcmsg`: tcm_handle, tcm_parent, tcm_info. */
const HANDLE = 8;
const PARENT = 12;
const INFO = 16;
const TC_H_ROOT = 0xffff_ffff;
const MAJOR = 0xffff_0000;
/** linux/pkt_sched.h: TCA_HTB_INIT, `struct tc_htb_glob`, and the version that htb_init() wants of it; it lists another one. */
const TCA_HTB_INIT = 2;
const HTB_VERSION = 3;
const MAX_PARTS = 4096;
/** Kinds whose classes are made one by one; others have as many as they have queues. */
const WITH_CLASSES: ReadonlySet<string> = new Set(['htb', 'hfsc', 'drr', 'qfq']);

/**
 * Queueing disciplines that can keep back what leaves, with their classes and filters, as the kernel would take them again: the parts of an
 * interface stand in the order in which they can be made. Absent where the kernel cannot be asked.
 */
export async function readShapers(
  ask: Asker,
  lines: readonly string[],
  links: readonly LinkState[],
): Promise<{ readonly shapers?: readonly Shaper[] }> {
  const { host } = ask;
  const devices = links.filter(({ name }) =>
    lines.some((line) => !isHarmlessQdisc(line) && deviceOfQdisc(line) === name),
  );
  if (devices.length === 0 || host.dumpNetlink === undefined) return {};
  const dump = async (type: number, wanted: number, index: number, parent: number = 0): Promise<Uint8Array[]> => {
    const head = new Uint8Array(HEAD_BYTES);
    viewOf(head).setInt32(4, index, true);
    viewOf(head).setUint32(PARENT, parent, true);
    const messages = await host.dumpNetlink?.(NETLINK_ROUTE, type, head);
    return (messages ?? [])
      .filter(({ type: is, body }) => is === wanted && body.length >= HEAD_BYTES)
      .map(({ body }) => body)
      .filter((body) => viewOf(body).getInt32(4, true) === index);
  };
  const shapers: Shaper[] = [];
  try {
    for (const { name, index } of devices) {
      const qdiscs = await dump(RTM_GETQDISC, RTM_NEWQDISC, index);
      const classes = await dump(RTM_GETTCLASS, RTM_NEWTCLASS, index);
      const parts = [
        ...qdiscs.map((body) => partOf(body, name, 'qdisc')),
        ...classes.map((body) => partOf(body, name, 'class')),
      ];
      shapers.push(...inOrder(parts.filter((part) => part !== undefined)));
      for (const body of qdiscs) {
        const handle = viewOf(body).getUint32(HANDLE, true);
        if (handle === 0 || viewOf(body).getUint32(PARENT, true) === 0xffff_fff1) continue;
        for (const filter of await dump(RTM_GETTFILTER, RTM_NEWTFILTER, index, handle)) {
          const { body: again, name: text = '' } = filterOf(filter, name, 'egress') ?? {};
          if (again !== undefined) shapers.push({ device: name, type: 'filter', name: text, body: again });
        }
      }
    }
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    ask.note('queueing disciplines', error.message);
    return {};
  }
  return { shapers: shapers.slice(0, MAX_PARTS) };
}

/** A qdisc or class; undefined for what the kernel makes by itself, and for the hooks of filters. */
function partOf(body: Uint8Array, device: string, type: 'qdisc' | 'class'): Part | undefined {
  const attributes = decodeAttributes(body, HEAD_BYTES);
  const kind = findText(attributes, TCA_KIND);
  const options = find(attributes, TCA_OPTIONS);
  const handle = viewOf(body).getUint32(HANDLE, true);
  const parent = viewOf(body).getUint32(PARENT, true);
  if (kind === undefined || kind === 'clsact' || kind === 'ingress' || handle === 0) return undefined;
  const head = body.slice(0, HEAD_BYTES);
  // In a dump it counts references, or names the queue of a class.
  viewOf(head).setUint32(INFO, 0, true);
  const list = [
    attribute(TCA_KIND, find(attributes, TCA_KIND) as Uint8Array),
    ...(options === undefined ? [] : [attribute(TCA_OPTIONS, settable(kind, type, options))]),
  ];
  const name = `${type} ${kind} ${handleText(handle)} dev ${device}`;
  const isMade = type === 'qdisc' || WITH_CLASSES.has(kind);
  return {
    device,
    type,
    name,
    handle,
    parent,
    isMade,
    body: Buffer.from(encodeAttributes(list, head)).toString('hex'),
  };
}

interface Part extends Shaper {
  readonly handle: number;
  readonly parent: number;
  /** By somebody, and not by the kernel with its qdisc. */
  readonly isMade: boolean;
}

function settable(kind: string, type: 'qdisc' | 'class', options: Uint8Array): Uint8Array {
  if (kind !== 'htb' || type !== 'qdisc') return options;
  return encodeAttributes(
    decodeAttributes(options).map((option) => {
      if (option.type !== TCA_HTB_INIT || option.value.length < 4) return option;
      const value = option.value.slice();
      viewOf(value).setUint32(0, HTB_VERSION, true);
      return { ...option, value };
    }),
  );
}

/** Parents first; what hangs on nothing that is known is left out. */
function inOrder(parts: readonly Part[]): Shaper[] {
  const made = new Set<number>();
  const ordered: Shaper[] = [];
  let left = parts;
  for (;;) {
    const ready = left.filter(({ type, parent, handle }) =>
      parent === TC_H_ROOT ? type === 'qdisc' || made.has((handle & MAJOR) >>> 0) : made.has(parent),
    );
    if (ready.length === 0) return ordered;
    for (const { handle, parent: _, isMade, ...part } of ready) {
      made.add(handle);
      if (isMade) ordered.push(part);
    }
    left = left.filter((part) => !ready.includes(part));
  }
}

function handleText(handle: number): string {
  return `${(handle >>> 16).toString(16)}:${(handle & 0xffff) === 0 ? '' : (handle & 0xffff).toString(16)}`;
}
