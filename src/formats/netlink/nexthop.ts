import { type Attribute, decodeAttributes, find, findAddress, findNumber, viewOf } from './attributes.ts';
import { known } from './known.ts';
import type { NetlinkMessage } from './message.ts';
import { RTM_DELNEXTHOP, RTM_NEWNEXTHOP } from './rtnetlink.ts';

/** A next hop object (`struct nhmsg`, linux/nexthop.h), to which routes refer by number. */
export interface NetlinkNexthopObject {
  readonly id: number;
  readonly family: number;
  readonly gateway?: string;
  readonly linkIndex?: number;
  readonly isBlackhole: boolean;
  /** Members of a group, with their share. */
  readonly group: readonly { readonly id: number; readonly weight: number }[];
  readonly attributes: readonly Attribute[];
}

const NHA_ID = 1;
const NHA_GROUP = 2;
const NHA_BLACKHOLE = 4;
const NHA_OIF = 5;
const NHA_GATEWAY = 6;
const NEXTHOP_HEAD_BYTES = 8;
/** `struct nexthop_grp`. */
const MEMBER_BYTES = 8;

/** Decodes RTM_NEWNEXTHOP and RTM_DELNEXTHOP; undefined for other messages, and those without number. */
export function decodeNexthop({ type, body }: NetlinkMessage): NetlinkNexthopObject | undefined {
  if ((type !== RTM_NEWNEXTHOP && type !== RTM_DELNEXTHOP) || body.length < NEXTHOP_HEAD_BYTES) return undefined;
  const attributes = decodeAttributes(body, NEXTHOP_HEAD_BYTES);
  const id = findNumber(attributes, NHA_ID);
  if (id === undefined) return undefined;
  return {
    id,
    family: body[0]!,
    ...known('gateway', findAddress(attributes, NHA_GATEWAY)),
    ...known('linkIndex', findNumber(attributes, NHA_OIF)),
    isBlackhole: find(attributes, NHA_BLACKHOLE) !== undefined,
    group: members(find(attributes, NHA_GROUP)),
    attributes,
  };
}

function members(bytes: Uint8Array | undefined): { id: number; weight: number }[] {
  if (bytes === undefined) return [];
  const view = viewOf(bytes);
  const list: { id: number; weight: number }[] = [];
  for (let at = 0; at + MEMBER_BYTES <= bytes.length; at += MEMBER_BYTES) {
    list.push({ id: view.getUint32(at, true), weight: bytes[at + 4]! + 1 });
  }
  return list;
}
