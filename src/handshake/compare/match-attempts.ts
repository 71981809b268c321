import { ROW, ROW_CLIENT, ROW_CLIENT_ISN, ROW_CLIENT_OPTIONS, ROW_PORTS, ROW_SERVER } from '../attempt-layout.ts';
import { type AttemptColumns, compareTsvals } from './attempt-columns.ts';
import { SAME_CLOCK } from './clock-model.ts';
import {
  addToChain,
  chainOf,
  createHashChains,
  type HashChains,
  hashAddress,
  MAX_CHAIN,
  mix,
  sameWords,
} from './hash-chains.ts';
import { BASIS_ISN, BASIS_ISN_TIME, BASIS_TUPLE_TIME, BASIS_TUPLE_TSVAL } from './match-basis.ts';
import { matchByFingerprint } from './match-fingerprint.ts';
import { pairClock } from './pair-clock.ts';
import { gapNs, type PairMatch, pair, slackNs, startDistanceNs } from './pair-match.ts';

/** Time that two sightings with the same ISN, addresses and ports may lie apart. */
const EXACT_SLACK_NS = 30e9;

/**
 * Pairs the attempts of two captures, without being told of address translation, clocks or rewriting. First by ISN, verified
 * by TSval or addresses; those pairs give the clocks; then what is left, by addresses, TSval, options and time.
 * @param openA - rows of `a` that may be paired; every row when left out.
 */
export function matchAttempts(
  a: AttemptColumns,
  b: AttemptColumns,
  isnOfB: HashChains,
  openA?: Uint8Array,
  openB?: Uint8Array,
): PairMatch {
  const match: PairMatch = {
    a,
    b,
    rowOfB: new Int32Array(a.count).fill(-1),
    rowOfA: new Int32Array(b.count).fill(-1),
    basis: new Uint8Array(a.count),
    clock: { model: SAME_CLOCK, roundTripNs: undefined, bothWays: 0 },
    matched: 0,
    byIsn: 0,
    refuted: 0,
  };
  const isOpenA = (row: number): boolean =>
    !Number.isNaN(a.firstNs[row]!) && openA?.[a.primary[row]!] !== 0 && match.rowOfB[a.primary[row]!]! < 0;
  const isOpenB = (row: number): boolean =>
    !Number.isNaN(b.firstNs[row]!) && openB?.[b.primary[row]!] !== 0 && match.rowOfA[b.primary[row]!]! < 0;
  matchExactly(match, isOpenA, isOpenB);
  matchByIsn(match, isnOfB, isOpenA, isOpenB, false);
  match.clock = pairClock(a, b, match.rowOfB);
  refute(match);
  matchByIsn(match, isnOfB, isOpenA, isOpenB, true);
  match.byIsn = match.matched;
  if (anyOpen(a, isOpenA) && anyOpen(b, isOpenB)) matchByTuple(match, isOpenA, isOpenB);
  if (match.clock.bothWays < 3) match.clock = pairClock(a, b, match.rowOfB);
  matchByFingerprint(match, isOpenA, isOpenB);
  if (match.clock.bothWays < 3) match.clock = pairClock(a, b, match.rowOfB);
  return match;
}

type Open = (row: number) => boolean;

function anyOpen({ count }: AttemptColumns, isOpen: Open): boolean {
  for (let row = 0; row < count; row++) if (isOpen(row)) return true;
  return false;
}

function matchByIsn(match: PairMatch, isnOfB: HashChains, isOpenA: Open, isOpenB: Open, byTime: boolean): void {
  const { a, b } = match;
  for (let rowA = 0; rowA < a.count; rowA++) {
    if (!isOpenA(rowA)) continue;
    const isn = a.rows[rowA * ROW + ROW_CLIENT_ISN]!;
    let best = -1;
    let bestScore = 0;
    let steps = 0;
    for (let rowB = chainOf(isnOfB, isn); rowB >= 0 && steps < MAX_CHAIN; rowB = isnOfB.next[rowB]!, steps++) {
      if (b.rows[rowB * ROW + ROW_CLIENT_ISN] !== isn || !isOpenB(rowB)) continue;
      const score = byTime ? scoreByTime(match, rowA, rowB) : scoreByIsn(match, rowA, rowB);
      if (score > bestScore) {
        best = rowB;
        bestScore = score;
      }
    }
    if (best >= 0) pair(match, rowA, best, byTime ? BASIS_ISN_TIME : BASIS_ISN);
  }
}

/** How well two rows of the same ISN agree; 0 when that is not enough to take them for one attempt. */
function scoreByIsn({ a, b }: PairMatch, rowA: number, rowB: number): number {
  const tsval = compareTsvals(a.capture.table, rowA, b.capture.table, rowB);
  const agreement = agreementOf(a, rowA, b, rowB);
  if (tsval === 'same') return 100 + agreement;
  // Without a common TSval the server's address and port must stand, or the client's.
  if (tsval === 'different') return agreement >= SERVER ? agreement : 0;
  return agreement >= SERVER || agreement === CLIENT + OPTIONS + SERVER_PORT ? 50 + agreement : 0;
}

function scoreByTime(match: PairMatch, rowA: number, rowB: number): number {
  const gap = gapNs(match, rowA, rowB);
  if (Number.isNaN(gap) || gap > slackNs(match)) return 0;
  return 10 + agreementOf(match.a, rowA, match.b, rowB);
}

const OPTIONS = 1;
const SERVER_PORT = 2;
const CLIENT = 4;
/** Server address and port. */
const SERVER = 8;

function agreementOf(a: AttemptColumns, rowA: number, b: AttemptColumns, rowB: number): number {
  const baseA = rowA * ROW;
  const baseB = rowB * ROW;
  const portsA = a.rows[baseA + ROW_PORTS]!;
  const portsB = b.rows[baseB + ROW_PORTS]!;
  let agreement = 0;
  const samePort = (portsA & 0xffff) === (portsB & 0xffff);
  if (samePort && sameWords(a.rows, baseA + ROW_SERVER, b.rows, baseB + ROW_SERVER)) agreement += SERVER;
  else if (samePort) agreement += SERVER_PORT;
  if (portsA >>> 16 === portsB >>> 16 && sameWords(a.rows, baseA + ROW_CLIENT, b.rows, baseB + ROW_CLIENT)) {
    agreement += CLIENT;
  }
  if ((a.rows[baseA + ROW_CLIENT_OPTIONS]! & 0xffff) === (b.rows[baseB + ROW_CLIENT_OPTIONS]! & 0xffff)) {
    agreement += OPTIONS;
  }
  return agreement;
}

/** Pairs rows whose addresses, ports and ISN agree, and whose timestamps do not speak against it. */
function matchExactly(match: PairMatch, isOpenA: Open, isOpenB: Open): void {
  const { a, b } = match;
  const exact = chainByEverything(b);
  for (let rowA = 0; rowA < a.count; rowA++) {
    if (!isOpenA(rowA)) continue;
    const isn = a.rows[rowA * ROW + ROW_CLIENT_ISN]!;
    let found = -1;
    let steps = 0;
    for (let rowB = chainOf(exact, hashEverything(a, rowA)); rowB >= 0 && steps < MAX_CHAIN; rowB = exact.next[rowB]!) {
      steps++;
      if (b.rows[rowB * ROW + ROW_CLIENT_ISN] !== isn || !isSameTuple(a, rowA, b, rowB) || !isOpenB(rowB)) continue;
      const tsval = compareTsvals(a.capture.table, rowA, b.capture.table, rowB);
      if (tsval === 'different') continue;
      found = rowB;
      if (tsval === 'same') break;
    }
    if (found >= 0) pair(match, rowA, found, BASIS_ISN);
  }
}

/** Whether addresses and ports are the same at both. */
function isSameTuple(a: AttemptColumns, rowA: number, b: AttemptColumns, rowB: number): boolean {
  const baseA = rowA * ROW;
  const baseB = rowB * ROW;
  return (
    a.rows[baseA + ROW_PORTS] === b.rows[baseB + ROW_PORTS] &&
    sameWords(a.rows, baseA + ROW_CLIENT, b.rows, baseB + ROW_CLIENT) &&
    sameWords(a.rows, baseA + ROW_SERVER, b.rows, baseB + ROW_SERVER)
  );
}

function hashEverything(columns: AttemptColumns, row: number): number {
  return hashTuple(columns, row) ^ columns.rows[row * ROW + ROW_CLIENT_ISN]!;
}

function hashTuple({ rows }: AttemptColumns, row: number): number {
  const base = row * ROW;
  return (
    mix(rows[base + ROW_PORTS]!) ^ hashAddress(rows, base + ROW_CLIENT) ^ (hashAddress(rows, base + ROW_SERVER) * 3)
  );
}

function chainByEverything(columns: AttemptColumns): HashChains {
  const chains = createHashChains(columns.count);
  for (let row = 0; row < columns.count; row++) {
    if (!Number.isNaN(columns.firstNs[row]!)) addToChain(chains, hashEverything(columns, row), row);
  }
  return chains;
}

/** Gives up pairs whose times contradict the clocks: the same ISN by chance, or an attempt that was played again. */
function refute(match: PairMatch): void {
  if (match.clock.bothWays < 3) return;
  const { a, b, rowOfB, rowOfA } = match;
  const slack = slackNs(match);
  const wrong: number[] = [];
  for (let rowA = 0; rowA < a.count; rowA++) {
    const rowB = rowOfB[rowA]!;
    if (rowB < 0) continue;
    const allowed = isSameTuple(a, rowA, b, rowB) ? EXACT_SLACK_NS : slack;
    if (gapNs(match, rowA, rowB) > allowed) wrong.push(rowA);
  }
  // So many cannot be chance: rather is the clock model wrong.
  if (wrong.length * 5 > match.matched) return;
  for (const rowA of wrong) {
    rowOfA[rowOfB[rowA]!] = -1;
    rowOfB[rowA] = -1;
    match.basis[rowA] = 0;
  }
  match.matched -= wrong.length;
  match.refuted += wrong.length;
  if (wrong.length > 0) match.clock = pairClock(a, b, rowOfB);
}

/** What is left, by addresses and ports: a device on the way rewrites ISNs. */
function matchByTuple(match: PairMatch, isOpenA: Open, isOpenB: Open): void {
  const { a, b } = match;
  const chains = createHashChains(b.count);
  for (let row = 0; row < b.count; row++) {
    if (!Number.isNaN(b.firstNs[row]!) && isOpenB(row)) addToChain(chains, hashTuple(b, row), row);
  }
  for (let rowA = 0; rowA < a.count; rowA++) {
    if (!isOpenA(rowA)) continue;
    let best = -1;
    let bestDistance = Number.POSITIVE_INFINITY;
    let bestSame = false;
    let candidates = 0;
    let steps = 0;
    for (let rowB = chainOf(chains, hashTuple(a, rowA)); rowB >= 0 && steps < MAX_CHAIN; rowB = chains.next[rowB]!) {
      steps++;
      if (!isSameTuple(a, rowA, b, rowB) || !isOpenB(rowB)) continue;
      candidates++;
      const same = compareTsvals(a.capture.table, rowA, b.capture.table, rowB);
      const gap = gapNs(match, rowA, rowB);
      const fits = same === 'same' || gap <= slackNs(match) || (Number.isNaN(gap) && same === 'absent');
      if (!fits || (bestSame && same !== 'same')) continue;
      const distance = startDistanceNs(match, rowA, rowB);
      if (best < 0 || (same === 'same' && !bestSame) || distance < bestDistance) {
        best = rowB;
        bestDistance = distance;
        bestSame = same === 'same';
      }
    }
    if (best < 0 || (Number.isNaN(bestDistance) && !bestSame && candidates > 1)) continue;
    pair(match, rowA, best, bestSame ? BASIS_TUPLE_TSVAL : BASIS_TUPLE_TIME);
  }
}
