import { type Attribute, decodeAttributes, findAddress, findNumber, findText, viewOf } from './attributes.ts';
import { known } from './known.ts';
import type { NetlinkMessage } from './message.ts';
import { AF_INET, AF_INET6, RTM_DELRULE, RTM_NEWRULE } from './rtnetlink.ts';

/** A rule of policy routing (`struct fib_rule_hdr`, linux/fib_rules.h). */
export interface NetlinkRule {
  readonly family: number;
  readonly priority: number;
  /** FR_ACT_*: 1 to a table, 2 goto, 6 blackhole, 7 unreachable, 8 prohibit. */
  readonly action: number;
  readonly table: number;
  readonly from?: string;
  readonly fromLength: number;
  readonly to?: string;
  readonly toLength: number;
  readonly tos: number;
  readonly inDevice?: string;
  readonly outDevice?: string;
  readonly mark?: number;
  readonly markMask?: number;
  /** The rule speaks of everything but what it selects (`not`). */
  readonly inverted: boolean;
  readonly goto?: number;
  /** A route that is no longer than this does not count. */
  readonly suppressPrefixLength?: number;
  readonly isOfVrf: boolean;
  readonly ipProtocol?: number;
  readonly attributes: readonly Attribute[];
}

const FIB_RULE_INVERT = 2;
const FRA_DST = 1;
const FRA_SRC = 2;
const FRA_IIFNAME = 3;
const FRA_GOTO = 4;
const FRA_PRIORITY = 6;
const FRA_FWMARK = 10;
const FRA_SUPPRESS_PREFIXLEN = 14;
const FRA_TABLE = 15;
const FRA_FWMASK = 16;
const FRA_OIFNAME = 17;
const FRA_L3MDEV = 19;
const FRA_IP_PROTO = 22;
const RULE_HEAD_BYTES = 12;
const NO_SUPPRESSION = 0xffff_ffff;

/** Decodes RTM_NEWRULE and RTM_DELRULE of IPv4 and IPv6; undefined for other messages. */
export function decodeRule({ type, body }: NetlinkMessage): NetlinkRule | undefined {
  if ((type !== RTM_NEWRULE && type !== RTM_DELRULE) || body.length < RULE_HEAD_BYTES) return undefined;
  if (body[0] !== AF_INET && body[0] !== AF_INET6) return undefined;
  const attributes = decodeAttributes(body, RULE_HEAD_BYTES);
  const suppress = findNumber(attributes, FRA_SUPPRESS_PREFIXLEN);
  return {
    family: body[0],
    priority: findNumber(attributes, FRA_PRIORITY) ?? 0,
    action: body[7]!,
    table: findNumber(attributes, FRA_TABLE) ?? body[4]!,
    ...known('from', findAddress(attributes, FRA_SRC)),
    fromLength: body[2]!,
    ...known('to', findAddress(attributes, FRA_DST)),
    toLength: body[1]!,
    tos: body[3]!,
    ...known('inDevice', findText(attributes, FRA_IIFNAME)),
    ...known('outDevice', findText(attributes, FRA_OIFNAME)),
    ...known('mark', findNumber(attributes, FRA_FWMARK)),
    ...known('markMask', findNumber(attributes, FRA_FWMASK)),
    inverted: (viewOf(body).getUint32(8, true) & FIB_RULE_INVERT) !== 0,
    ...known('goto', findNumber(attributes, FRA_GOTO)),
    ...known('suppressPrefixLength', suppress === NO_SUPPRESSION ? undefined : suppress),
    isOfVrf: (findNumber(attributes, FRA_L3MDEV) ?? 0) !== 0,
    ...known('ipProtocol', findNumber(attributes, FRA_IP_PROTO)),
    attributes,
  };
}
