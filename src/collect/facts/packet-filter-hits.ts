import { formatAddressNumber, isKnown } from '../../formats/netfilter/bits.ts';
import type { Hook, PacketKind, Translation } from '../../formats/netfilter/packet.ts';
import {
  type FilterChain,
  type FilterRule,
  type FilterTable,
  stops,
  type Verdict,
} from '../../formats/netfilter/ruleset.ts';
import type { Condition, Doubt } from '../../formats/netfilter/truth.ts';
import type { WalkHit } from '../../formats/netfilter/walk-chain.ts';
import type { FilterHit, FilterVerdict } from '../../model/facts/packet-filter.ts';
import type { RuleGrowth } from './packet-filter-growth.ts';

/** Rules that counted are listed up to so many. */
const MAX_COUNTED = 100;

/** Where a rule or policy stands, and what it does. */
interface Place {
  readonly packet: PacketKind;
  /** Family of the attempt. */
  readonly family: 4 | 6;
  readonly table: FilterTable;
  readonly chain: FilterChain;
  readonly base: FilterChain;
  readonly rule: FilterRule | undefined;
  readonly verdict: Verdict;
  readonly to?: Translation;
  readonly doubt: Doubt | undefined;
  readonly conditions: readonly Condition[];
}

/** A hit of a walk as a fact. */
export function hitOf(packet: PacketKind, family: 4 | 6, hit: WalkHit, growth: RuleGrowth): FilterHit {
  const { table, chain, base, rule, verdict, to, doubt, via } = hit;
  const asked = [...via, ...(rule === undefined ? [] : [rule])].flatMap(({ asks }) => asks);
  const conditions = [...new Set([...(doubt?.conditions ?? []), ...asked])];
  return placeHit(
    { packet, family, table, chain, base, rule, verdict, doubt, conditions, ...(to === undefined ? {} : { to }) },
    growth,
  );
}

function placeHit(place: Place, growth: RuleGrowth): FilterHit {
  const { packet, table, chain, base, rule, verdict, to, doubt, conditions } = place;
  const hook = base.base!;
  // A counter that other packets move as well says nothing of the verdict.
  const counts = rule?.countsVerdict !== false;
  const packets = rule === undefined ? hook.policyPackets : rule.packets;
  const delta = growth.of(table, chain, rule);
  const target = targetOf(to, place.family);
  return {
    packet,
    verdict: filterVerdict(verdict),
    certainty: doubt === undefined ? 'certain' : doubt.level,
    conditions,
    tool: table.tool as FilterHit['tool'],
    family: table.family,
    table: table.name,
    chain: chain.name,
    hook: hook.hook,
    priority: hook.priority,
    policy: rule === undefined,
    ...(rule?.handle === undefined ? {} : { handle: rule.handle }),
    text: rule === undefined ? hook.policyText : rule.text(),
    ...(counts && delta !== undefined ? { packetsDelta: delta } : {}),
    ...(counts && packets !== undefined ? { packets } : {}),
    ...(verdict.kind === 'queue' && verdict.number !== undefined ? { queueNumber: verdict.number } : {}),
    ...(target === undefined ? {} : { target }),
    ...(verdict.kind === 'reject' && verdict.with !== undefined && verdict.with !== 'tcp-reset'
      ? { rejectWith: verdict.with }
      : {}),
  };
}

function filterVerdict(verdict: Verdict): FilterVerdict {
  switch (verdict.kind) {
    case 'reject':
      return verdict.with === 'tcp-reset' ? 'reject-reset' : 'reject-icmp';
    case 'queue':
    case 'synproxy':
    case 'dnat':
    case 'redirect':
    case 'tproxy':
      return verdict.kind;
    default:
      return 'drop';
  }
}

function targetOf(to: Translation | undefined, family: 4 | 6): FilterHit['target'] {
  if (to === undefined) return undefined;
  const address =
    to.address !== undefined && isKnown(to.address) ? formatAddressNumber(to.address.value, family) : undefined;
  const port = to.port !== undefined && isKnown(to.port) ? Number(to.port.value) : undefined;
  if (address === undefined && port === undefined) return undefined;
  return { ...(address === undefined ? {} : { address }), ...(port === undefined ? {} : { port }) };
}

/** Rules and policies that took packets during the watch, whatever packets; those of hits as the hits tell them. */
export function countedHits(
  tables: readonly FilterTable[],
  hits: readonly FilterHit[],
  growth: RuleGrowth,
  { side, family }: { readonly side: 'server' | 'client'; readonly family: 4 | 6 },
): FilterHit[] {
  const counted: FilterHit[] = [];
  for (const table of tables) {
    const bases = baseChains(table);
    for (const chain of table.chains.values()) {
      const base = bases.get(chain.name);
      if (base === undefined) continue;
      const ends: (FilterRule | undefined)[] = chain.rules.filter(
        ({ verdicts, countsVerdict }) => countsVerdict && verdicts.length > 0 && verdicts.every(stops),
      );
      if (chain.base?.policy === 'drop') ends.push(undefined);
      for (const rule of ends) {
        if ((growth.of(table, chain, rule) ?? 0) === 0) continue;
        if (counted.length >= MAX_COUNTED) return counted;
        const verdict: Verdict = rule?.verdicts[0] ?? { kind: 'drop' };
        const packet = packetAt(base.base!.hook, side);
        const conditions = rule?.asks ?? [];
        const doubt: Doubt = { level: 'unknown', conditions };
        const made = placeHit({ packet, family, table, chain, base, rule, verdict, doubt, conditions }, growth);
        counted.push(hits.find((hit) => isSamePlace(hit, made)) ?? made);
      }
    }
  }
  return counted;
}

function isSamePlace(a: FilterHit, b: FilterHit): boolean {
  return (
    a.tool === b.tool &&
    a.family === b.family &&
    a.table === b.table &&
    a.chain === b.chain &&
    a.policy === b.policy &&
    a.handle === b.handle &&
    a.verdict === b.verdict
  );
}

/** The packet of a handshake that a hook is for, first of all. */
function packetAt(hook: Hook, side: 'server' | 'client'): PacketKind {
  const outgoing = hook === 'output' || hook === 'postrouting' || hook === 'egress';
  if (side === 'server') return outgoing ? 'syn-ack-out' : 'syn-in';
  return outgoing ? 'syn-out' : 'syn-ack-in';
}

/** For each chain that packets can reach, a base chain from which they do. */
function baseChains(table: FilterTable): ReadonlyMap<string, FilterChain> {
  const reached = new Map<string, FilterChain>();
  for (const base of table.chains.values()) {
    if (base.base === undefined) continue;
    const waiting = [base];
    for (let chain = waiting.pop(); chain !== undefined; chain = waiting.pop()) {
      if (reached.has(chain.name)) continue;
      reached.set(chain.name, base);
      for (const verdict of chain.rules.flatMap(({ verdicts }) => verdicts)) {
        const next = verdict.kind === 'jump' || verdict.kind === 'goto' ? table.chains.get(verdict.chain) : undefined;
        if (next !== undefined) waiting.push(next);
      }
    }
  }
  return reached;
}
