import type { Hook } from '../netfilter/packet.ts';
import { eitherState } from '../netfilter/packet.ts';
import type { BaseHook, FilterChain, FilterRule, FilterTable, RuleResult, Verdict } from '../netfilter/ruleset.ts';
import { allOf, type Condition, isSure } from '../netfilter/truth.ts';
import type { PacketView } from '../netfilter/view.ts';
import { asksOf } from './asks.ts';
import type { IpSets } from './ipset.ts';
import { matcherHolds } from './matches.ts';
import type { IptablesChain, IptablesRule, IptablesTable } from './save-file.ts';
import { type Specification, specificationOf } from './specification.ts';
import { isHarmless, targetEffect, targetVerdict } from './target.ts';
import { splitArguments } from './words.ts';

/** Tables with their priority (NF_IP_PRI_*, uapi/linux/netfilter_ipv4.h); that of `nat` depends on the hook. */
const PRIORITIES: Readonly<Record<string, number>> = { raw: -300, mangle: -150, nat: -100, filter: 0, security: 50 };

const HOOKS: Readonly<Record<string, Hook>> = {
  PREROUTING: 'prerouting',
  INPUT: 'input',
  FORWARD: 'forward',
  OUTPUT: 'output',
  POSTROUTING: 'postrouting',
};

/** What tables of iptables are made of besides their text. */
export interface IptablesOptions {
  /** `iptables`, `ip6tables`, `iptables-legacy`, `ip6tables-legacy`. */
  readonly tool: string;
  readonly family: 4 | 6;
  readonly ipsets?: IpSets;
}

/** Tables of iptables, ready to walk through; other tables than the five of the kernel are left out. */
export function iptablesTables(tables: readonly IptablesTable[], options: IptablesOptions): FilterTable[] {
  return tables
    .filter(({ name }) => Object.hasOwn(PRIORITIES, name))
    .map((table) => {
      const chains = new Map<string, FilterChain>();
      for (const chain of table.chains.values()) chains.set(chain.name, filterChain(table, chain, options));
      return { tool: options.tool, family: options.family === 4 ? 'ip' : 'ip6', name: table.name, chains };
    });
}

/** Names of sets of ipset that rules refer to. */
export function usedIpsets(tables: readonly IptablesTable[]): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { chains } of tables) {
    for (const { rules } of chains.values()) {
      for (const { text } of rules) {
        if (!text.includes('--match-set')) continue;
        const words = splitArguments(text).map((word) => word.text);
        names.add(words[words.indexOf('--match-set') + 1] ?? '');
      }
    }
  }
  return names;
}

function filterChain(table: IptablesTable, chain: IptablesChain, options: IptablesOptions): FilterChain {
  const seen = new Map<string, number>();
  const base = baseOf(table, chain);
  return {
    name: chain.name,
    ...(base === undefined ? {} : { base }),
    rules: chain.rules.map((rule, index) => {
      const count = (seen.get(rule.text) ?? 0) + 1;
      seen.set(rule.text, count);
      return new IptablesFilterRule(rule, index + 1, `${count} ${rule.text}`, table, options);
    }),
  };
}

function baseOf({ name }: IptablesTable, { name: chain, policy, policyPackets }: IptablesChain): BaseHook | undefined {
  const hook = Object.hasOwn(HOOKS, chain) ? HOOKS[chain] : undefined;
  if (hook === undefined || policy === undefined) return undefined;
  return {
    hook,
    priority: name === 'nat' && (hook === 'input' || hook === 'postrouting') ? 100 : PRIORITIES[name]!,
    type: name === 'nat' ? 'nat' : name === 'mangle' && hook === 'output' ? 'route' : 'filter',
    policy: policy === 'DROP' ? 'drop' : 'accept',
    policyText: `-P ${chain} ${policy}`,
    ...(policyPackets === undefined ? {} : { policyPackets }),
  };
}

/** A class: there may be tens of thousands. */
class IptablesFilterRule implements FilterRule {
  readonly handle: number;
  readonly packets?: number;
  readonly countsVerdict: boolean = true;
  readonly key: string;
  private readonly rule: IptablesRule;
  private readonly table: IptablesTable;
  private readonly options: IptablesOptions;
  private parsed: Specification | undefined;

  constructor(rule: IptablesRule, handle: number, key: string, table: IptablesTable, options: IptablesOptions) {
    this.rule = rule;
    this.handle = handle;
    if (rule.packets !== undefined) this.packets = rule.packets;
    this.key = key;
    this.table = table;
    this.options = options;
  }

  get asks(): readonly Condition[] {
    return asksOf(this.specification);
  }

  get verdicts(): readonly Verdict[] {
    const verdict = verdictOf(this.specification, this.table, this.options);
    return verdict === undefined ? [] : [verdict];
  }

  evaluate(view: PacketView): RuleResult {
    return evaluateRule(this.specification, view, this.table, this.options);
  }

  text(): string {
    return this.rule.text;
  }

  private get specification(): Specification {
    // Without `-A CHAIN`.
    this.parsed ??= specificationOf(splitArguments(this.rule.text).slice(2));
    return this.parsed;
  }
}

function verdictOf(
  { target }: Specification,
  { chains }: IptablesTable,
  { family }: IptablesOptions,
): Verdict | undefined {
  if (target === undefined) return undefined;
  if (target.goto) return { kind: 'goto', chain: target.name };
  return chains.has(target.name) ? { kind: 'jump', chain: target.name } : targetVerdict(target, family);
}

function evaluateRule(
  specification: Specification,
  view: PacketView,
  table: IptablesTable,
  options: IptablesOptions,
): RuleResult {
  const scene = { view, ...(options.ipsets === undefined ? {} : { ipsets: options.ipsets }) };
  const held = allOf(specification.matchers.map((matcher) => matcherHolds(matcher, scene)));
  if (held === false) return { outcomes: [], next: view.state };
  const doubt = isSure(held) ? undefined : held;
  const { target } = specification;
  const verdict = verdictOf(specification, table, options);
  const state = target === undefined ? view.state : targetEffect(target, view);
  if (verdict === undefined) {
    const obscure = target !== undefined && !isHarmless(target);
    const next = doubt === undefined ? state : eitherState(view.state, state, doubt);
    return { outcomes: [], next, ...(obscure ? { obscure: true as const } : {}) };
  }
  return doubt === undefined
    ? { outcomes: [{ verdict, state }] }
    : { outcomes: [{ verdict, state, doubt }], next: view.state };
}
