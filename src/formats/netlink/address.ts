import {
  type Attribute,
  attribute,
  decodeAttributes,
  encodeAttributes,
  findAddress,
  findNumber,
  findText,
  u32,
  viewOf,
} from './attributes.ts';
import { known } from './known.ts';
import type { NetlinkMessage } from './message.ts';
import { AF_INET, AF_INET6, RTM_DELADDR, RTM_NEWADDR } from './rtnetlink.ts';

/** An address of an interface (`struct ifaddrmsg`, linux/if_addr.h). */
export interface NetlinkAddress {
  readonly family: number;
  readonly linkIndex: number;
  /** The address of this host. */
  readonly address: string;
  /** The other end of a point-to-point link; absent where it is the address itself. */
  readonly peer?: string;
  readonly prefixLength: number;
  readonly scope: number;
  /** IFA_F_* (linux/if_addr.h). */
  readonly flags: number;
  readonly label?: string;
  readonly attributes: readonly Attribute[];
}

/** No duplicate address detection (linux/if_addr.h). */
export const IFA_F_NODAD = 0x02;

const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_LABEL = 3;
const IFA_FLAGS = 8;
const ADDRESS_HEAD_BYTES = 8;

/** Decodes RTM_NEWADDR and RTM_DELADDR; undefined for other messages, and those without address. */
export function decodeAddress({ type, body }: NetlinkMessage): NetlinkAddress | undefined {
  if ((type !== RTM_NEWADDR && type !== RTM_DELADDR) || body.length < ADDRESS_HEAD_BYTES) return undefined;
  const attributes = decodeAttributes(body, ADDRESS_HEAD_BYTES);
  const peer = findAddress(attributes, IFA_ADDRESS);
  const address = findAddress(attributes, IFA_LOCAL) ?? peer;
  if (address === undefined) return undefined;
  return {
    family: body[0]!,
    linkIndex: viewOf(body).getUint32(4, true),
    address,
    ...(peer === address ? {} : known('peer', peer)),
    prefixLength: body[1]!,
    scope: body[3]!,
    flags: findNumber(attributes, IFA_FLAGS) ?? body[2]!,
    ...known('label', findText(attributes, IFA_LABEL)),
    attributes,
  };
}

/** The body of a request to add or delete an address. */
export function encodeAddress(address: {
  readonly linkIndex: number;
  /** 4 or 16 bytes. */
  readonly address: Uint8Array;
  readonly peer?: Uint8Array;
  readonly prefixLength: number;
  readonly scope?: number;
  readonly flags?: number;
}): Uint8Array {
  const head = new Uint8Array(ADDRESS_HEAD_BYTES);
  head[0] = address.address.length === 4 ? AF_INET : AF_INET6;
  head[1] = address.prefixLength;
  head[3] = address.scope ?? 0;
  viewOf(head).setUint32(4, address.linkIndex, true);
  const list = [
    attribute(IFA_LOCAL, address.address),
    attribute(IFA_ADDRESS, address.peer ?? address.address),
    attribute(IFA_FLAGS, u32(address.flags ?? 0)),
  ];
  return encodeAttributes(list, head);
}
