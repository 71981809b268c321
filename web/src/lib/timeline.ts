import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { api } from '../api/client.ts';
import { clockOffsetMs, counts, epoch } from '../api/live.ts';
import type { Counts, Timeline } from '../api/types.ts';
import { type Loaded, useLoad } from './load.ts';
import { tick } from './time.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** Lengths of time that the overview can show, each with the step that gives about 120 points. */
export const RANGES: Readonly<
  Record<string, { readonly lengthMs: number; readonly stepMs: number; readonly name: string }>
> = {
  '15m': { lengthMs: 15 * MINUTE, stepMs: 10_000, name: '15 min' },
  '1h': { lengthMs: HOUR, stepMs: 30_000, name: '1 h' },
  '6h': { lengthMs: 6 * HOUR, stepMs: 3 * MINUTE, name: '6 h' },
  '24h': { lengthMs: 24 * HOUR, stepMs: 10 * MINUTE, name: '24 h' },
  '7d': { lengthMs: 168 * HOUR, stepMs: HOUR, name: '7 days' },
};

/** Handshakes per second over a window of time, ready to be drawn. Times are in seconds, by the watch's clock. */
export interface Rates {
  readonly fromMs: number;
  readonly toMs: number;
  readonly at: number[];
  readonly answered: number[];
  readonly refused: number[];
  readonly failed: number[];
  /** Handshakes of the whole window. */
  readonly totals: Tally;
}

/** Handshakes by what became of them. */
interface Tally {
  answered: number;
  refused: number;
  failed: number;
}

/** Reads a time line and carries it on with the counts that come in. */
export function useRates(range: string): { readonly loaded: Loaded<Timeline>; readonly rates?: Rates } {
  const { lengthMs, stepMs } = RANGES[range] ?? RANGES['1h']!;
  const generation = epoch.use();
  const nowMs = tick.use() + clockOffsetMs.use();
  const live = useRef<Counts[]>([]);
  const [version, setVersion] = useState(0);
  const loaded = useLoad(
    async (signal) => {
      const timeline = await api.timeline(Date.now() + clockOffsetMs.get() - lengthMs, stepMs, signal);
      // What the answer covers would be counted twice.
      const coveredMs = Date.parse(timeline.to);
      live.current = live.current.filter(({ at }) => Date.parse(at) >= coveredMs);
      return timeline;
    },
    [range, generation],
  );
  const newest = counts.use();
  useEffect(() => {
    if (newest.length === 0 || live.current.includes(newest[0]!)) return;
    live.current.push(...newest);
    setVersion((before) => before + 1);
  }, [newest]);
  const toMs = Math.ceil(nowMs / stepMs) * stepMs;
  const rates = useMemo(
    () => (loaded.value === undefined ? undefined : ratesOf(loaded.value, live.current, toMs - lengthMs, toMs, stepMs)),
    [loaded.value, version, toMs, lengthMs],
  );
  return rates === undefined ? { loaded } : { loaded, rates };
}

/** Joins what was read with what came since, as rates. */
export function ratesOf(
  timeline: Pick<Timeline, 'steps' | 'to' | 'stepMs'>,
  live: readonly Counts[],
  fromMs: number,
  toMs: number,
  stepMs: number,
): Rates {
  const tallies = new Map<number, Tally>();
  for (let atMs = Math.floor(fromMs / stepMs) * stepMs; atMs < toMs; atMs += stepMs) {
    tallies.set(atMs, { answered: 0, refused: 0, failed: 0 });
  }
  // Counts come when their interval is over: until when they are complete says over which time the last step has to be spread.
  let knownUntilMs = Date.parse(timeline.to);
  for (const step of timeline.steps) add(tallies, Date.parse(step.at), step, stepMs);
  for (const count of live) {
    add(tallies, Date.parse(count.at), count, stepMs);
    knownUntilMs = Math.max(knownUntilMs, Date.parse(count.at) + count.intervalMs);
  }
  const rates: Rates = {
    fromMs,
    toMs,
    at: [],
    answered: [],
    refused: [],
    failed: [],
    totals: { answered: 0, refused: 0, failed: 0 },
  };
  for (const [atMs, tally] of tallies) {
    const seconds = (Math.min(atMs + stepMs, knownUntilMs) - atMs) / 1000;
    const nothing = tally.answered + tally.refused + tally.failed === 0;
    if (seconds <= 0 || (nothing && atMs + stepMs > knownUntilMs)) continue;
    rates.at.push(atMs / 1000);
    for (const fate of ['answered', 'refused', 'failed'] as const) {
      rates[fate].push(tally[fate] / seconds);
      rates.totals[fate] += tally[fate];
    }
  }
  return rates;
}

function add(tallies: ReadonlyMap<number, Tally>, atMs: number, more: Readonly<Tally>, stepMs: number): void {
  const tally = tallies.get(Math.floor(atMs / stepMs) * stepMs);
  if (tally === undefined) return;
  tally.answered += more.answered;
  tally.refused += more.refused;
  tally.failed += more.failed;
}
