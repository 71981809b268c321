import { ROW, ROW_CLIENT, ROW_SERVER, ROW_STATE, STATE_PROVED, STATE_SERVER_SEEN } from '../attempt-layout.ts';
import { type AttemptColumns, columnsOf } from './attempt-columns.ts';
import { chainByIsn, linkCopies } from './capture-copies.ts';
import { aheadAt, type ClockModel, SAME_CLOCK } from './clock-model.ts';
import { hashAddress, sameWords } from './hash-chains.ts';
import { addToSketch } from './hash-sketch.ts';
import { matchAttempts } from './match-attempts.ts';
import { pairClock } from './pair-clock.ts';
import type { PairMatch } from './pair-match.ts';
import { type OrderVote, orderVote, orderVoteOfTraits } from './point-order.ts';
import { noteServer, type PointTraits, type ServerTraffic, traitsOf } from './point-traits.ts';
import type { TrackedCapture } from './tracked-capture.ts';

/** The clock of one capture against that of another which leads to the first. */
export interface PointClock {
  readonly parent: number;
  readonly model: ClockModel;
}

/** Captures with their attempts matched. Captures go by their number in the order of the user. */
export interface Comparison {
  readonly columns: readonly AttemptColumns[];
  /** Numbers of the captures from the client to the server. */
  readonly order: readonly number[];
  /** Why the order is not the user's; empty when it is. */
  readonly reordered: readonly string[];
  /** How many attempts there are, each counted once whatever number of captures has it. */
  readonly stories: number;
  /** By capture, by story: the primary row, or -1. */
  readonly rowOf: readonly Int32Array[];
  /** By capture, by story: how it was recognised there; 0 where the story begins or is absent. */
  readonly basisOf: readonly Uint8Array[];
  readonly clocks: readonly PointClock[];
  readonly traits: readonly PointTraits[];
  readonly matches: readonly PairMatch[];
  /** Rows that show an attempt once more before or after address translation, by capture. */
  readonly copies: readonly number[];
}

/**
 * Matches the attempts of two or more captures, finds how their clocks relate and in which order they lie on the path.
 * @param inOrder whether that order is known to be the one given.
 */
export function compareTracked(captures: readonly TrackedCapture[], inOrder: boolean = false): Comparison {
  const baseNs = captures[0]?.baseNs ?? 0n;
  const columns = captures.map((capture) => columnsOf(capture, baseNs));
  const chains = columns.map(chainByIsn);
  const copies = columns.map((column, k) => linkCopies(column, chains[k]!));
  const room = columns.reduce((sum, { count }) => sum + count, 0);
  const rowOf = columns.map(() => new Int32Array(room).fill(-1));
  const basisOf = columns.map(() => new Uint8Array(room));
  const storyOf = columns.map(({ count }) => new Int32Array(count).fill(-1));
  const matches: PairMatch[] = [];
  const pairs: { a: number; b: number; match: PairMatch }[] = [];
  let stories = 0;
  for (let k = 0; k < columns.length; k++) {
    for (let j = k - 1; j >= 0; j--) {
      const [openA, openB] = openRows(storyOf[j]!, storyOf[k]!, rowOf[k]!);
      const match = matchAttempts(columns[j]!, columns[k]!, chains[k]!, openA, openB);
      adopt(match, storyOf[j]!, storyOf[k]!, rowOf[k]!, basisOf[k]!);
      matches.push(match);
      pairs.push({ a: j, b: k, match });
    }
    const { count, firstNs, primary } = columns[k]!;
    for (let row = 0; row < count; row++) {
      if (Number.isNaN(firstNs[row]!) || primary[row] !== row || storyOf[k]![row]! >= 0) continue;
      rowOf[k]![stories] = row;
      storyOf[k]![row] = stories++;
    }
  }
  const traits = columns.map((column, k) => traitsOf(column, sharedRows(column.count, k, rowOf, stories)));
  shareEnds(columns, rowOf, stories, traits);
  const { order, reordered } = inOrder
    ? { order: captures.map((_, k) => k), reordered: [] }
    : orderPoints(captures, pairs, traits, (a, b) => wholeMatch(columns, rowOf, stories, a, b));
  return {
    columns,
    order,
    reordered,
    stories,
    rowOf: rowOf.map((rows) => rows.subarray(0, stories)),
    basisOf: basisOf.map((basis) => basis.subarray(0, stories)),
    clocks: columns.map((_, k) => clockOf(k, pairs)),
    traits,
    matches,
    copies,
  };
}

/** Time of a capture, in float nanoseconds since its own base, on the clock of the first capture. */
export function referenceNs({ clocks, columns }: Comparison, capture: number, ns: number): number {
  let time = ns + columns[capture]!.shiftNs;
  for (let at = capture; at !== 0; at = clocks[at]!.parent) time -= aheadAt(clocks[at]!.model, time);
  return time;
}

/** Rows of two captures that have no partner in the other yet. */
function openRows(storyOfA: Int32Array, storyOfB: Int32Array, rowOfB: Int32Array): [Uint8Array, Uint8Array] {
  const openA = new Uint8Array(storyOfA.length);
  const openB = new Uint8Array(storyOfB.length);
  for (let row = 0; row < storyOfA.length; row++) {
    const story = storyOfA[row]!;
    if (story >= 0 && rowOfB[story]! < 0) openA[row] = 1;
  }
  for (let row = 0; row < storyOfB.length; row++) if (storyOfB[row]! < 0) openB[row] = 1;
  return [openA, openB];
}

/** Marks the rows of a capture of which another capture has the same attempt. */
function sharedRows(count: number, capture: number, rowOf: readonly Int32Array[], stories: number): Uint8Array {
  const shared = new Uint8Array(count);
  const own = rowOf[capture]!;
  rowOf.forEach((rows, other) => {
    if (other === capture) return;
    for (let story = 0; story < stories; story++) {
      if (own[story]! >= 0 && rows[story]! >= 0) shared[own[story]!] = 1;
    }
  });
  return shared;
}

function adopt(
  { a, rowOfB, basis }: PairMatch,
  storyOfA: Int32Array,
  storyOfB: Int32Array,
  rowOf: Int32Array,
  basisOf: Uint8Array,
): void {
  for (let rowA = 0; rowA < a.count; rowA++) {
    const rowB = rowOfB[rowA]!;
    if (rowB < 0) continue;
    const story = storyOfA[rowA]!;
    rowOf[story] = rowB;
    basisOf[story] = basis[rowA]!;
    storyOfB[rowB] = story;
  }
}

function clockOf(capture: number, pairs: readonly { a: number; b: number; match: PairMatch }[]): PointClock {
  let best: PointClock = { parent: 0, model: SAME_CLOCK };
  let bestRank = -1;
  for (const { a, b, match } of pairs) {
    if (b !== capture) continue;
    const { basis, samples } = match.clock.model;
    const rank = (basis === 'both-ways' ? 1e9 : 0) + samples;
    if (samples > 0 && rank > bestRank) {
      best = { parent: a, model: match.clock.model };
      bestRank = rank;
    }
  }
  return best;
}

/**
 * Tells each capture the servers and clients that it shares with others, under the addresses that those have for them: behind
 * address translation they are the same servers and clients.
 */
function shareEnds(
  columns: readonly AttemptColumns[],
  rowOf: readonly Int32Array[],
  stories: number,
  traits: readonly PointTraits[],
): void {
  for (let k = 0; k < columns.length; k++) {
    const servers = traits[k]!.servers as Map<number, ServerTraffic>;
    const clients = traits[k]!.sharedClients;
    const own = new Set(servers.keys());
    const { rows } = columns[k]!;
    for (let story = 0; story < stories; story++) {
      const here = rowOf[k]![story]!;
      if (here < 0) continue;
      const answered = (rows[here * ROW + ROW_STATE]! & STATE_SERVER_SEEN) !== 0;
      for (let j = 0; j < columns.length; j++) {
        const there = j === k ? -1 : rowOf[j]![story]!;
        if (there < 0) continue;
        const client = hashAddress(columns[j]!.rows, there * ROW + ROW_CLIENT);
        addToSketch(clients, client);
        if (!answered && (columns[j]!.rows[there * ROW + ROW_STATE]! & STATE_PROVED) !== 0) traits[k]!.missedAnswers++;
        if (sameWords(columns[j]!.rows, there * ROW + ROW_SERVER, rows, here * ROW + ROW_SERVER)) continue;
        const server = hashAddress(columns[j]!.rows, there * ROW + ROW_SERVER);
        if (!own.has(server)) noteServer(servers, server, client, true, answered);
      }
    }
  }
}

/** All attempts that two captures share, whichever capture led from one to the other. */
function wholeMatch(
  columns: readonly AttemptColumns[],
  rowOf: readonly Int32Array[],
  stories: number,
  numberA: number,
  numberB: number,
): PairMatch {
  const [a, b] = [columns[numberA]!, columns[numberB]!];
  const rowOfB = new Int32Array(a.count).fill(-1);
  const rowOfA = new Int32Array(b.count).fill(-1);
  let matched = 0;
  for (let story = 0; story < stories; story++) {
    const rowA = rowOf[numberA]![story]!;
    const rowB = rowOf[numberB]![story]!;
    if (rowA < 0 || rowB < 0) continue;
    rowOfB[rowA] = rowB;
    rowOfA[rowB] = rowA;
    matched++;
  }
  const clock = pairClock(a, b, rowOfB);
  return { a, b, rowOfB, rowOfA, basis: new Uint8Array(a.count), clock, matched, byIsn: 0, refuted: 0 };
}

function orderPoints(
  captures: readonly TrackedCapture[],
  pairs: readonly { a: number; b: number; match: PairMatch }[],
  traits: readonly PointTraits[],
  whole: (a: number, b: number) => PairMatch,
): { order: number[]; reordered: string[] } {
  const count = captures.length;
  const rank = new Float64Array(count);
  const votes: { a: number; b: number; vote: OrderVote }[] = [];
  for (const { a, b, match: left } of pairs) {
    // Of three captures, the later pairs were only matched for what the earlier had left over.
    const match = count > 2 ? whole(a, b) : left;
    const [nameA, nameB] = [captures[a]!.name, captures[b]!.name];
    const vote =
      match.matched > 0
        ? orderVote(match, nameA, nameB)
        : count === 2
          ? orderVoteOfTraits(traits[a]!, traits[b]!, nameA, nameB)
          : { vote: 0, reasons: [] };
    votes.push({ a, b, vote });
    const decided = vote.vote === 0 ? 0.01 : Math.sign(vote.vote);
    rank[a]! += decided;
    rank[b]! -= decided;
  }
  const order = captures.map((_, k) => k).sort((a, b) => rank[b]! - rank[a]! || a - b);
  const reordered = votes
    .filter(({ a, b, vote }) => vote.vote < 0 && order.indexOf(b) < order.indexOf(a))
    .flatMap(({ vote }) => vote.reasons.slice(0, 1));
  return { order, reordered };
}
