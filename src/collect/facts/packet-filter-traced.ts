import type { FilterTable } from '../../formats/netfilter/ruleset.ts';
import type { FilteredPacket, FilterHit, PacketFilter } from '../../model/facts/packet-filter.ts';
import type { RuleTrace } from '../../model/facts/rule-trace.ts';

type TraceEnd = NonNullable<RuleTrace['packets'][number]['end']>;
type Judged = Pick<PacketFilter, 'hits' | 'passes' | 'blocked'>;

/** Names of the tables that a trace puts there itself. */
const OWN_TABLE = /^synscope_trace_/;

/** Whether a table is that of a trace, which decides nothing. */
export function isTraceTable({ name }: FilterTable): boolean {
  return OWN_TABLE.test(name);
}

/**
 * What the kernel said of a packet takes the place of what the rules seem to do with it, as far as chains of nftables go: the rule or
 * policy that ended its way is certain, and those that it passed did not stop it.
 */
export function withTrace(
  judged: Judged,
  trace: RuleTrace | undefined,
  tables: readonly FilterTable[],
  unread: PacketFilter['unread'],
): Judged {
  if (trace === undefined || trace.packets.length === 0) return judged;
  const kinds = [...new Set(trace.packets.map(({ packet }) => packet))];
  return kinds.reduce((before, kind) => {
    // Of several the last one counts: a limit may have let the first ones pass.
    const last = trace.packets.findLast(({ packet }) => packet === kind);
    return last?.end === undefined ? passed(before, kind, unread) : stopped(before, kind, last.end, tables);
  }, judged);
}

function passed({ hits, passes, blocked }: Judged, kind: FilteredPacket, unread: PacketFilter['unread']): Judged {
  const left = hits.filter(({ packet, tool, hook }) => packet !== kind || !isTraced(tool, hook));
  const isFree = unread.length === 0 && !left.some(({ packet, verdict }) => packet === kind && isEnd(verdict));
  return {
    hits: left,
    passes: isFree && !passes.includes(kind) ? [...passes, kind] : passes,
    ...(blocked === undefined ? {} : { blocked: blocked.filter((one) => one !== kind || !isFree) }),
  };
}

function stopped(
  { hits, passes, blocked = [] }: Judged,
  kind: FilteredPacket,
  end: TraceEnd,
  tables: readonly FilterTable[],
): Judged {
  const isEndOfTrace = ({ packet, family, table, chain, policy, handle }: FilterHit): boolean =>
    packet === kind &&
    family === end.family &&
    table === end.table &&
    chain === end.chain &&
    (end.handle === undefined ? policy : handle === end.handle);
  const evaluated = hits.find(isEndOfTrace);
  const known = evaluated === undefined ? hitOfTrace(kind, end, tables) : evaluated;
  const others = hits.filter((hit) => hit !== evaluated && !(hit.packet === kind && isEnd(hit.verdict)));
  return {
    hits: known === undefined ? others : [...others, { ...known, certainty: 'certain' }],
    passes: passes.filter((one) => one !== kind),
    blocked: blocked.includes(kind) ? blocked : [...blocked, kind],
  };
}

/** A hit that was not evaluated: of the rule as it was read where it is there, else as the trace tells it. */
function hitOfTrace(
  packet: FilteredPacket,
  { family, table, chain, handle, text, verdict }: TraceEnd,
  tables: readonly FilterTable[],
): FilterHit | undefined {
  const read = tables.find((one) => one.family === family && one.name === table);
  const rule = read?.chains.get(chain)?.rules.find((one) => handle !== undefined && one.handle === handle);
  const [does] = rule?.verdicts ?? [];
  // What ends a way and is neither a drop nor a queue (stolen by a NAT or a proxy) is told by the rule that was read.
  if (verdict === 'other' && does === undefined) return undefined;
  const base =
    read === undefined
      ? undefined
      : [...read.chains.values()].find((one) => one.base !== undefined && one.name === chain);
  const isReject = does?.kind === 'reject';
  return {
    packet,
    verdict:
      verdict === 'queue' ? 'queue' : isReject ? (does.with === 'tcp-reset' ? 'reject-reset' : 'reject-icmp') : 'drop',
    certainty: 'certain',
    conditions: rule?.asks ?? [],
    tool: 'nft',
    family,
    table,
    chain,
    hook: base?.base?.hook ?? (packet.endsWith('-in') ? 'input' : 'output'),
    policy: handle === undefined,
    ...(handle === undefined ? {} : { handle }),
    text,
  };
}

/** Rules of the old iptables, and of chains in front of everything, are not traced. */
function isTraced(tool: FilterHit['tool'], hook: string): boolean {
  return !tool.endsWith('-legacy') && hook !== 'ingress' && hook !== 'egress';
}

function isEnd(verdict: FilterHit['verdict']): boolean {
  return verdict === 'drop' || verdict === 'reject-reset' || verdict === 'reject-icmp' || verdict === 'queue';
}
