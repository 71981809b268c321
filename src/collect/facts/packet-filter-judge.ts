import { bits } from '../../formats/netfilter/bits.ts';
import { type Connection, eitherState, type FilterPacket, type PacketKind } from '../../formats/netfilter/packet.ts';
import { type FilterTable, stops } from '../../formats/netfilter/ruleset.ts';
import { depends, isSure, join, UNKNOWN } from '../../formats/netfilter/truth.ts';
import type { WalkHit, WalkTerms } from '../../formats/netfilter/walk-chain.ts';
import { type PacketWalk, walkPacket } from '../../formats/netfilter/walk-packet.ts';
import { type AttemptScope, known } from './collector.ts';
import type { RuleGrowth } from './packet-filter-growth.ts';
import { filterHost } from './packet-filter-host.ts';
import { filterPacket, type PacketRole, packetRoles, type SynResult, synEndpoints } from './packet-filter-packets.ts';

/** What the rules do with one packet of the attempt. */
export interface JudgedPacket {
  readonly kind: PacketKind;
  readonly hits: readonly WalkHit[];
  readonly passes: boolean;
  readonly blocked: boolean;
}

/** What is known of the moment at which the rules were read. */
export interface JudgeTerms {
  readonly growth: RuleGrowth;
  /** When the reading before the watch was complete, nanoseconds since 1970; absent without one. */
  readonly beforeNs?: bigint;
}

/** Holds the rules against each packet of the attempt, in order: what becomes of the SYN decides what tracking makes of the rest. */
export function judgePackets(tables: readonly FilterTable[], scope: AttemptScope, terms: JudgeTerms): JudgedPacket[] {
  const host = filterHost(scope);
  let syn: SynResult | undefined;
  let unsure = false;
  return packetRoles(scope).map((role) => {
    const packet = filterPacket(role, scope, host, syn);
    const tells = countersTell(role, scope, terms.beforeNs);
    const walkTerms: WalkTerms = {
      host,
      stoodStill: (table, chain, rule) => tells && terms.growth.of(table, chain, rule) === 0,
    };
    const walk = walkPacket(tables, packet, walkTerms);
    if (role.segment === 'syn' && syn === undefined) {
      syn = synResult(walk, scope);
      unsure = walk.forwarded !== undefined && !isSure(walk.forwarded);
    }
    // Whether the answer is made here or sent on decides which hooks it meets.
    const lost = unsure && role.segment === 'syn-ack';
    const passed = hasPassed(role, scope) || lost;
    const hits = withInvalid(walk, tables, packet, walkTerms, scope);
    return {
      kind: role.kind,
      hits: passed ? hits.map(doubted) : hits,
      passes: walk.passes && hits.length === walk.hits.length && !lost,
      blocked: walk.blocked && !passed,
    };
  });
}

/**
 * Whether counters that stood still say that their rules did not touch this packet: it came after the first reading, and there is
 * no doubt that it was there.
 */
function countersTell({ kind }: PacketRole, scope: AttemptScope, beforeNs: bigint | undefined): boolean {
  const { attempt, intervalMs } = scope;
  if (!attempt.observed || intervalMs === 0 || beforeNs === undefined) return false;
  const seenSince = attempt.syns > 0 && attempt.handshake !== undefined && attempt.handshake.startedAtNs > beforeNs;
  if (kind === 'syn-in') return seenSince;
  if (kind !== 'syn-out') return false;
  return seenSince || (attempt.connect !== undefined && known(scope, 'outgoingRoute')?.ok === true);
}

/** Whether the packet was seen behind all rules of this host, so that none of them can have stopped every one of its kind. */
function hasPassed({ kind }: PacketRole, { attempt, side }: AttemptScope): boolean {
  const seen = (segment: string, direction: 'in' | 'out'): boolean =>
    attempt.sightings.some((one) => one.segment === segment && one.direction === direction && one.device !== 'lo');
  if (side === 'server') return (kind === 'syn-in' || kind === 'syn-ack-out') && seen('syn-ack', 'out');
  return kind === 'syn-out' && seen('syn', 'out');
}

function doubted(hit: WalkHit): WalkHit {
  return stops(hit.verdict) && hit.doubt === undefined ? { ...hit, doubt: UNKNOWN } : hit;
}

/** What tracking remembers of the SYN when it has passed; if it does not, what it would remember of one that did. */
function synResult({ flows, forwarded }: PacketWalk, scope: AttemptScope): SynResult {
  const original = synEndpoints(scope);
  const [first, ...others] = flows.map(({ state }) => state);
  if (first === undefined) {
    const connection: Connection = { original, untracked: false, ctMark: bits(0) };
    return forwarded === true ? { connection, forwardedTo: undefined } : { connection };
  }
  const state = others.reduce((all, one) => eitherState(all, one, depends('ct-state')), first);
  const { untracked, ctMark, destination, destinationPort, source, sourcePort } = state;
  const connection: Connection = {
    original,
    untracked,
    ctMark,
    ...(flows.every((flow) => flow.state.destinationNat === undefined)
      ? {}
      : { destination: { address: destination, port: destinationPort } }),
    ...(flows.every((flow) => flow.state.sourceNat === undefined)
      ? {}
      : { source: { address: source, port: sourcePort } }),
  };
  return forwarded === true ? { connection, forwardedTo: state.outDevice } : { connection };
}

/**
 * Adds the rules that would stop the packet if connection tracking took it for invalid: it may, by a bad checksum or an older
 * connection with the same ports, and the packet does not show it.
 */
function withInvalid(
  walk: PacketWalk,
  tables: readonly FilterTable[],
  packet: FilterPacket,
  terms: WalkTerms,
  scope: AttemptScope,
): readonly WalkHit[] {
  if (packet.origin === 'local' || packet.state === 'invalid' || !mayBeInvalid(scope, packet)) return walk.hits;
  const { connection: _, ...first } = packet;
  const invalid = walkPacket(tables, { ...first, state: 'invalid' }, terms);
  const end = walk.hits.find(({ doubt, verdict }) => doubt === undefined && stops(verdict));
  const more = invalid.hits
    .filter((hit) => stops(hit.verdict) && !walk.hits.some((other) => isSame(other, hit)))
    .filter((hit) => end === undefined || isBefore(hit.place, end.place))
    .map((hit) => ({ ...hit, doubt: join(hit.doubt, depends('ct-invalid'))! }));
  return [...walk.hits, ...more].sort((a, b) => (isBefore(a.place, b.place) ? -1 : isBefore(b.place, a.place) ? 1 : 0));
}

/** Over loopback nothing is checked anew; and tracking counts what it takes for invalid. */
function mayBeInvalid(scope: AttemptScope, { inDevice }: FilterPacket): boolean {
  if (inDevice?.every((name) => name === 'lo') === true) return false;
  const counters = known(scope, 'counters');
  const counted =
    counters !== undefined && counters.intervalMs > 0 && counters.now['nf_conntrack.invalid'] !== undefined;
  return !(scope.attempt.observed && counted && (counters.growth['nf_conntrack.invalid'] ?? 0) === 0);
}

function isSame(a: WalkHit, b: WalkHit): boolean {
  return a.table === b.table && a.chain === b.chain && a.rule === b.rule;
}

function isBefore(a: readonly number[], b: readonly number[]): boolean {
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const [left, right] = [a[index] ?? -1, b[index] ?? -1];
    if (left !== right) return left < right;
  }
  return false;
}
