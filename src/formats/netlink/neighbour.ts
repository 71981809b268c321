import {
  type Attribute,
  attribute,
  decodeAttributes,
  encodeAttributes,
  findAddress,
  findMac,
  viewOf,
} from './attributes.ts';
import { known } from './known.ts';
import type { NetlinkMessage } from './message.ts';
import { AF_INET, AF_INET6, RTM_DELNEIGH, RTM_NEWNEIGH } from './rtnetlink.ts';

/** An entry of the neighbour table (`struct ndmsg`, linux/neighbour.h). */
export interface NetlinkNeighbour {
  readonly family: number;
  readonly linkIndex: number;
  /** NUD_*: one bit. */
  readonly state: number;
  /** NTF_*. */
  readonly flags: number;
  readonly address: string;
  readonly mac?: string;
  readonly attributes: readonly Attribute[];
}

/** States of a neighbour (linux/neighbour.h). */
export const NUD_FAILED = 0x20;
export const NUD_NOARP = 0x40;
export const NUD_PERMANENT = 0x80;

const NDA_DST = 1;
const NDA_LLADDR = 2;
const NEIGHBOUR_HEAD_BYTES = 12;

/** Decodes RTM_NEWNEIGH and RTM_DELNEIGH of IPv4 and IPv6; undefined for other messages, and those without address. */
export function decodeNeighbour({ type, body }: NetlinkMessage): NetlinkNeighbour | undefined {
  if ((type !== RTM_NEWNEIGH && type !== RTM_DELNEIGH) || body.length < NEIGHBOUR_HEAD_BYTES) return undefined;
  const view = viewOf(body);
  const attributes = decodeAttributes(body, NEIGHBOUR_HEAD_BYTES);
  const address = findAddress(attributes, NDA_DST);
  if (address === undefined) return undefined;
  return {
    family: body[0]!,
    linkIndex: view.getInt32(4, true),
    state: view.getUint16(8, true),
    flags: body[10]!,
    address,
    ...known('mac', findMac(attributes, NDA_LLADDR)),
    attributes,
  };
}

/** The body of a request to make or delete a neighbour entry. */
export function encodeNeighbour(neighbour: {
  readonly linkIndex: number;
  /** 4 or 16 bytes. */
  readonly address: Uint8Array;
  readonly state?: number;
  readonly flags?: number;
  /** Six bytes. */
  readonly mac?: Uint8Array;
}): Uint8Array {
  const head = new Uint8Array(NEIGHBOUR_HEAD_BYTES);
  const view = viewOf(head);
  head[0] = neighbour.address.length === 4 ? AF_INET : AF_INET6;
  view.setInt32(4, neighbour.linkIndex, true);
  view.setUint16(8, neighbour.state ?? 0, true);
  head[10] = neighbour.flags ?? 0;
  const mac = neighbour.mac === undefined ? [] : [attribute(NDA_LLADDR, neighbour.mac)];
  return encodeAttributes([attribute(NDA_DST, neighbour.address), ...mac], head);
}
