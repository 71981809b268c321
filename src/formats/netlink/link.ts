import {
  type Attribute,
  attribute,
  decodeAttributes,
  encodeAttributes,
  find,
  findMac,
  findNested,
  findNumber,
  findText,
  viewOf,
  zeroEnded,
} from './attributes.ts';
import { known } from './known.ts';
import type { NetlinkMessage } from './message.ts';
import { RTM_DELLINK, RTM_NEWLINK } from './rtnetlink.ts';

/** A network interface (`struct ifinfomsg`, linux/if_link.h). */
export interface NetlinkLink {
  readonly index: number;
  readonly name: string;
  /** ARPHRD_*: 1 Ethernet, 772 loopback. */
  readonly hardwareType: number;
  /** IFF_*. */
  readonly flags: number;
  readonly isUp: boolean;
  readonly hasCarrier: boolean;
  readonly mac?: string;
  readonly mtuBytes?: number;
  /** `IF_OPER_*`: 6 is up, 2 down, 0 unknown. */
  readonly operationalState?: number;
  /** `bridge`, `vlan`, `veth`, ...; absent for hardware. */
  readonly kind?: string;
  /** Index of the bridge, bond or VRF that it belongs to. */
  readonly master?: number;
  /** Index of the interface that it lies on, or of its peer. */
  readonly lower?: number;
  /** `BR_STATE_*` of a port of a bridge: 0 disabled, 3 forwarding, 4 blocking. */
  readonly bridgePortState?: number;
  /** Number of the XDP program, where one is attached. */
  readonly xdpProgram?: number;
  readonly attributes: readonly Attribute[];
}

const IFF_UP = 0x1;
const IFF_LOWER_UP = 0x1_0000;
const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINK = 5;
const IFLA_MASTER = 10;
const IFLA_OPERSTATE = 16;
const IFLA_LINKINFO = 18;
const IFLA_XDP = 43;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_SLAVE_DATA = 5;
const IFLA_BRPORT_STATE = 1;
const IFLA_XDP_ATTACHED = 2;
const IFLA_XDP_PROG_ID = 4;
const LINK_HEAD_BYTES = 16;

/** Decodes RTM_NEWLINK and RTM_DELLINK; undefined for other messages, and those without index or name. */
export function decodeLink({ type, body }: NetlinkMessage): NetlinkLink | undefined {
  if ((type !== RTM_NEWLINK && type !== RTM_DELLINK) || body.length < LINK_HEAD_BYTES) return undefined;
  const view = viewOf(body);
  const attributes = decodeAttributes(body, LINK_HEAD_BYTES);
  const name = findText(attributes, IFLA_IFNAME);
  if (name === undefined) return undefined;
  const flags = view.getUint32(8, true);
  const info = findNested(attributes, IFLA_LINKINFO);
  const xdp = findNested(attributes, IFLA_XDP);
  return {
    index: view.getInt32(4, true),
    name,
    hardwareType: view.getUint16(2, true),
    flags,
    isUp: (flags & IFF_UP) !== 0,
    hasCarrier: (flags & IFF_LOWER_UP) !== 0,
    ...known('mac', findMac(attributes, IFLA_ADDRESS)),
    ...known('mtuBytes', findNumber(attributes, IFLA_MTU)),
    ...known('operationalState', findNumber(attributes, IFLA_OPERSTATE)),
    ...known('kind', findText(info, IFLA_INFO_KIND)),
    ...known('master', findNumber(attributes, IFLA_MASTER)),
    ...known('lower', findNumber(attributes, IFLA_LINK)),
    ...known('bridgePortState', findNumber(findNested(info, IFLA_INFO_SLAVE_DATA), IFLA_BRPORT_STATE)),
    ...known('xdpProgram', find(xdp, IFLA_XDP_ATTACHED)?.[0] ? findNumber(xdp, IFLA_XDP_PROG_ID) : undefined),
    attributes,
  };
}

/** The body of a request about one interface: by its index, or by its name when the index is 0. */
export function encodeLink(link: {
  readonly index: number;
  readonly name?: string;
  readonly family?: number;
  readonly flags?: number;
  /** Which of the flags are set; the others stay as they are. */
  readonly changedFlags?: number;
  readonly attributes?: readonly Attribute[];
}): Uint8Array {
  const head = new Uint8Array(LINK_HEAD_BYTES);
  const view = viewOf(head);
  head[0] = link.family ?? 0;
  view.setInt32(4, link.index, true);
  view.setUint32(8, link.flags ?? 0, true);
  view.setUint32(12, link.changedFlags ?? 0, true);
  const name = link.name === undefined ? [] : [attribute(IFLA_IFNAME, zeroEnded(link.name))];
  return encodeAttributes([...name, ...(link.attributes ?? [])], head);
}
