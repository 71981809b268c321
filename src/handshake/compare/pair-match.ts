import type { AttemptColumns } from './attempt-columns.ts';
import { aheadAt } from './clock-model.ts';
import type { PairClock } from './pair-clock.ts';

/** Attempts of two captures, paired. */
export interface PairMatch {
  readonly a: AttemptColumns;
  readonly b: AttemptColumns;
  /** By row of `a`, primary rows only: the primary row of `b`, or -1. */
  readonly rowOfB: Int32Array;
  readonly rowOfA: Int32Array;
  /** By row of `a`. */
  readonly basis: Uint8Array;
  clock: PairClock;
  matched: number;
  /** Pairs by ISN. */
  byIsn: number;
  /** Pairs that were given up because their times contradict the clocks. */
  refuted: number;
}

/** Two sightings of one attempt may lie so far apart beyond the one-way delay (queues, first SYNs that one side missed). */
const SLACK_NS = 1.5e9;
/** Pairs two rows. */
export function pair(match: PairMatch, rowA: number, rowB: number, basis: number): void {
  const primaryA = match.a.primary[rowA]!;
  const primaryB = match.b.primary[rowB]!;
  match.rowOfB[primaryA] = primaryB;
  match.rowOfA[primaryB] = primaryA;
  match.basis[primaryA] = basis;
  match.matched++;
}

/**
 * How far apart two attempts lie on one clock: 0 when their times overlap, else the gap; NaN when nothing is known of the
 * clocks.
 */
export function gapNs({ a, b, clock }: PairMatch, rowA: number, rowB: number): number {
  if (clock.model.basis === 'none') return Number.NaN;
  const firstB = b.firstNs[rowB]! + b.shiftNs;
  const ahead = aheadAt(clock.model, firstB);
  const beginB = firstB - ahead;
  const endB = b.lastNs[rowB]! + b.shiftNs - ahead;
  const beginA = a.firstNs[rowA]! + a.shiftNs;
  const endA = a.lastNs[rowA]! + a.shiftNs;
  return Math.max(0, beginB - endA, beginA - endB);
}

/** Distance of the beginnings of two attempts on one clock; NaN when nothing is known of the clocks. */
export function startDistanceNs({ a, b, clock }: PairMatch, rowA: number, rowB: number): number {
  if (clock.model.basis === 'none') return Number.NaN;
  const firstB = b.firstNs[rowB]! + b.shiftNs;
  return Math.abs(firstB - aheadAt(clock.model, firstB) - a.firstNs[rowA]! - a.shiftNs);
}

/** Time that two sightings of one attempt may lie apart. */
export function slackNs({ clock }: PairMatch): number {
  return SLACK_NS + clock.model.uncertaintyNs + clock.model.usualRoundTripNs;
}
