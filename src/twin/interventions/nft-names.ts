import { tablesOf } from '../read-filters.ts';
import type { HostState } from '../state.ts';
import type { FilterSwitch, RuleEntry } from './filters.ts';
import { parseSaved } from './saved-rules.ts';

/** A rule as the host itself calls it. */
export interface NamedRule {
  readonly kind: 'nft-rule' | 'iptables-rule';
  /** `inet fw input handle 5`; `iptables filter INPUT 3`. */
  readonly element: string;
  /** What the rule says. */
  readonly text: string;
}

const FAMILIES: Readonly<Record<number, string>> = {
  1: 'inet',
  2: 'ip',
  3: 'arp',
  5: 'netdev',
  7: 'bridge',
  10: 'ip6',
};

/** The name of a family of nftables by its number. */
export function familyName(family: number): string {
  return FAMILIES[family] ?? `family ${family}`;
}

/** Where rules stand: family, table and chain. */
interface Place {
  readonly family: number;
  readonly table: string;
  readonly chain: string;
}

/**
 * The names that the host has for the rules of its nftables. In the twin the handles are others; the order is the same, so that the
 * place in the chain tells which rule is which.
 */
class NftNames {
  private readonly byChain: ReadonlyMap<string, readonly NamedRule[]>;

  constructor({ nft, iptables }: HostState) {
    const byChain = new Map<string, NamedRule[]>();
    if (nft?.form === 'text') readText(nft.text, byChain);
    if (nft?.form === 'json') readJson(nft.text, byChain);
    for (const { tool, family, text } of iptables) {
      if (!tool.endsWith('-nft')) continue;
      const saved = new Map<string, NamedRule[]>();
      for (const rule of parseSaved(text)) {
        if (rule.number === 0) continue;
        const element = `${family === 4 ? 'iptables' : 'ip6tables'} ${rule.table} ${rule.chain} ${rule.number}`;
        const key = chainKey(family === 4 ? 'ip' : 'ip6', rule.table, rule.chain);
        saved.set(key, [...(saved.get(key) ?? []), { kind: 'iptables-rule', element, text: rule.text }]);
      }
      for (const [key, rules] of saved) {
        // Rules that nft put into the same chain are not among those of iptables.
        if ((byChain.get(key)?.length ?? rules.length) === rules.length) byChain.set(key, rules);
      }
    }
    this.byChain = byChain;
  }

  /**
   * The name of a rule of the twin.
   * @param index its place in the chain, of `count`; where the host has another number of rules there, the name is the twin's own.
   */
  of(place: Place, index: number, count: number, handle: bigint): NamedRule {
    const rules = this.byChain.get(chainKey(familyName(place.family), place.table, place.chain));
    const named = rules?.length === count ? rules[index] : undefined;
    const element = `${familyName(place.family)} ${place.table} ${place.chain} rule ${index + 1} (handle ${handle} in the copy)`;
    return named ?? { kind: 'nft-rule', element, text: '' };
  }
}

/** The rules of a twin with the names that the host has for them. */
export function namedRules(filters: FilterSwitch, state: HostState): { entry: RuleEntry; name: NamedRule }[] {
  const names = new NftNames(state);
  const counts = new Map<string, number>();
  const placeOf = ({ family, table, chain }: Place): string => chainKey(familyName(family), table, chain);
  for (const { rule } of filters.rules) counts.set(placeOf(rule), (counts.get(placeOf(rule)) ?? 0) + 1);
  return filters.rules.map((entry) => {
    const { rule, index, handle } = entry;
    return { entry, name: names.of(rule, index, counts.get(placeOf(rule)) ?? 0, handle) };
  });
}

function chainKey(family: string, table: string, chain: string): string {
  return `${family} ${table} ${chain}`;
}

function readText(ruleset: string, byChain: Map<string, NamedRule[]>): void {
  for (const { family, name, text } of tablesOf(ruleset)) {
    let chain: string | undefined;
    for (const line of text.split('\n')) {
      const opened = /^\tchain (\S+) \{/.exec(line)?.[1];
      if (opened !== undefined) chain = opened;
      if (line === '\t}') chain = undefined;
      const [, rule, handle] = /^\t\t(?! )(.+) # handle (\d+)$/.exec(line) ?? [];
      if (chain === undefined || handle === undefined || rule === undefined) continue;
      add(byChain, { family, table: name, chain, handle, text: rule });
    }
  }
}

function readJson(text: string, byChain: Map<string, NamedRule[]>): void {
  const { nftables = [] } = parse(text) as { nftables?: { rule?: Record<string, unknown> }[] };
  for (const { rule } of nftables) {
    if (rule === undefined) continue;
    const { family, table, chain, handle, expr } = rule;
    add(byChain, {
      family: String(family),
      table: String(table),
      chain: String(chain),
      handle: String(handle),
      text: JSON.stringify(expr ?? []),
    });
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}

function add(
  byChain: Map<string, NamedRule[]>,
  rule: { family: string; table: string; chain: string; handle: string; text: string },
): void {
  const key = chainKey(rule.family, rule.table, rule.chain);
  const element = `${rule.family} ${rule.table} ${rule.chain} handle ${rule.handle}`;
  const text = rule.text.replace(/ packets \d+ bytes \d+/g, '');
  const rules = byChain.get(key);
  if (rules === undefined) byChain.set(key, [{ kind: 'nft-rule', element, text }]);
  else rules.push({ kind: 'nft-rule', element, text });
}
