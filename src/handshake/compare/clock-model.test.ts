import { describe, expect, it } from 'vitest';
import { aheadAt, type ClockSamples, fitClock, fitOneWay, SAME_CLOCK } from './clock-model.ts';

const SECOND = 1e9;

/** Samples of a clock that is `ahead(time)` ahead, over a way of `delay` each way with queues of up to `jitter`. */
function samples(count: number, spanNs: number, ahead: (ns: number) => number, jitterNs = 2e6): ClockSamples {
  let seed = 1;
  const random = (): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    return seed / 0x7fffffff;
  };
  const timeNs = new Float64Array(count);
  const aheadNs = new Float64Array(count);
  const roundTripNs = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    timeNs[i] = (spanNs * i) / count;
    const [there, back] = [5e6 + random() ** 4 * jitterNs, 5e6 + random() ** 4 * jitterNs];
    aheadNs[i] = ahead(timeNs[i]!) + (there - back) / 2;
    roundTripNs[i] = there + back;
  }
  return { timeNs, aheadNs, roundTripNs };
}

describe('fitClock', () => {
  it('finds a constant offset and bounds it by half the shortest way there and back', () => {
    const model = fitClock(samples(400, 60 * SECOND, () => 2.5 * SECOND));
    expect(Math.abs(aheadAt(model, 30 * SECOND) - 2.5 * SECOND)).toBeLessThan(0.5e6);
    expect(model.uncertaintyNs).toBeGreaterThan(5e6);
    expect(model.uncertaintyNs).toBeLessThan(7e6);
    expect(model.driftPpm).toBeUndefined();
    expect(model.segments).toHaveLength(1);
  });

  it('finds drift', () => {
    const model = fitClock(samples(400, 600 * SECOND, (ns) => -SECOND + ns * 40e-6));
    expect(model.driftPpm).toBeGreaterThan(38);
    expect(model.driftPpm).toBeLessThan(42);
    expect(Math.abs(aheadAt(model, 600 * SECOND) + SECOND - 600 * SECOND * 40e-6)).toBeLessThan(1e6);
  });

  it('does not take a short time or few samples for drift', () => {
    expect(fitClock(samples(400, 5 * SECOND, () => SECOND)).driftPpm).toBeUndefined();
    expect(fitClock(samples(3, 600 * SECOND, () => SECOND)).driftPpm).toBeUndefined();
  });

  it('finds steps, also two of them', () => {
    const steps = (ns: number): number => (ns < 20 * SECOND ? 0 : ns < 40 * SECOND ? 3 * SECOND : -SECOND);
    const model = fitClock(samples(300, 60 * SECOND, steps));
    expect(model.segments).toHaveLength(3);
    for (const at of [5, 19, 21, 39, 41, 59]) {
      expect(Math.abs(aheadAt(model, at * SECOND) - steps(at * SECOND))).toBeLessThan(1e6);
    }
  });

  it('is not moved by false matches', () => {
    const one = samples(200, 60 * SECOND, () => SECOND);
    for (let i = 0; i < 200; i += 9) one.aheadNs[i] = -50 * SECOND * (i + 1);
    const model = fitClock(one);
    expect(Math.abs(aheadAt(model, 30 * SECOND) - SECOND)).toBeLessThan(2e6);
  });

  it('works from a single sample', () => {
    const model = fitClock(samples(1, SECOND, () => SECOND, 0));
    expect(aheadAt(model, 0)).toBe(SECOND);
    expect(model.uncertaintyNs).toBe(5e6);
  });

  it('knows nothing without samples', () => {
    expect(fitClock(samples(0, SECOND, () => 0))).toBe(SAME_CLOCK);
    expect(fitOneWay(new Float64Array(0), 1)).toBe(SAME_CLOCK);
  });
});

describe('fitOneWay', () => {
  it('takes the shortest delay there, and the shortest back', () => {
    expect(aheadAt(fitOneWay(Float64Array.of(12e6, 10e6, 30e6), 1), 0)).toBe(10e6);
    expect(aheadAt(fitOneWay(Float64Array.of(-12e6, -10e6, -30e6), -1), 0)).toBe(-10e6);
    expect(fitOneWay(Float64Array.of(12e6, 10e6, 30e6), 1).basis).toBe('one-way');
  });
});
