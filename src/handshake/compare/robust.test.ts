import { expect, it } from 'vitest';
import { lineAt, median, quantile, spread, theilSen } from './robust.ts';

it('finds quantiles, between values too', () => {
  expect(median(Float64Array.of(3, 1, 2))).toBe(2);
  expect(median(Float64Array.of(4, 1, 2, 3))).toBe(2.5);
  expect(quantile(Float64Array.of(5, 1), 0)).toBe(1);
  expect(median(new Float64Array(0))).toBeNaN();
});

it('draws a line through points of which some are wild', () => {
  const x = Float64Array.from({ length: 20 }, (_, i) => i);
  const y = x.map((value) => 3 + 2 * value);
  y[4] = 1000;
  y[11] = -1000;
  const line = theilSen(x, y);
  expect(line.slope).toBeCloseTo(2);
  expect(lineAt(line, 100)).toBeCloseTo(203);
  expect(spread(x, y, line)).toBeCloseTo(0);
});

it('draws a flat line through one point', () => {
  expect(theilSen(Float64Array.of(7), Float64Array.of(5))).toEqual({ x0: 7, y0: 5, slope: 0 });
});
