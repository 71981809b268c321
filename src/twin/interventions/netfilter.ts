import { NF_DROP, NFT_SET, type NftElement } from '../../formats/netlink/nftables.ts';
import { canonicalFromBytes } from '../../formats/wire/canonical-address.ts';
import type { Bench } from './bench.ts';
import { byKey, type SetEntry } from './filters.ts';
import type { Intervention } from './intervention.ts';
import type { LegacyRules } from './legacy.ts';
import { familyName, namedRules } from './nft-names.ts';

/** Elements of a set that are tried one by one; the rest only with the rules that use them. */
const MAX_ELEMENTS = 10_000;

/** Rules, policies, elements of sets and whole tables of nftables, and rules of both kinds of iptables. */
export function netfilterInterventions(bench: Bench): Intervention[] {
  return [...nftRules(bench), ...nftPolicies(bench), ...nftElements(bench), ...nftTables(bench), ...legacy(bench)];
}

function nftRules({ filters, twin: { state } }: Bench): Intervention[] {
  return namedRules(filters, state)
    .filter(({ entry }) => filters.canSwitch(entry))
    .map(({ entry, name: { kind, element, text } }): Intervention => {
      const { rule, handle } = entry;
      return {
        element: { kind, element, change: 'removed', ...(text === '' ? {} : { text }) },
        rank: 'existing',
        breadth: rule.targets.length > 0 ? 2 : 1,
        hints: [`${familyName(rule.family)} ${rule.table} ${rule.chain} handle ${handle} `],
        apply: (bench) => bench.filters.offRules.add(entry),
        revert: (bench) => bench.filters.offRules.delete(entry),
      };
    });
}

function nftPolicies(bench: Bench): Intervention[] {
  return bench.filters.chains
    .filter(({ policy }) => policy === NF_DROP)
    .map((chain): Intervention => {
      const isXtables = bench.twin.state.iptables.some(
        ({ tool, family, text }) =>
          tool.endsWith('-nft') &&
          familyName(chain.family) === (family === 4 ? 'ip' : 'ip6') &&
          text.includes(`*${chain.table}\n`) &&
          text.includes(`\n:${chain.name} DROP`),
      );
      const place = `${familyName(chain.family)} ${chain.table} ${chain.name}`;
      return {
        element: isXtables
          ? {
              kind: 'iptables-policy',
              element: `${chain.family === 10 ? 'ip6tables' : 'iptables'} ${chain.table} ${chain.name}`,
              change: 'ACCEPT',
            }
          : { kind: 'nft-policy', element: place, change: 'accept' },
        rank: 'existing',
        breadth: 5,
        hints: [`${place} policy`],
        apply: ({ filters }) => filters.openChains.add(chain),
        revert: ({ filters }) => filters.openChains.delete(chain),
      };
    });
}

function nftElements(bench: Bench): Intervention[] {
  return bench.filters.sets
    .filter(({ set }) => (set.flags & NFT_SET.anonymous) === 0)
    .flatMap((entry) =>
      ranges(entry)
        .slice(0, MAX_ELEMENTS)
        .map((range) => elementOf(entry, range)),
    );
}

function elementOf(entry: SetEntry, range: readonly NftElement[]): Intervention {
  const { family, table, name } = entry.set;
  const [first, last] = range;
  const text =
    first === undefined
      ? ''
      : first.keyEnd === undefined
        ? keyText(first.key, last?.key)
        : `${oneKey(first.key)}-${oneKey(first.keyEnd)}`;
  return {
    element: { kind: 'nft-element', element: `${familyName(family)} ${table} ${name} { ${text} }`, change: 'removed' },
    rank: 'existing',
    breadth: 0,
    apply({ filters }) {
      const gone = filters.goneElements.get(entry) ?? new Set();
      for (const element of range) gone.add(element);
      filters.goneElements.set(entry, gone);
    },
    revert({ filters }) {
      for (const element of range) filters.goneElements.get(entry)?.delete(element);
    },
  };
}

/** Elements of a set of ranges come as a beginning and an end, the end first or last; those of other sets alone. */
function ranges({ set, elements }: SetEntry): (readonly NftElement[])[] {
  if ((set.flags & NFT_SET.interval) === 0) return elements.map((element) => [element]);
  if (elements.some(({ keyEnd }) => keyEnd !== undefined)) return elements.map((element) => [element]);
  const sorted = [...elements].sort(byKey);
  return sorted.flatMap((element, index) => {
    if (element.isIntervalEnd) return [];
    const next = sorted[index + 1];
    const end = next?.isIntervalEnd === true ? next : undefined;
    return [end === undefined ? [element] : [element, end]];
  });
}

/** The key of an element for a person: an address or a prefix where it looks like one, else a number or bytes. */
function keyText(key: Uint8Array, end: Uint8Array | undefined): string {
  if (end === undefined) return oneKey(key);
  const last = numberOf(end) - 1n;
  const size = last - numberOf(key) + 1n;
  const bits = size.toString(2).length - 1;
  const isAddress = key.length === 4 || key.length === 16;
  if (isAddress && size === 1n << BigInt(bits) && numberOf(key) % size === 0n) {
    return bits === 0 ? oneKey(key) : `${oneKey(key)}/${key.length * 8 - bits}`;
  }
  return size === 1n ? oneKey(key) : `${oneKey(key)}-${oneKey(bytesOfNumber(last, key.length))}`;
}

function numberOf(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString('hex') || '0'}`);
}

function bytesOfNumber(value: bigint, length: number): Uint8Array {
  return Buffer.from(
    value
      .toString(16)
      .padStart(length * 2, '0')
      .slice(-length * 2),
    'hex',
  );
}

function oneKey(key: Uint8Array): string {
  if (key.length === 4 || key.length === 16) return canonicalFromBytes(key).address;
  if (key.length === 2) return String((key[0]! << 8) | key[1]!);
  if (key.length === 8) return `${canonicalFromBytes(key.subarray(0, 4)).address} . ${(key[4]! << 8) | key[5]!}`;
  return `0x${Buffer.from(key).toString('hex')}`;
}

function nftTables(bench: Bench): Intervention[] {
  return bench.filters.tables.map(
    (table): Intervention => ({
      element: { kind: 'nft-table', element: `${familyName(table.family)} ${table.table}`, change: 'removed' },
      rank: 'existing',
      breadth: 9,
      apply: ({ filters }) => filters.asleep.add(table),
      revert: ({ filters }) => filters.asleep.delete(table),
    }),
  );
}

function legacy({ legacy: { all } }: Bench): Intervention[] {
  return all.flatMap((rules) =>
    rules.rules
      .filter(({ number, text }) => number > 0 || text === 'DROP')
      .map((rule): Intervention => {
        const tool = rules.saved.tool;
        const set = (bench: Bench): Set<number> | undefined => linesOf(bench, rules, rule.number === 0);
        return {
          element:
            rule.number === 0
              ? { kind: 'iptables-policy', element: `${tool} ${rule.table} ${rule.chain}`, change: 'ACCEPT' }
              : {
                  kind: 'iptables-rule',
                  element: `${tool} ${rule.table} ${rule.chain} ${rule.number}`,
                  change: 'removed',
                  text: rule.text,
                },
          rank: 'existing',
          breadth: rule.number === 0 ? 5 : 1,
          apply: (bench) => set(bench)?.add(rule.line),
          revert: (bench) => set(bench)?.delete(rule.line),
        };
      }),
  );
}

function linesOf({ legacy: switches }: Bench, rules: LegacyRules, isPolicy: boolean): Set<number> | undefined {
  return (isPolicy ? switches.openLines : switches.offLines).get(rules);
}
