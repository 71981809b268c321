import { expect, it } from 'vitest';
import { ratesOf } from './timeline.ts';

const STEP_MS = 10_000;
const at = (step: number): string => new Date(step * STEP_MS).toISOString();
const service = { direction: 'inbound', namespace: 'local', port: 443 } as const;
const nothing = { answered: 0, refused: 0, failed: 0 };

it('turns counts into rates per second', () => {
  const steps = [
    { at: at(0), answered: 100, refused: 0, failed: 5 },
    { at: at(1), ...nothing },
  ];
  const rates = ratesOf({ steps, stepMs: STEP_MS, to: at(2) }, [], 0, 2 * STEP_MS, STEP_MS);
  expect(rates).toMatchObject({
    at: [0, 10],
    answered: [10, 0],
    failed: [0.5, 0],
    totals: { answered: 100, failed: 5 },
  });
});

it('adds what came since, of several services', () => {
  const steps = [{ at: at(0), answered: 10, refused: 0, failed: 0 }];
  const count = { at: at(1), intervalMs: STEP_MS, service, answered: 20, refused: 10, failed: 0 };
  const rates = ratesOf({ steps, stepMs: STEP_MS, to: at(1) }, [count, count], 0, 3 * STEP_MS, STEP_MS);
  expect(rates).toMatchObject({ at: [0, 10], answered: [1, 4], refused: [0, 2] });
});

it('spreads a step that is not over yet over the time that was counted', () => {
  const steps = [{ at: at(0), answered: 30, refused: 0, failed: 0 }];
  const rates = ratesOf({ steps, stepMs: 60_000, to: at(1) }, [], 0, 60_000, 60_000);
  expect(rates.answered).toEqual([3]);
});

it('says nothing of time that is not counted yet', () => {
  const steps = [
    { at: at(0), answered: 30, refused: 0, failed: 0 },
    { at: at(1), ...nothing },
  ];
  const half = new Date(1.5 * STEP_MS).toISOString();
  expect(ratesOf({ steps, stepMs: STEP_MS, to: half }, [], 0, 3 * STEP_MS, STEP_MS).at).toEqual([0]);
});

it('leaves out what lies outside of the window', () => {
  const steps = [
    { at: at(0), answered: 30, refused: 0, failed: 0 },
    { at: at(5), answered: 40, refused: 0, failed: 0 },
  ];
  const rates = ratesOf({ steps, stepMs: STEP_MS, to: at(6) }, [], 4 * STEP_MS, 6 * STEP_MS, STEP_MS);
  expect(rates).toMatchObject({ at: [40, 50], answered: [0, 4] });
});
