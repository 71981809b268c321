import { type Attribute, decodeAttributes, find, findNested, findNetworkNumber, findText } from './attributes.ts';
import { known } from './known.ts';
import type { NetlinkMessage } from './message.ts';
import { NFGEN_BYTES, nftMessage } from './nfnetlink.ts';

/** Messages of nftables (`enum nf_tables_msg_types`, linux/netfilter/nf_tables.h). */
export const NFT_MSG = {
  newTable: 0,
  getTable: 1,
  newChain: 3,
  getChain: 4,
  newRule: 6,
  getRule: 7,
  delRule: 8,
  newSet: 9,
  getSet: 10,
  newElement: 12,
  getElement: 13,
  delElement: 14,
} as const;

/** Attributes of tables (NFTA_TABLE_*). */
export const NFTA_TABLE = { name: 1, flags: 2 } as const;
/** Attributes of chains (NFTA_CHAIN_*). */
export const NFTA_CHAIN = { table: 1, name: 3, hook: 4, policy: 5, type: 7, flags: 10 } as const;
/** Attributes of rules (NFTA_RULE_*). */
export const NFTA_RULE = { table: 1, chain: 2, handle: 3, expressions: 4, compat: 5, userdata: 7 } as const;
/** Attributes of sets (NFTA_SET_*). */
export const NFTA_SET = { table: 1, name: 2, flags: 3, id: 10 } as const;
/** Attributes of lists of elements (NFTA_SET_ELEM_LIST_*), and of one element (NFTA_SET_ELEM_*). */
export const NFTA_ELEMENTS = { table: 1, set: 2, elements: 3, setId: 4 } as const;
/** Attributes of one element (NFTA_SET_ELEM_*). */
export const NFTA_ELEMENT = {
  key: 1,
  data: 2,
  flags: 3,
  expiration: 5,
  userdata: 6,
  expression: 7,
  keyEnd: 10,
} as const;
/** Attributes of one expression (NFTA_EXPR_*). */
export const NFTA_EXPRESSION = { name: 1, data: 2 } as const;

/** The table is there, but its chains see no packet. */
export const NFT_TABLE_F_DORMANT = 1;
/** Flags of sets. */
export const NFT_SET = { anonymous: 1, constant: 2, interval: 4, map: 8, timeout: 16, evaluated: 32 } as const;
/** The element is where an interval ends. */
const NFT_ELEMENT_INTERVAL_END = 1;
/** Verdicts (linux/netfilter.h). */
export const NF_DROP = 0;
export const NF_ACCEPT = 1;

/** What all objects of nftables have in common. */
interface NftObject {
  /** NFPROTO_*: 1 inet, 2 ip, 3 arp, 5 netdev, 7 bridge, 10 ip6. */
  readonly family: number;
  readonly table: string;
  /** In the order of the message: what is not known is kept. */
  readonly attributes: readonly Attribute[];
}

/** A table. */
export interface NftTable extends NftObject {
  readonly flags: number;
}

/** A chain. */
export interface NftChain extends NftObject {
  readonly name: string;
  /** {@link NF_DROP} or {@link NF_ACCEPT}; only of a chain that hangs on a hook. */
  readonly policy?: number;
  /** Number of the hook; only of a chain that hangs on one. */
  readonly hook?: number;
  /** The chain belongs to the one rule that jumps to it, and goes with it. */
  readonly isBound: boolean;
}

/** A rule. */
export interface NftRule extends NftObject {
  readonly chain: string;
  readonly handle: bigint;
  /** Names of its expressions: `meta`, `cmp`, `immediate`, `match`, ... */
  readonly expressions: readonly string[];
  /** Sets that it looks up or fills. */
  readonly sets: readonly string[];
  /** Chains that it jumps or goes to. */
  readonly targets: readonly string[];
  /** What its last `immediate` says: {@link NF_DROP}, {@link NF_ACCEPT}, or negative for jumps. */
  readonly verdict?: number;
}

/** A set or map. */
export interface NftSet extends NftObject {
  readonly name: string;
  /** Bits of {@link NFT_SET}. */
  readonly flags: number;
}

/** One element of a set. */
export interface NftElement {
  readonly key: Uint8Array;
  /** Of a set of ranges of joined keys. */
  readonly keyEnd?: Uint8Array;
  readonly isIntervalEnd: boolean;
  readonly attributes: readonly Attribute[];
}

/** Decodes a table; undefined for other messages, and for damaged ones. */
export function decodeTable(message: NetlinkMessage): NftTable | undefined {
  const object = decodeObject(message, NFT_MSG.newTable);
  return object && { ...object, flags: findNetworkNumber(object.attributes, NFTA_TABLE.flags) ?? 0 };
}

/** Decodes a chain; undefined for other messages, and for damaged ones. */
export function decodeChain(message: NetlinkMessage): NftChain | undefined {
  const object = decodeObject(message, NFT_MSG.newChain);
  const name = object && findText(object.attributes, NFTA_CHAIN.name);
  if (object === undefined || name === undefined) return undefined;
  const hook = findNested(object.attributes, NFTA_CHAIN.hook);
  return {
    ...object,
    name,
    ...known('policy', findNetworkNumber(object.attributes, NFTA_CHAIN.policy)),
    ...known('hook', findNetworkNumber(hook, NFTA_HOOK_HOOKNUM)),
    isBound: ((findNetworkNumber(object.attributes, NFTA_CHAIN.flags) ?? 0) & NFT_CHAIN_BINDING) !== 0,
  };
}

/** Decodes a rule; undefined for other messages, and for damaged ones. */
export function decodeNftRule(message: NetlinkMessage): NftRule | undefined {
  const object = decodeObject(message, NFT_MSG.newRule);
  if (object === undefined) return undefined;
  const chain = findText(object.attributes, NFTA_RULE.chain);
  const handle = find(object.attributes, NFTA_RULE.handle);
  if (chain === undefined || handle?.length !== 8) return undefined;
  const expressions = decodeExpressions(find(object.attributes, NFTA_RULE.expressions));
  return {
    ...object,
    chain,
    handle: new DataView(handle.buffer, handle.byteOffset, 8).getBigUint64(0),
    expressions: expressions.map(({ name }) => name),
    sets: expressions.flatMap(setsOf),
    targets: expressions.flatMap((one) => verdictOf(one)?.chain ?? []),
    ...known(
      'verdict',
      expressions.map((one) => verdictOf(one)?.code).findLast((code) => code !== undefined),
    ),
  };
}

/** Decodes a set; undefined for other messages, and for damaged ones. */
export function decodeSet(message: NetlinkMessage): NftSet | undefined {
  const object = decodeObject(message, NFT_MSG.newSet);
  const name = object && findText(object.attributes, NFTA_SET.name);
  if (object === undefined || name === undefined) return undefined;
  return { ...object, name, flags: findNetworkNumber(object.attributes, NFTA_SET.flags) ?? 0 };
}

/** Decodes the elements of one message of a dump; none for other messages, and what is damaged is left out. */
export function decodeElements(message: NetlinkMessage): NftElement[] {
  if (nftMessage(message.type) !== NFT_MSG.newElement) return [];
  const list = findNested(decodeAttributes(message.body, NFGEN_BYTES), NFTA_ELEMENTS.elements);
  return list.flatMap(({ value }) => {
    const attributes = decodeAttributes(value);
    const key = find(findNested(attributes, NFTA_ELEMENT.key), NFTA_DATA_VALUE);
    const flags = findNetworkNumber(attributes, NFTA_ELEMENT.flags) ?? 0;
    // The element that stands for everything else has no key.
    if (key === undefined) return [];
    return [
      {
        key,
        ...known('keyEnd', find(findNested(attributes, NFTA_ELEMENT.keyEnd), NFTA_DATA_VALUE)),
        isIntervalEnd: (flags & NFT_ELEMENT_INTERVAL_END) !== 0,
        attributes,
      },
    ];
  });
}

/** One expression of a rule, with its own attributes. */
export interface NftExpression {
  readonly name: string;
  readonly data: readonly Attribute[];
}

/** The expressions of a rule, from its attribute. */
export function decodeExpressions(value: Uint8Array | undefined): NftExpression[] {
  if (value === undefined) return [];
  return decodeAttributes(value).map((one) => {
    const attributes = decodeAttributes(one.value);
    return {
      name: findText(attributes, NFTA_EXPRESSION.name) ?? '',
      data: findNested(attributes, NFTA_EXPRESSION.data),
    };
  });
}

const NFTA_HOOK_HOOKNUM = 1;
const NFT_CHAIN_BINDING = 4;
const NFTA_DATA_VALUE = 1;
const NFTA_DATA_VERDICT = 2;
const NFTA_VERDICT_CODE = 1;
const NFTA_VERDICT_CHAIN = 2;
const NFTA_IMMEDIATE_DATA = 2;
/** NFTA_LOOKUP_SET, NFTA_DYNSET_SET_NAME and NFTA_OBJREF_SET_NAME. */
const SET_NAMES: Readonly<Record<string, number>> = { lookup: 1, dynset: 1, objref: 4 };

function setsOf({ name, data }: NftExpression): string[] {
  const type = SET_NAMES[name];
  const set = type === undefined ? undefined : findText(data, type);
  return set === undefined ? [] : [set];
}

function verdictOf({ name, data }: NftExpression): { code: number; chain?: string } | undefined {
  if (name !== 'immediate') return undefined;
  const verdict = findNested(findNested(data, NFTA_IMMEDIATE_DATA), NFTA_DATA_VERDICT);
  const code = findNetworkNumber(verdict, NFTA_VERDICT_CODE);
  return code === undefined ? undefined : { code: code | 0, ...known('chain', findText(verdict, NFTA_VERDICT_CHAIN)) };
}

function decodeObject({ type, body }: NetlinkMessage, wanted: number): NftObject | undefined {
  if (nftMessage(type) !== wanted || body.length < NFGEN_BYTES) return undefined;
  const attributes = decodeAttributes(body, NFGEN_BYTES);
  const table = findText(attributes, NFTA_TABLE.name);
  return table === undefined ? undefined : { family: body[0]!, table, attributes };
}
