import { describe, expect, it } from 'vitest';
import { LOOPBACK_POLL_MS, LoopbackRest } from './loopback-rest.ts';

/** A namespace whose counters grow as the test says, looked at in steps. */
function counted(): {
  /** Looks for so many seconds. @returns the phases, each as often as it was seen. */
  run(seconds: number, opensPerSecond: number, troublePerLook?: number, mayRest?: boolean): string[];
} {
  const rest = new LoopbackRest();
  let nowMs = 1_000_000;
  let [opened, trouble] = [5000, 70];
  rest.look(nowMs, { opened, trouble }, true);
  return {
    run(seconds, opensPerSecond, troublePerLook = 0, mayRest = true) {
      return Array.from({ length: (seconds * 1000) / LOOPBACK_POLL_MS }, () => {
        nowMs += LOOPBACK_POLL_MS;
        opened += (opensPerSecond * LOOPBACK_POLL_MS) / 1000;
        trouble += troublePerLook;
        return rest.look(nowMs, { opened, trouble }, mayRest);
      });
    },
  };
}

const share = (phases: readonly string[], phase: string): number =>
  phases.filter((one) => one === phase).length / phases.length;

describe('the packets of loopback', () => {
  it('are all looked at while there are few', () => {
    expect(new Set(counted().run(60, 1000))).toEqual(new Set(['whole']));
  });

  it('are left out of a busy and healthy one, but for moments', () => {
    const { run } = counted();
    expect(run(1.5, 30_000)).toEqual(['whole', 'whole', 'whole']);
    const phases = run(100, 30_000);
    expect(share(phases, 'rest')).toBeGreaterThan(0.85);
    expect(share(phases, 'sample')).toBeGreaterThan(0.08);
    expect(share(phases, 'whole')).toBeLessThan(0.02);
    expect(run(1, 100)[1]).toBe('whole');
  });

  it('are all looked at when the kernel counts a failure, until it is over', () => {
    const { run } = counted();
    expect(run(5, 30_000).at(-1)).toBe('rest');
    expect(run(0.5, 30_000, 1)).toEqual(['whole']);
    expect(new Set(run(9, 30_000))).toEqual(new Set(['whole']));
    expect(run(3, 30_000).at(-1)).toBe('rest');
  });

  it('are not left out while an attempt waits for its answer', () => {
    const { run } = counted();
    run(5, 30_000);
    const phases = run(20, 30_000, 0, false);
    expect(phases.filter((one) => one === 'sample')).toHaveLength(2);
    expect(phases.at(-1)).toBe('whole');
  });

  it('rest again when the trouble goes on for long, and wake when there is more of it', () => {
    const { run } = counted();
    run(5, 30_000);
    expect(share(run(55, 30_000, 2), 'whole')).toBe(1);
    expect(share(run(300, 30_000, 2), 'whole')).toBeLessThan(0.5);
    expect(run(1, 30_000, 60).at(-1)).toBe('whole');
  });

  it('wake at the first failure again when what was usual is long over', () => {
    const { run } = counted();
    run(300, 30_000, 2);
    run(400, 30_000);
    expect(run(0.5, 30_000, 1)).toEqual(['whole']);
  });
});
