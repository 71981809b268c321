import type { Hook } from '../netfilter/packet.ts';
import type { BaseHook, FilterChain, FilterRule, FilterTable, RuleResult, Verdict } from '../netfilter/ruleset.ts';
import type { Condition } from '../netfilter/truth.ts';
import type { PacketView } from '../netfilter/view.ts';
import { asksOf } from './asks.ts';
import { type ChainDevices, devicesOf } from './chain-devices.ts';
import type { NftContext } from './context.ts';
import type { NftChain, NftDump, NftRule, NftTable } from './dump.ts';
import { foreignVerdict } from './foreign.ts';
import { formatHook } from './format-chain.ts';
import { formatRule } from './format-statement.ts';
import { asList, asObject, tagged, textOf } from './json.ts';
import { evaluateRule } from './rule.ts';
import type { NftSet } from './sets.ts';
import { plainVerdict, statementVerdict } from './verdict.ts';

const HOOKS: readonly string[] = ['ingress', 'prerouting', 'input', 'forward', 'output', 'postrouting', 'egress'];

/** Tables of nf_tables, ready to walk through. Chains of bridges, of ARP and dormant tables are left out. */
export function nftTables(dump: NftDump, before?: NftDump, devices?: ChainDevices): FilterTable[] {
  return dump.tables
    .filter(({ family, dormant }) => !dormant && ['ip', 'ip6', 'inet', 'netdev'].includes(family))
    .map((table) => {
      const earlier = before?.tables.find(({ family, name }) => family === table.family && name === table.name);
      return filterTable(table, earlier, devices);
    });
}

function filterTable(table: NftTable, before: NftTable | undefined, devices: ChainDevices | undefined): FilterTable {
  const uses = namedUses(table);
  const sets = new Map<string, NftSet>();
  for (const [name, set] of table.sets) {
    const earlier = before?.sets.get(name)?.elements;
    sets.set(name, {
      name,
      elements: set.elements,
      volatile: set.volatile || uses.written.has(name),
      ...(earlier === undefined ? {} : { before: earlier }),
    });
  }
  const chains = new Map<string, FilterChain>();
  for (const chain of table.chains.values()) {
    const base = baseOf(table, chain, devices);
    chains.set(chain.name, {
      name: chain.name,
      ...(base === undefined ? {} : { base }),
      rules: chain.rules.map((rule, index) => new NftFilterRule(rule, index, table, { sets }, uses.counters)),
    });
  }
  return { tool: 'nft', family: table.family, name: table.name, chains };
}

function baseOf(table: NftTable, chain: NftChain, devices: ChainDevices | undefined): BaseHook | undefined {
  const { hook, type, priority, policy } = chain;
  if (hook === undefined || !HOOKS.includes(hook)) return undefined;
  const known = chain.devices ?? devicesOf(devices, table, chain.name);
  return {
    hook: hook as Hook,
    priority,
    type: type === 'nat' || type === 'route' ? type : 'filter',
    ...(known === undefined ? {} : { devices: known }),
    policy,
    policyText: formatHook(table.family, chain, known),
  };
}

/** A class: there may be tens of thousands. */
class NftFilterRule implements FilterRule {
  readonly handle?: number;
  readonly packets?: number;
  readonly countsVerdict: boolean;
  readonly key: string;
  private readonly rule: NftRule;
  private readonly table: NftTable;
  private readonly context: NftContext;

  constructor(rule: NftRule, index: number, table: NftTable, context: NftContext, counterUses: CounterUses) {
    const { handle, statements } = rule;
    if (handle !== undefined) this.handle = handle;
    const packets = countedPackets(statements, table, counterUses);
    if (packets !== undefined) this.packets = packets;
    this.countsVerdict = countsVerdict(statements);
    this.key = handle === undefined ? `at ${index}` : `handle ${handle}`;
    this.rule = rule;
    this.table = table;
    this.context = context;
  }

  get asks(): readonly Condition[] {
    return asksOf(this.rule.statements);
  }

  get verdicts(): readonly Verdict[] {
    return verdictsOf(this.rule.statements, this.table);
  }

  evaluate(view: PacketView): RuleResult {
    return evaluateRule(this.rule.statements, view, this.context);
  }

  text(): string {
    return formatRule(this.table.family, this.rule.statements, this.rule.comment);
  }
}

/** How many rules use a named counter. */
type CounterUses = ReadonlyMap<string, number>;

/** Of the last counter of the rule, which stands nearest to its verdict; a named one only when no other rule uses it. */
function countedPackets(statements: readonly unknown[], table: NftTable, counterUses: CounterUses): number | undefined {
  const counter = statements.map(tagged).findLast((statement) => statement?.tag === 'counter');
  if (typeof counter?.body === 'string') {
    return counterUses.get(counter.body) === 1 ? table.counters.get(counter.body) : undefined;
  }
  const packets = asObject(counter?.body)?.packets;
  return typeof packets === 'number' ? packets : undefined;
}

/** Whether nothing stands between the last counter and the verdict that a packet may fail. */
function countsVerdict(statements: readonly unknown[]): boolean {
  const tags = statements.map((statement) => tagged(statement)?.tag ?? '');
  return tags.slice(tags.lastIndexOf('counter') + 1).every((tag) => !ASKING.includes(tag));
}

/** Statements that a packet may fail. */
const ASKING: readonly string[] = ['match', 'limit', 'quota', 'ct count', 'meter', 'set', 'map', 'vmap', 'xt', 'flow'];

/** Which named counters how many rules use, and which sets packets write to. */
function namedUses(table: NftTable): { readonly counters: Map<string, number>; readonly written: Set<string> } {
  const counters = new Map<string, number>();
  const written = new Set<string>();
  for (const chain of table.chains.values()) {
    for (const rule of chain.rules) {
      for (const statement of rule.statements.map(tagged)) {
        if (statement?.tag === 'counter' && typeof statement.body === 'string') {
          counters.set(statement.body, (counters.get(statement.body) ?? 0) + 1);
        }
        const name =
          statement?.tag === 'set' || statement?.tag === 'map' ? textOf(statement.body, statement.tag) : undefined;
        if (name !== undefined) written.add(name.replace(/^@/, ''));
      }
    }
  }
  return { counters, written };
}

function verdictsOf(statements: readonly unknown[], table: NftTable): readonly Verdict[] {
  const verdicts: Verdict[] = [];
  for (const statement of statements.map(tagged)) {
    if (statement === undefined) continue;
    const { tag, body } = statement;
    if (tag === 'vmap') verdicts.push(...mapVerdicts(asObject(body)?.data, table));
    else {
      const verdict = tag === 'xt' ? foreignVerdict(textOf(body, 'name') ?? '', 4) : statementVerdict(tag, body);
      if (verdict !== undefined) verdicts.push(verdict);
    }
  }
  return verdicts;
}

function mapVerdicts(data: unknown, table: NftTable): readonly Verdict[] {
  const elements = typeof data === 'string' ? table.sets.get(data.replace(/^@/, ''))?.elements : tagged(data)?.body;
  return asList(elements).flatMap((element) => {
    const verdict = Array.isArray(element) ? plainVerdict(element[1]) : undefined;
    return verdict === undefined ? [] : [verdict];
  });
}
