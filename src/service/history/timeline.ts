import type { TimelineStep } from './history-store.ts';

/** A time line has at most so many steps. */
export const MAX_STEPS = 10_000;

/** Counts of one step, by the begin of the step. */
export type StepCounts = Omit<TimelineStep, 'atNs'>;

/** Begin of the step in which a moment lies; steps begin at multiples of their length. */
export function stepOf(atNs: bigint, stepMs: number): bigint {
  const stepNs = BigInt(stepMs) * 1_000_000n;
  const rest = ((atNs % stepNs) + stepNs) % stepNs;
  return atNs - rest;
}

/** Every step from the one that holds `fromNs` to the last that begins before `toNs`, also those without counts. */
export function fillSteps(
  counts: ReadonlyMap<bigint, StepCounts>,
  fromNs: bigint,
  toNs: bigint,
  stepMs: number,
): TimelineStep[] {
  const stepNs = BigInt(stepMs) * 1_000_000n;
  const steps: TimelineStep[] = [];
  for (let atNs = stepOf(fromNs, stepMs); atNs < toNs && steps.length < MAX_STEPS; atNs += stepNs) {
    steps.push({ atNs, ...(counts.get(atNs) ?? { answered: 0, refused: 0, failed: 0 }) });
  }
  return steps;
}

/** Adds counts to those of their step. */
export function addToStep(counts: Map<bigint, StepCounts>, atNs: bigint, more: StepCounts): void {
  const { answered, refused, failed } = counts.get(atNs) ?? { answered: 0, refused: 0, failed: 0 };
  counts.set(atNs, {
    answered: answered + more.answered,
    refused: refused + more.refused,
    failed: failed + more.failed,
  });
}
