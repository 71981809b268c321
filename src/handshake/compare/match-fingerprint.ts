import { EVENT, EVENT_TSVAL, ROW, ROW_CLIENT_OPTIONS, ROW_PORTS, ROW_SERVER, ROW_WINDOWS } from '../attempt-layout.ts';
import { type AttemptColumns, compareTsvals, firstSyn, followingSyn, hasTsval } from './attempt-columns.ts';
import { addToChain, chainOf, createHashChains, hashAddress, MAX_CHAIN, mix, sameWords } from './hash-chains.ts';
import { BASIS_OPTIONS, BASIS_TSVAL } from './match-basis.ts';
import { gapNs, type PairMatch, pair, slackNs, startDistanceNs } from './pair-match.ts';

/** Two attempts of like options that begin so near to each other cannot be told apart by time. */
const AMBIGUOUS_WITHIN_NS = 250e6;

type Open = (row: number) => boolean;

/**
 * Pairs what ISNs and addresses could not: both were rewritten. A TSval of a SYN that both have, else the options, the server
 * and the time must agree, and only one candidate may. Does nothing when the ISNs mostly survive between the two points: then
 * what has no partner was really not seen there.
 */
export function matchByFingerprint(match: PairMatch, isOpenA: Open, isOpenB: Open): void {
  const { a, b } = match;
  const leftA = countOpen(a, isOpenA);
  const leftB = countOpen(b, isOpenB);
  if (leftA === 0 || leftB === 0 || match.byIsn * 4 >= Math.min(leftA, leftB)) return;
  matchByTsval(match, isOpenA, isOpenB);
  matchByOptions(match, isOpenA, isOpenB);
}

function countOpen(columns: AttemptColumns, isOpen: Open): number {
  let open = 0;
  for (let row = 0; row < columns.count; row++) {
    if (!Number.isNaN(columns.firstNs[row]!) && columns.primary[row] === row && isOpen(row)) open++;
  }
  return open;
}

function matchByTsval(match: PairMatch, isOpenA: Open, isOpenB: Open): void {
  const { a, b } = match;
  const { table } = b.capture;
  const chains = createHashChains(b.count);
  for (let row = 0; row < b.count; row++) {
    const syn = Number.isNaN(b.firstNs[row]!) || !isOpenB(row) ? 0 : firstSyn(table, row);
    if (syn !== 0 && hasTsval(table, syn)) addToChain(chains, table.events[syn * EVENT + EVENT_TSVAL]!, row);
  }
  const tableA = a.capture.table;
  for (let rowA = 0; rowA < a.count; rowA++) {
    if (Number.isNaN(a.firstNs[rowA]!) || !isOpenA(rowA)) continue;
    let best = -1;
    let bestScore = 0;
    let ties = 0;
    for (let syn = firstSyn(tableA, rowA); syn !== 0; syn = followingSyn(tableA, rowA, syn)) {
      if (!hasTsval(tableA, syn)) continue;
      let steps = 0;
      const tsval = tableA.events[syn * EVENT + EVENT_TSVAL]!;
      for (let rowB = chainOf(chains, tsval); rowB >= 0 && steps < MAX_CHAIN; rowB = chains.next[rowB]!, steps++) {
        if (rowB === best || !isOpenB(rowB)) continue;
        if (compareTsvals(tableA, rowA, table, rowB) !== 'same') continue;
        const score = likeness(match, rowA, rowB);
        if (score > bestScore) [best, bestScore, ties] = [rowB, score, 1];
        else if (score === bestScore) ties++;
      }
    }
    if (best >= 0 && ties === 1) pair(match, rowA, best, BASIS_TSVAL);
  }
}

/** 0 when two attempts cannot be the same; more the more they agree. */
function likeness(match: PairMatch, rowA: number, rowB: number): number {
  const { a, b } = match;
  const gap = gapNs(match, rowA, rowB);
  if (gap > slackNs(match)) return 0;
  const baseA = rowA * ROW;
  const baseB = rowB * ROW;
  // The MSS (upper half) is often clamped on the way.
  if ((a.rows[baseA + ROW_CLIENT_OPTIONS]! & 0xffff) !== (b.rows[baseB + ROW_CLIENT_OPTIONS]! & 0xffff)) return 0;
  let score = 1;
  if ((a.rows[baseA + ROW_PORTS]! & 0xffff) === (b.rows[baseB + ROW_PORTS]! & 0xffff)) score += 2;
  if (sameWords(a.rows, baseA + ROW_SERVER, b.rows, baseB + ROW_SERVER)) score += 2;
  return score;
}

function matchByOptions(match: PairMatch, isOpenA: Open, isOpenB: Open): void {
  const { a, b, clock } = match;
  if (clock.model.basis !== 'both-ways') return;
  const chains = createHashChains(b.count);
  for (let row = 0; row < b.count; row++) {
    if (!Number.isNaN(b.firstNs[row]!) && isOpenB(row)) addToChain(chains, fingerprint(b, row), row);
  }
  for (let rowA = 0; rowA < a.count; rowA++) {
    if (Number.isNaN(a.firstNs[rowA]!) || !isOpenA(rowA)) continue;
    const wanted = fingerprint(a, rowA);
    let best = -1;
    let near = 0;
    let steps = 0;
    for (let rowB = chainOf(chains, wanted); rowB >= 0 && steps < MAX_CHAIN; rowB = chains.next[rowB]!, steps++) {
      if (!isOpenB(rowB) || fingerprint(b, rowB) !== wanted) continue;
      const distance = startDistanceNs(match, rowA, rowB);
      if (!(distance < AMBIGUOUS_WITHIN_NS + clock.model.uncertaintyNs)) continue;
      near++;
      best = rowB;
    }
    if (near !== 1 || compareTsvals(a.capture.table, rowA, b.capture.table, best) === 'different') continue;
    pair(match, rowA, best, BASIS_OPTIONS);
  }
}

function fingerprint({ rows }: AttemptColumns, row: number): number {
  const base = row * ROW;
  return mix(
    hashAddress(rows, base + ROW_SERVER) ^
      Math.imul(rows[base + ROW_PORTS]! & 0xffff, 0x9e3779b1) ^
      Math.imul(rows[base + ROW_CLIENT_OPTIONS]! & 0xffff, 0x85ebca6b) ^
      (rows[base + ROW_WINDOWS]! >>> 16),
  );
}
