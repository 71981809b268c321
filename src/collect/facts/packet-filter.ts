import { iptablesTables } from '../../formats/iptables/tables.ts';
import type { FilterTable } from '../../formats/netfilter/ruleset.ts';
import { nftTables } from '../../formats/nft/tables.ts';
import type { PacketFilter } from '../../model/facts/packet-filter.ts';
import { type Collector, defineCollector, known } from './collector.ts';
import { ruleGrowth } from './packet-filter-growth.ts';
import { countedHits, hitOf } from './packet-filter-hits.ts';
import { judgePackets } from './packet-filter-judge.ts';
import { type PacketFilterReading, readPacketFilter } from './packet-filter-reading.ts';
import { isTraceTable, withTrace } from './packet-filter-traced.ts';

/** The rule sets of netfilter, held against the packets of the attempt. */
export const packetFilter: Collector = defineCollector<'packetFilter', PacketFilterReading>({
  provides: 'packetFilter',
  baseline: true,
  after: [
    'outgoingRoute',
    'incomingRoute',
    'links',
    'addresses',
    'routes',
    'rules',
    'conntrack',
    'counters',
    'sockets',
    'nfQueues',
    'xfrmPolicies',
    'trafficControl',
    'bpfPrograms',
    'sysctls',
  ],
  read: (host) => readPacketFilter(host),
  fact(reading, before, scope) {
    const tables = tablesOf(reading, before).filter((table) => !isTraceTable(table));
    const growth = ruleGrowth(scope.intervalMs > 0 && before !== undefined ? tablesOf(before, undefined) : undefined);
    const judged = judgePackets(tables, scope, { growth, ...(before === undefined ? {} : { beforeNs: before.atNs }) });
    const { family } = scope.attempt;
    const evaluated = {
      hits: judged.flatMap((packet) => packet.hits.map((hit) => hitOf(packet.kind, family, hit, growth))),
      passes: judged.filter(({ passes }) => passes).map(({ kind }) => kind),
      blocked: judged.filter(({ blocked }) => blocked).map(({ kind }) => kind),
    };
    const unread = [...reading.unread, ...unevaluated(reading)];
    const outcome = withTrace(evaluated, known(scope, 'ruleTrace'), tables, unread);
    const { hits } = outcome;
    const value: PacketFilter = {
      ...outcome,
      rules: tables.reduce(
        (sum, { chains }) => sum + [...chains.values()].reduce((all, { rules }) => all + rules.length, 0),
        0,
      ),
      tools: [...new Set([...(reading.nft === undefined ? [] : ['nft']), ...reading.iptables.map(({ tool }) => tool)])],
      unread,
      counted: countedHits(tables, hits, growth, { side: scope.side, family }),
    };
    const sources = known(scope, 'ruleTrace')?.packets.length
      ? ['nft monitor trace', ...reading.sources]
      : reading.sources;
    return { value, source: sources.join(', ') };
  },
});

/** All tables; where iptables-nft prints a table itself, its words replace those of nft, which knows them by name only. */
function tablesOf(reading: PacketFilterReading, before: PacketFilterReading | undefined): FilterTable[] {
  const { nft, devices, iptables, ipsets } = reading;
  const sets =
    ipsets === undefined
      ? {}
      : { ipsets: { now: ipsets, ...(before?.ipsets === undefined ? {} : { before: before.ipsets }) } };
  const texts = iptables.map(({ tool, family, tables }) => iptablesTables(tables, { tool, family, ...sets }));
  const printed = texts.flat().filter(({ tool }) => !tool.endsWith('-legacy'));
  const replaced = (table: FilterTable): FilterTable[] => {
    const text = printed.find(({ family, name }) => family === table.family && name === table.name);
    if (text === undefined) return [table];
    // Chains that nft put into a table of iptables-nft are left out by iptables-save.
    const foreign = new Map([...table.chains].filter(([name]) => !text.chains.has(name)));
    return foreign.size === 0 ? [text] : [text, { ...table, chains: foreign }];
  };
  const native = nft === undefined ? [] : nftTables(nft, before?.nft, devices).flatMap(replaced);
  return [...native, ...texts.flat().filter((table) => !native.includes(table))];
}

/** Rule sets that are read and not held against packets: those of bridges. */
function unevaluated({ nft }: PacketFilterReading): PacketFilter['unread'] {
  const bridged = nft?.tables.some(
    ({ family, chains }) =>
      family === 'bridge' &&
      [...chains.values()].some(
        ({ hook, rules, policy }) => hook !== undefined && (rules.length > 0 || policy === 'drop'),
      ),
  );
  return bridged === true ? [{ tool: 'nft bridge', reason: 'rules of bridges are not evaluated' }] : [];
}
