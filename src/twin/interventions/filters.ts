import { attribute, encodeAttributes, zeroEnded } from '../../formats/netlink/attributes.ts';
import type { NetlinkRequest } from '../../formats/netlink/message.ts';
import { NFT_BATCH, nfgen, nftType } from '../../formats/netlink/nfnetlink.ts';
import {
  addElements,
  deleteElements,
  flushSet,
  makeSet,
  replaceRule,
  setDormant,
  setPolicy,
} from '../../formats/netlink/nft-again.ts';
import {
  decodeChain,
  decodeElements,
  decodeNftRule,
  decodeSet,
  decodeTable,
  NF_ACCEPT,
  NFT_MSG,
  NFT_SET,
  NFTA_ELEMENTS,
  type NftChain,
  type NftElement,
  type NftRule,
  type NftSet,
  type NftTable,
} from '../../formats/netlink/nftables.ts';
import { NETLINK_NETFILTER, type NetlinkSocket, openNetlink } from '../../host/netlink-socket.ts';

/** A rule of the twin; its handle changes whenever it is switched off and on. */
export interface RuleEntry {
  readonly rule: NftRule;
  /** Its place among the rules of its chain, from 0. */
  readonly index: number;
  handle: bigint;
}

/** A named or anonymous set of the twin. */
export interface SetEntry {
  readonly set: NftSet;
  readonly elements: readonly NftElement[];
}

/** Expressions that remember packets: a replay changes them. */
const STATEFUL: ReadonlySet<string> = new Set(['limit', 'quota', 'connlimit', 'dynset', 'numgen', 'last']);

/**
 * The rules of nftables in the network namespace of this process, each of which can be switched off and on. A rule that is off is
 * replaced by one that does nothing, so that the order never changes.
 */
export class FilterSwitch {
  readonly tables: readonly NftTable[];
  readonly chains: readonly NftChain[];
  readonly rules: readonly RuleEntry[];
  readonly sets: readonly SetEntry[];
  /** What shall be off; takes effect by {@link sync}. */
  readonly offRules: Set<RuleEntry> = new Set();
  readonly openChains: Set<NftChain> = new Set();
  readonly asleep: Set<NftTable> = new Set();
  readonly goneElements: Map<SetEntry, Set<NftElement>> = new Map();
  private readonly socket: NetlinkSocket;
  private readonly isRules: Set<RuleEntry> = new Set();
  private readonly isChains: Set<NftChain> = new Set();
  private readonly isAsleep: Set<NftTable> = new Set();
  private readonly isGone: Map<SetEntry, Set<NftElement>> = new Map();

  /** Reads the rules as they are now. */
  constructor() {
    this.socket = openNetlink(NETLINK_NETFILTER);
    const all = (message: number): ReturnType<NetlinkSocket['dump']> => this.socket.dump(nftType(message), nfgen(0));
    this.tables = all(NFT_MSG.getTable).flatMap((message) => decodeTable(message) ?? []);
    this.chains = all(NFT_MSG.getChain).flatMap((message) => decodeChain(message) ?? []);
    const counts = new Map<string, number>();
    this.rules = all(NFT_MSG.getRule).flatMap((message) => {
      const rule = decodeNftRule(message);
      if (rule === undefined) return [];
      const chain = `${rule.family} ${rule.table} ${rule.chain}`;
      const index = counts.get(chain) ?? 0;
      counts.set(chain, index + 1);
      return [{ rule, index, handle: rule.handle }];
    });
    this.sets = all(NFT_MSG.getSet).flatMap((message) => {
      const set = decodeSet(message);
      return set === undefined ? [] : [{ set, elements: this.elementsOf(set) }];
    });
  }

  private elementsOf({ family, table, name }: NftSet): NftElement[] {
    const place = [attribute(NFTA_ELEMENTS.table, zeroEnded(table)), attribute(NFTA_ELEMENTS.set, zeroEnded(name))];
    const body = encodeAttributes(place, nfgen(family));
    return this.socket.dump(nftType(NFT_MSG.getElement), body).flatMap(decodeElements);
  }

  /** Whether a rule can be switched: one that owns a nameless chain cannot, and neither can those in it. */
  canSwitch({ rule }: RuleEntry): boolean {
    return !this.chains.some(
      ({ isBound, family, table, name }) =>
        isBound &&
        family === rule.family &&
        table === rule.table &&
        (rule.chain === name || rule.targets.includes(name)),
    );
  }

  /**
   * Makes what is off what shall be off.
   * @returns why the kernel refused it; undefined when it is done.
   */
  sync(): string | undefined {
    const requests: NetlinkRequest[] = [];
    const switched = new Map<number, RuleEntry>();
    for (const table of difference(this.isAsleep, this.asleep)) requests.push(setDormant(table, false));
    for (const entry of difference(this.offRules, this.isRules)) {
      switched.set(requests.length, entry);
      requests.push(replaceRule(entry.rule, entry.handle, undefined));
    }
    for (const entry of difference(this.isRules, this.offRules)) {
      requests.push(...this.nameless(entry, requests.length));
      switched.set(requests.length, entry);
      requests.push(replaceRule(entry.rule, entry.handle, entry.rule));
    }
    for (const chain of difference(this.openChains, this.isChains)) requests.push(setPolicy(chain, NF_ACCEPT));
    for (const chain of difference(this.isChains, this.openChains)) requests.push(setPolicy(chain, chain.policy));
    requests.push(...this.elementRequests());
    for (const table of difference(this.asleep, this.isAsleep)) requests.push(setDormant(table, true));
    const refused = this.send(requests, switched);
    if (refused !== undefined) {
      this.giveUp();
      return refused;
    }
    copyInto(this.isRules, this.offRules);
    copyInto(this.isChains, this.openChains);
    copyInto(this.isAsleep, this.asleep);
    this.isGone.clear();
    for (const [set, gone] of this.goneElements) this.isGone.set(set, new Set(gone));
    return undefined;
  }

  /** What rules remember of packets (limits, quotas, counts, elements that they added) is as it was in the beginning. */
  resetState(): void {
    const stateful = this.rules.filter(
      (entry) =>
        entry.rule.expressions.some((name) => STATEFUL.has(name)) && this.canSwitch(entry) && !this.offRules.has(entry),
    );
    if (stateful.length > 0) {
      for (const entry of stateful) this.offRules.add(entry);
      this.sync();
      for (const entry of stateful) this.offRules.delete(entry);
      this.sync();
    }
    const filled = this.sets.filter(
      ({ set }) => (set.flags & NFT_SET.evaluated) !== 0 && (set.flags & NFT_SET.anonymous) === 0,
    );
    const requests = filled.flatMap((entry) => {
      const gone = this.goneElements.get(entry);
      const kept = entry.elements.filter((element) => gone?.has(element) !== true);
      return [flushSet(entry.set), ...addElements(entry.set, inOrder(kept))];
    });
    this.send(requests, new Map());
  }

  /** What the kernel refused shall not be wanted any more: everything is to be as it is. */
  private giveUp(): void {
    copyInto(this.offRules, this.isRules);
    copyInto(this.openChains, this.isChains);
    copyInto(this.asleep, this.isAsleep);
    this.goneElements.clear();
    for (const [set, gone] of this.isGone) this.goneElements.set(set, new Set(gone));
  }

  close(): void {
    this.socket.close();
  }

  /** Nameless sets go with the rule that uses them, and have to be made again before it. */
  private nameless({ rule }: RuleEntry, id: number): NetlinkRequest[] {
    return this.sets
      .filter(
        ({ set }) =>
          (set.flags & NFT_SET.anonymous) !== 0 &&
          set.family === rule.family &&
          set.table === rule.table &&
          rule.sets.includes(set.name),
      )
      .flatMap(({ set, elements }, index) => makeSet(set, inOrder(elements), (id << 8) + index + 1));
  }

  private elementRequests(): NetlinkRequest[] {
    const requests: NetlinkRequest[] = [];
    for (const entry of new Set([...this.isGone.keys(), ...this.goneElements.keys()])) {
      const was = this.isGone.get(entry) ?? EMPTY;
      const shall = this.goneElements.get(entry) ?? EMPTY;
      requests.push(...deleteElements(entry.set, inOrder(difference(shall, was))));
      requests.push(...addElements(entry.set, inOrder(difference(was, shall))));
    }
    return requests;
  }

  private send(requests: readonly NetlinkRequest[], switched: ReadonlyMap<number, RuleEntry>): string | undefined {
    const { errors, echoes } = this.socket.batch(NFT_BATCH.begin, requests, NFT_BATCH.end);
    const [error] = errors;
    if (error !== undefined) {
      return `request ${error.index} of ${requests.length}: errno ${error.answer.errno} ${error.answer.message ?? ''}`.trim();
    }
    for (const [index, entry] of switched) {
      const made = (echoes.get(index) ?? []).flatMap((message) => decodeNftRule(message) ?? []).at(-1);
      if (made === undefined) return 'the kernel does not tell the handle of a new rule';
      entry.handle = made.handle;
    }
    return undefined;
  }
}

const EMPTY: ReadonlySet<NftElement> = new Set();

/** Elements as the kernel takes them: ranges in ascending order, each with its beginning before its end. */
function inOrder(elements: readonly NftElement[]): NftElement[] {
  return [...elements].sort(byKey);
}

/** The order of elements of a set of ranges: where one range ends and the next begins, the end comes first. */
export function byKey(a: NftElement, b: NftElement): number {
  return Buffer.compare(a.key, b.key) || Number(b.isIntervalEnd) - Number(a.isIntervalEnd);
}

function difference<T>(from: ReadonlySet<T>, without: ReadonlySet<T>): T[] {
  return [...from].filter((one) => !without.has(one));
}

function copyInto<T>(target: Set<T>, source: ReadonlySet<T>): void {
  target.clear();
  for (const one of source) target.add(one);
}
