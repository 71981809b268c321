import type { FilterChain, FilterRule, FilterTable } from '../../formats/netfilter/ruleset.ts';

/** How much the counters of rules and policies grew between two readings of the same rule sets. */
export interface RuleGrowth {
  /** Packets that a rule, or the policy of a chain, took; undefined when it cannot be told. */
  of(table: FilterTable, chain: FilterChain, rule: FilterRule | undefined): number | undefined;
}

/** Compares two readings. A rule that was not there before, or whose counter was reset, has no growth. */
export function ruleGrowth(before: readonly FilterTable[] | undefined): RuleGrowth {
  const counts = new Map<string, number>();
  for (const table of before ?? []) {
    for (const chain of table.chains.values()) {
      const policy = chain.base?.policyPackets;
      if (policy !== undefined) counts.set(keyOf(table, chain, undefined), policy);
      for (const rule of chain.rules) {
        if (rule.packets !== undefined) counts.set(keyOf(table, chain, rule), rule.packets);
      }
    }
  }
  return {
    of(table, chain, rule) {
      const now = rule === undefined ? chain.base?.policyPackets : rule.packets;
      const then = counts.get(keyOf(table, chain, rule));
      return now === undefined || then === undefined || now < then ? undefined : now - then;
    },
  };
}

function keyOf({ tool, family, name }: FilterTable, chain: FilterChain, rule: FilterRule | undefined): string {
  return JSON.stringify([tool, family, name, chain.name, rule?.key ?? null]);
}
