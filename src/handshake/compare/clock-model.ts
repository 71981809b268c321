import { type Line, lineAt, median, quantile, spread, theilSen } from './robust.ts';

/** What pairs of sightings of one packet say about the clocks; times in float nanoseconds. */
export interface ClockSamples {
  /** By the clock that is to be corrected. */
  readonly timeNs: Float64Array;
  /** How far that clock is ahead, if the way takes as long in both directions. */
  readonly aheadNs: Float64Array;
  /** The way there and back between the two points; negative when the points are the wrong way round. */
  readonly roundTripNs: Float64Array;
}

/** A stretch of time in which a clock runs evenly. */
export interface ClockSegment {
  /** Its beginning by the clock that is to be corrected; -Infinity for the first. */
  readonly fromNs: number;
  readonly line: Line;
}

/** How far one clock is ahead of another at each moment: straight lines, with a step between two of them. */
export interface ClockModel {
  readonly segments: readonly ClockSegment[];
  readonly samples: number;
  /** Half-width of what the offset could be: half the shortest round trip, plus what the samples scatter. */
  readonly uncertaintyNs: number;
  /** Largest part of the round trip that was seen often: nine of ten samples lie below. */
  readonly usualRoundTripNs: number;
  /** Set when the samples show that the rate differs. */
  readonly driftPpm?: number;
  /** `both-ways`, or only packets in one direction: the one-way delay is then inside the offset; `none`: assumed equal. */
  readonly basis: 'both-ways' | 'one-way' | 'none';
}

/** No evidence: both clocks are taken for the same. */
export const SAME_CLOCK: ClockModel = {
  segments: [{ fromNs: Number.NEGATIVE_INFINITY, line: { x0: 0, y0: 0, slope: 0 } }],
  samples: 0,
  uncertaintyNs: 1e9,
  usualRoundTripNs: 0,
  basis: 'none',
};

const MAX_BINS = 48;
const SAMPLES_PER_BIN = 6;
/** Up to so many samples are bins of their own. */
const FEW = 12;
/** A step must be at least so large; smaller ones stay inside the uncertainty. */
const LEAST_STEP_NS = 5e6;
const LEAST_DRIFT_SPAN_NS = 20e9;
const MAX_STEPS = 6;

/** How far the clock is ahead at `timeNs` (by that clock). */
export function aheadAt({ segments }: ClockModel, timeNs: number): number {
  let current = segments.length - 1;
  while (current > 0 && segments[current]!.fromNs > timeNs) current--;
  return lineAt(segments[current]!.line, timeNs);
}

/** Fits a model to samples that saw a packet in each direction. */
export function fitClock(samples: ClockSamples): ClockModel {
  const count = samples.timeNs.length;
  if (count === 0) return SAME_CLOCK;
  const sorted = sortByTime(samples);
  const bins = binSamples(sorted);
  const pieces = splitAtSteps(bins.x, bins.y, 0);
  let scatter = 0;
  const segments = pieces.map(({ from, to, line }, i): ClockSegment => {
    const x = bins.x.subarray(from, to);
    scatter = Math.max(scatter, spread(x, bins.y.subarray(from, to), line));
    return { fromNs: i === 0 ? Number.NEGATIVE_INFINITY : stepTime(sorted, bins.x, pieces, i), line };
  });
  const roundTrips = samples.roundTripNs.map(Math.abs);
  const usualRoundTripNs = quantile(roundTrips, 0.9);
  const span = bins.x.at(-1)! - bins.x[0]!;
  const drift = pieces.length === 1 ? pieces[0]!.line.slope : 0;
  return {
    segments,
    samples: count,
    uncertaintyNs: quantile(roundTrips, 0) / 2 + scatter,
    usualRoundTripNs,
    ...(drift !== 0 && span >= LEAST_DRIFT_SPAN_NS ? { driftPpm: drift * 1e6 } : {}),
    basis: 'both-ways',
  };
}

/** Fits a constant to samples of one direction only: the smallest difference holds the shortest delay. */
export function fitOneWay(differencesNs: Float64Array, sign: 1 | -1): ClockModel {
  if (differencesNs.length === 0) return SAME_CLOCK;
  const signed = differencesNs.map((value) => value * sign);
  const low = quantile(signed, differencesNs.length > 20 ? 0.02 : 0);
  const middle = median(signed);
  return {
    segments: [{ fromNs: Number.NEGATIVE_INFINITY, line: { x0: 0, y0: low * sign, slope: 0 } }],
    samples: differencesNs.length,
    uncertaintyNs: 200e6 + Math.abs(middle - low),
    usualRoundTripNs: 2 * Math.abs(middle - low),
    basis: 'one-way',
  };
}

function sortByTime(samples: ClockSamples): ClockSamples {
  const order = new Uint32Array(samples.timeNs.length).map((_, i) => i);
  order.sort((a, b) => samples.timeNs[a]! - samples.timeNs[b]!);
  const pick = (values: Float64Array): Float64Array => Float64Array.from(order, (i) => values[i]!);
  return { timeNs: pick(samples.timeNs), aheadNs: pick(samples.aheadNs), roundTripNs: pick(samples.roundTripNs) };
}

/** One point a bin: the median of the samples that waited least in queues. */
function binSamples({ timeNs, aheadNs, roundTripNs }: ClockSamples): { x: Float64Array; y: Float64Array } {
  const count = timeNs.length;
  const bins = Math.max(Math.min(count, FEW), Math.min(MAX_BINS, Math.floor(count / SAMPLES_PER_BIN)));
  const x = new Float64Array(bins);
  const y = new Float64Array(bins);
  for (let bin = 0; bin < bins; bin++) {
    const from = Math.floor((bin * count) / bins);
    const to = Math.floor(((bin + 1) * count) / bins);
    const quick = quantile(roundTripNs.slice(from, to).map(Math.abs), 0.5);
    const keep: number[] = [];
    for (let i = from; i < to; i++) if (Math.abs(roundTripNs[i]!) <= quick) keep.push(i);
    x[bin] = median(Float64Array.from(keep, (i) => timeNs[i]!));
    y[bin] = median(Float64Array.from(keep, (i) => aheadNs[i]!));
  }
  return { x, y };
}

interface Piece {
  readonly from: number;
  readonly to: number;
  readonly line: Line;
}

function splitAtSteps(x: Float64Array, y: Float64Array, depth: number, from = 0, to: number = x.length): Piece[] {
  const line = evenLine(x.subarray(from, to), y.subarray(from, to));
  const one: Piece = { from, to, line };
  if (depth >= MAX_STEPS || to - from < 4) return [one];
  if (largestDistance(x, y, one) < LEAST_STEP_NS) return [one];
  const at = largestStep(y, from, to);
  if (at === undefined) return [one];
  return [...splitAtSteps(x, y, depth + 1, from, at), ...splitAtSteps(x, y, depth + 1, at, to)];
}

/** A sloping line only where the slope stands out of the scatter; few points or a short time carry none. */
function evenLine(x: Float64Array, y: Float64Array): Line {
  const flat: Line = { x0: x[x.length >> 1] ?? 0, y0: median(y.slice()), slope: 0 };
  const span = (x.at(-1) ?? 0) - (x[0] ?? 0);
  if (x.length < 4 || span < LEAST_DRIFT_SPAN_NS) return flat;
  const sloped = theilSen(x, y);
  if (Math.abs(sloped.slope) > 5e-3) return flat;
  const gain = Math.abs(sloped.slope) * span;
  return gain > 20e3 && gain > 4 * spread(x, y, sloped) ? sloped : flat;
}

/** Where the largest step is: a jump that stands out of the others and that both sides of it keep. */
function largestStep(y: Float64Array, from: number, to: number): number | undefined {
  const jumps = new Float64Array(to - from - 1);
  for (let i = 0; i < jumps.length; i++) jumps[i] = Math.abs(y[from + i + 1]! - y[from + i]!);
  const least = Math.max(LEAST_STEP_NS, 8 * median(jumps.slice()));
  let best: number | undefined;
  for (let at = from + 2; at <= to - 2; at++) {
    const jump = jumps[at - from - 1]!;
    const kept = Math.max(jumps[at - from - 2]!, jumps[at - from]!) < jump / 2;
    if (kept && jump >= least && (best === undefined || jump > jumps[best - from - 1]!)) best = at;
  }
  return best;
}

function largestDistance(x: Float64Array, y: Float64Array, { from, to, line }: Piece): number {
  let largest = 0;
  for (let i = from; i < to; i++) largest = Math.max(largest, Math.abs(y[i]! - lineAt(line, x[i]!)));
  return largest;
}

/** The step lies between the last sample that fits the old line better and the first that fits the new one. */
function stepTime(sorted: ClockSamples, x: Float64Array, pieces: readonly Piece[], i: number): number {
  const before = pieces[i - 1]!;
  const after = pieces[i]!;
  const from = x[before.to - 1]!;
  const to = x[after.from]!;
  let last = from;
  for (let s = 0; s < sorted.timeNs.length; s++) {
    const time = sorted.timeNs[s]!;
    if (time < from) continue;
    if (time > to) break;
    const old = Math.abs(sorted.aheadNs[s]! - lineAt(before.line, time));
    if (old > Math.abs(sorted.aheadNs[s]! - lineAt(after.line, time))) return (last + time) / 2;
    last = time;
  }
  return (last + to) / 2;
}
