import {
  type Attribute,
  attribute,
  be32,
  be64,
  decodeAttributes,
  encodeAttributes,
  find,
  findNested,
  findNetworkNumber,
  findText,
  nested,
  zeroEnded,
} from './attributes.ts';
import { type NetlinkRequest, NLM_F_CREATE, NLM_F_REPLACE } from './message.ts';
import { nfgen, nftType } from './nfnetlink.ts';
import {
  decodeExpressions,
  NF_ACCEPT,
  NFT_MSG,
  NFT_TABLE_F_DORMANT,
  NFTA_CHAIN,
  NFTA_ELEMENT,
  NFTA_ELEMENTS,
  NFTA_EXPRESSION,
  NFTA_RULE,
  NFTA_SET,
  NFTA_TABLE,
  type NftChain,
  type NftElement,
  type NftRule,
  type NftSet,
  type NftTable,
} from './nftables.ts';

const NLM_F_ECHO = 0x08;

/**
 * A request that puts a rule where another one stands, and asks for the new rule's handle.
 * @param at handle of the rule that goes.
 * @param rule as a dump has it; undefined for a rule that does nothing.
 */
export function replaceRule(
  place: Pick<NftRule, 'family' | 'table' | 'chain'>,
  at: bigint,
  rule: NftRule | undefined,
): NetlinkRequest {
  const list = [
    attribute(NFTA_RULE.table, zeroEnded(place.table)),
    attribute(NFTA_RULE.chain, zeroEnded(place.chain)),
    attribute(NFTA_RULE.handle, be64(at)),
    ...(rule === undefined ? [] : contentOf(rule)),
  ];
  return request(NFT_MSG.newRule, NLM_F_REPLACE | NLM_F_ECHO, place.family, list);
}

/**
 * Requests that make a set and its elements again.
 * @param id number by which rules of the same batch may refer to it.
 */
export function makeSet(set: NftSet, elements: readonly NftElement[], id: number): NetlinkRequest[] {
  const list = [...set.attributes.filter(({ type }) => SET_ATTRIBUTES.has(type)), attribute(NFTA_SET.id, be32(id))];
  const made = request(NFT_MSG.newSet, NLM_F_CREATE, set.family, list);
  return elements.length === 0 ? [made] : [made, ...addElements(set, elements, id)];
}

/** NFTA_SET_TABLE to NFTA_SET_USERDATA without the number, the type of objects and the expressions: what a request may say of a set. */
const SET_ATTRIBUTES: ReadonlySet<number> = new Set([1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 15, 17, 18]);

/** Requests that put elements into a set, some hundred each. */
export function addElements(set: NftSet, elements: readonly NftElement[], id?: number): NetlinkRequest[] {
  return elementRequests(NFT_MSG.newElement, NLM_F_CREATE, set, elements.map(whole), id);
}

/** Requests that take elements out of a set, some hundred each. */
export function deleteElements(set: NftSet, elements: readonly NftElement[]): NetlinkRequest[] {
  return elementRequests(NFT_MSG.delElement, 0, set, elements.map(keyOnly));
}

/** A request that takes all elements out of a set. */
export function flushSet(set: NftSet): NetlinkRequest {
  return request(NFT_MSG.delElement, 0, set.family, placeOf(set));
}

/** A request that sets the policy of a chain that hangs on a hook. */
export function setPolicy(chain: NftChain, policy: number = NF_ACCEPT): NetlinkRequest {
  return request(NFT_MSG.newChain, NLM_F_CREATE, chain.family, [
    attribute(NFTA_CHAIN.table, zeroEnded(chain.table)),
    attribute(NFTA_CHAIN.name, zeroEnded(chain.name)),
    attribute(NFTA_CHAIN.policy, be32(policy)),
  ]);
}

/** A request that makes a table sleep: its chains see no packets until it is woken. */
export function setDormant(table: NftTable, isDormant: boolean): NetlinkRequest {
  const flags = isDormant ? table.flags | NFT_TABLE_F_DORMANT : table.flags & ~NFT_TABLE_F_DORMANT;
  return request(NFT_MSG.newTable, 0, table.family, [
    attribute(NFTA_TABLE.name, zeroEnded(table.table)),
    attribute(NFTA_TABLE.flags, be32(flags)),
  ]);
}

/** What makes a rule again: its expressions, its comment, and for matches of xtables what dumps leave out. */
function contentOf(rule: NftRule): Attribute[] {
  const expressions = find(rule.attributes, NFTA_RULE.expressions);
  const compat = rule.attributes.find(({ type }) => type === NFTA_RULE.compat) ?? compatOf(expressions);
  return [
    ...(expressions === undefined ? [] : [attribute(NFTA_RULE.expressions, withoutIdleTimeouts(expressions))]),
    ...(compat === undefined ? [] : [compat]),
    ...rule.attributes.filter(({ type }) => type === NFTA_RULE.userdata),
  ];
}

const NFTA_DYNSET_TIMEOUT = 6;

/** A dump gives `dynset` a timeout of 0 where the set has no timeouts; the kernel refuses that on the way in. */
function withoutIdleTimeouts(expressions: Uint8Array): Uint8Array {
  const list = decodeAttributes(expressions).map((one) => {
    const attributes = decodeAttributes(one.value);
    if (findText(attributes, NFTA_EXPRESSION.name) !== 'dynset') return one;
    const data = findNested(attributes, NFTA_EXPRESSION.data).filter(
      ({ type, value }) => type !== NFTA_DYNSET_TIMEOUT || value.some((byte) => byte !== 0),
    );
    const others = attributes.filter(({ type }) => type !== NFTA_EXPRESSION.data);
    return { ...one, value: encodeAttributes([...others, nested(NFTA_EXPRESSION.data, data)]) };
  });
  return encodeAttributes(list);
}

const NFTA_RULE_COMPAT_PROTO = 1;
const NFTA_RULE_COMPAT_FLAGS = 2;

/** Rules with a match or target of xtables need the protocol that they are about, which dumps leave out. */
function compatOf(value: Uint8Array | undefined): Attribute | undefined {
  let protocol = 0;
  let isProtocol = false;
  let isForeign = false;
  for (const { name, data } of decodeExpressions(value)) {
    isForeign ||= name === 'match' || name === 'target';
    if (name === 'cmp' && isProtocol) {
      protocol = find(findNested(data, NFTA_CMP_DATA), NFTA_DATA_VALUE)?.[0] ?? 0;
      isProtocol = false;
    } else if (name === 'meta') {
      isProtocol = findNetworkNumber(data, NFTA_META_KEY) === NFT_META_L4PROTO;
    } else if (name === 'payload') {
      isProtocol =
        findNetworkNumber(data, NFTA_PAYLOAD_BASE) === NFT_PAYLOAD_NETWORK_HEADER &&
        findNetworkNumber(data, NFTA_PAYLOAD_OFFSET) === IPV4_PROTOCOL_OFFSET;
    }
  }
  if (!isForeign) return undefined;
  return nested(NFTA_RULE.compat, [
    attribute(NFTA_RULE_COMPAT_PROTO, be32(protocol)),
    attribute(NFTA_RULE_COMPAT_FLAGS, be32(0)),
  ]);
}

const NFTA_CMP_DATA = 3;
const NFTA_DATA_VALUE = 1;
const NFTA_META_KEY = 2;
const NFT_META_L4PROTO = 16;
const NFTA_PAYLOAD_BASE = 2;
const NFTA_PAYLOAD_OFFSET = 3;
const NFT_PAYLOAD_NETWORK_HEADER = 1;
const IPV4_PROTOCOL_OFFSET = 9;

/** Elements of one request: attributes are no longer than 64 KiB. */
const ELEMENTS_AT_ONCE = 250;

function elementRequests(
  message: number,
  flags: number,
  set: NftSet,
  elements: readonly Attribute[],
  id?: number,
): NetlinkRequest[] {
  const requests: NetlinkRequest[] = [];
  for (let first = 0; first < elements.length; first += ELEMENTS_AT_ONCE) {
    const list = nested(NFTA_ELEMENTS.elements, elements.slice(first, first + ELEMENTS_AT_ONCE));
    const setId = id === undefined ? [] : [attribute(NFTA_ELEMENTS.setId, be32(id))];
    requests.push(request(message, flags, set.family, [...placeOf(set), list, ...setId]));
  }
  return requests;
}

function placeOf({ table, name }: NftSet): Attribute[] {
  return [attribute(NFTA_ELEMENTS.table, zeroEnded(table)), attribute(NFTA_ELEMENTS.set, zeroEnded(name))];
}

const NFTA_LIST_ELEM = 1;

function whole({ attributes }: NftElement): Attribute {
  return nested(
    NFTA_LIST_ELEM,
    attributes.filter(({ type }) => type !== NFTA_ELEMENT.expiration),
  );
}

function keyOnly({ attributes }: NftElement): Attribute {
  const needed: readonly number[] = [NFTA_ELEMENT.key, NFTA_ELEMENT.keyEnd, NFTA_ELEMENT.flags];
  return nested(
    NFTA_LIST_ELEM,
    attributes.filter(({ type }) => needed.includes(type)),
  );
}

function request(message: number, flags: number, family: number, list: readonly Attribute[]): NetlinkRequest {
  return { type: nftType(message), flags, body: encodeAttributes(list, nfgen(family)) };
}
