import { type CauseEvidence, contradicts, supports } from '../model/cause.ts';
import type { EvidenceWeight } from '../model/diagnosis.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import type { FilteredPacket, FilterHit, NfQueue, PacketFilter } from '../model/facts/packet-filter.ts';
import { formatQuantity } from '../model/text.ts';
import { hasClient } from './shared-silence.ts';

/** What a deciding rule is to the catalogue: each kind is one cause, so that one rule never confirms two. */
export type HitKind =
  | 'drop'
  | 'reject'
  | 'rate-limit'
  | 'connection-limit'
  | 'ct-invalid'
  | 'queue'
  | 'synproxy'
  | 'translate';

/** The kind of a deciding rule: by what it asks first, then by what it does. */
export function hitKind({ verdict, conditions }: FilterHit): HitKind {
  if (verdict === 'queue' || verdict === 'synproxy') return verdict;
  if (verdict === 'redirect' || verdict === 'dnat' || verdict === 'tproxy') return 'translate';
  if (conditions.includes('connection-limit')) return 'connection-limit';
  if (conditions.includes('rate-limit')) return 'rate-limit';
  if (conditions.includes('ct-invalid')) return 'ct-invalid';
  return verdict === 'drop' ? 'drop' : 'reject';
}

/** A rule that may have decided about the packet, and how much that is worth. */
export interface WeighedHit {
  readonly hit: FilterHit;
  readonly kind: HitKind;
  readonly weight: Exclude<EvidenceWeight, 'weak'>;
  /** Whether its counter took the packets; undefined when it has none, or nothing was watched. */
  readonly moved?: boolean;
}

/** The rules that may have decided about one packet of the attempt. */
export interface FilterDecision {
  /** The rule that surely ends it. */
  readonly decider?: WeighedHit;
  /** In the order in which the packet meets them, up to the decider. */
  readonly standing: readonly WeighedHit[];
  /** Rules that could have, but whose counters did not move. */
  readonly still: readonly FilterHit[];
}

/**
 * Weighs the rules that may have decided about a packet.
 * @param expected packets of the attempt that the rule must have counted.
 * @param queues queues that a program has bound, when that is known: a packet goes on behind them.
 */
export function weighHits(
  filter: PacketFilter,
  attempt: Attempt,
  packet: FilteredPacket,
  expected: number,
  queues?: readonly NfQueue[],
): FilterDecision {
  const standing: WeighedHit[] = [];
  const still: FilterHit[] = [];
  for (const hit of filter.hits) {
    if (hit.packet !== packet) continue;
    const took = attempt.observed ? hit.packetsDelta : undefined;
    if (took === 0) {
      still.push(hit);
      continue;
    }
    const moved = took === undefined ? undefined : took >= expected;
    const weight = hasClient(attempt) ? weightOf(hit, moved) : 'moderate';
    const one: WeighedHit = { hit, kind: hitKind(hit), weight, ...(moved === undefined ? {} : { moved }) };
    standing.push(one);
    if (weight === 'conclusive' && endsPacket(hit, queues)) return { decider: one, standing, still };
  }
  return { standing, still };
}

/** Translation changes a packet and lets it go on; so does a queue whose program answers, or that may be bypassed. */
function endsPacket(hit: FilterHit, queues: readonly NfQueue[] | undefined): boolean {
  const kind = hitKind(hit);
  if (kind === 'translate') return false;
  return kind !== 'queue' || (queues !== undefined && !queueGoesOn(hit, queues));
}

/** Whether a packet that is queued can come back: a program has bound the queue, or the rule lets it bypass an unbound one. */
export function queueGoesOn({ queueNumber, text }: FilterHit, queues: readonly NfQueue[]): boolean {
  return /\bbypass\b|--queue-bypass/.test(text) || queues.some(({ number }) => number === queueNumber);
}

function weightOf(hit: FilterHit, moved: boolean | undefined): WeighedHit['weight'] {
  if (moved === false) return 'moderate';
  if (hit.certainty === 'certain') return 'conclusive';
  if (hit.certainty === 'unknown') return moved === true ? 'strong' : 'moderate';
  if (moved === true) return countsOnlyItsVictims(hit) ? 'conclusive' : 'strong';
  const kind = hitKind(hit);
  return kind === 'drop' || kind === 'reject' || kind === 'queue' ? 'strong' : 'moderate';
}

/**
 * Whether the counter of a rule counts only what the rule ends. nft evaluates a rule from left to right: a counter in front of a
 * limit or set lookup counts what these let pass as well. A rule of iptables counts after all its matches.
 */
export function countsOnlyItsVictims({ tool, policy, text }: FilterHit): boolean {
  if (tool !== 'nft' || policy) return true;
  const behind = /\bcounter(?: packets \d+ bytes \d+| name \S+)?(.*)$/s.exec(text)?.[1];
  if (behind === undefined) return false;
  return !/\b(?:limit|quota|ct|meta|ip6?|tcp|socket|osf|fib|numgen|jhash)\s|@/.test(
    behind.replace(/\b(?:log|comment|reject)\b.*/s, ''),
  );
}

/** A rule or policy as a sentence names it: `nft rule handle 5 of chain input in table inet filter`. */
export function hitName({ tool, policy, handle, chain, table, family }: FilterHit): string {
  const place = `chain ${chain} in table ${tool === 'nft' ? `${family} ${table}` : table}`;
  if (policy) return `the policy of ${place} (${tool})`;
  if (handle === undefined) return `a rule of ${place} (${tool})`;
  return tool === 'nft' ? `nft rule handle ${handle} of ${place}` : `${tool} rule ${handle} of ${place}`;
}

/** The rule as its tool prints it, short enough for a sentence. */
export function hitText({ text }: FilterHit): string {
  const line = text
    .replace(/\bcounter packets \d+ bytes \d+/, 'counter')
    .replace(/\s+/g, ' ')
    .trim();
  return line.length > 120 ? `${line.slice(0, 119)}…` : line;
}

const PACKET_NAMES: Readonly<Record<FilteredPacket, string>> = {
  'syn-in': 'SYN',
  'syn-ack-out': 'SYN-ACK',
  'syn-out': 'SYN',
  'syn-ack-in': 'SYN-ACK',
  'ack-in': 'ACK',
  'ack-out': 'ACK',
};

/** Evidence that a rule decided, with what its counter says. */
function hitEvidence({ hit, weight, moved }: WeighedHit, expected: number): CauseEvidence {
  const packet = PACKET_NAMES[hit.packet];
  const meets = hit.certainty === 'certain' ? `the ${packet} meets` : `the ${packet} may meet`;
  const took = hit.packetsDelta;
  const counted =
    moved === undefined || took === undefined
      ? ''
      : `; it took ${formatQuantity(took, 'packet')} for ${formatQuantity(expected, packet)} of this attempt`;
  return supports(weight, 'packetFilter', `${meets} ${hitName(hit)} (hook ${hit.hook}): "${hitText(hit)}"${counted}`);
}

/** What the rule set says for and against causes of some kinds, for one packet of the attempt. */
export interface FilterJudgement {
  /** The rule of these kinds that decides, or may. */
  readonly found?: WeighedHit;
  readonly evidence: readonly CauseEvidence[];
}

/** Judges the rules of some kinds. Exactly one kind can get conclusive evidence: that of the rule that ends the packet. */
export function judgeFilter(
  filter: PacketFilter,
  attempt: Attempt,
  packet: FilteredPacket,
  expected: number,
  kinds: readonly HitKind[],
  queues?: readonly NfQueue[],
): FilterJudgement {
  const name = PACKET_NAMES[packet];
  if (filter.passes.includes(packet)) {
    const unread = filter.unread.map(({ tool }) => tool);
    const rules =
      filter.rules === 0
        ? 'there are no packet filter rules'
        : `${formatQuantity(filter.rules, 'rule')} were read, and they let the ${name} pass`;
    const but = unread.length === 0 ? '' : ` (those of ${unread.join(', ')} could not be read)`;
    return {
      evidence: [contradicts(unread.length === 0 ? 'conclusive' : 'moderate', 'packetFilter', `${rules}${but}`)],
    };
  }
  const { decider, standing, still } = weighHits(filter, attempt, packet, expected, queues);
  const evidence: CauseEvidence[] = [];
  const mine = standing.filter(({ kind }) => kinds.includes(kind));
  const found = mine.find((one) => one === decider) ?? best(mine);
  if (found !== undefined) evidence.push(hitEvidence(found, expected));
  if (decider !== undefined && decider !== found) {
    evidence.push(
      contradicts('strong', 'packetFilter', `${hitName(decider.hit)} ends the ${name}, and it is of another kind`),
    );
  }
  if (found === undefined) {
    for (const hit of still.filter((one) => kinds.includes(hitKind(one))).slice(0, 1)) {
      evidence.push(contradicts('strong', 'packetFilter', `the counter of ${hitName(hit)} did not move`));
    }
  }
  return { ...(found === undefined ? {} : { found }), evidence };
}

function best(hits: readonly WeighedHit[]): WeighedHit | undefined {
  const order: readonly WeighedHit['weight'][] = ['conclusive', 'strong', 'moderate'];
  return order.map((weight) => hits.find((hit) => hit.weight === weight)).find((hit) => hit !== undefined);
}
