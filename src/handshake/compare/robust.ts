/** Median of `values`, which is sorted in place; NaN when empty. */
export function median(values: Float64Array): number {
  return quantile(values, 0.5);
}

/** The value below which `fraction` of `values` lie; they are sorted in place; NaN when empty. */
export function quantile(values: Float64Array, fraction: number): number {
  if (values.length === 0) return Number.NaN;
  values.sort();
  const at = (values.length - 1) * fraction;
  const below = Math.floor(at);
  const low = values[below]!;
  const high = values[Math.min(below + 1, values.length - 1)]!;
  return low + (high - low) * (at - below);
}

/** A straight line that goes through (`x0`, `y0`). */
export interface Line {
  readonly x0: number;
  readonly y0: number;
  readonly slope: number;
}

/** The line at `x`. */
export function lineAt({ x0, y0, slope }: Line, x: number): number {
  return y0 + slope * (x - x0);
}

/**
 * The Theil-Sen line through points: median of all slopes between two points, then median of the intercepts. Up to 29 % of the
 * points may be wild.
 */
export function theilSen(x: Float64Array, y: Float64Array): Line {
  const x0 = x[x.length >> 1] ?? 0;
  const slopes = new Float64Array((x.length * (x.length - 1)) / 2);
  let count = 0;
  for (let i = 0; i < x.length; i++) {
    for (let j = i + 1; j < x.length; j++) {
      const run = x[j]! - x[i]!;
      if (run !== 0) slopes[count++] = (y[j]! - y[i]!) / run;
    }
  }
  const slope = count === 0 ? 0 : median(slopes.subarray(0, count));
  const y0 = median(y.map((value, i) => value - slope * (x[i]! - x0)));
  return { x0, y0: Number.isNaN(y0) ? 0 : y0, slope };
}

/** Median distance of the points from the line. */
export function spread(x: Float64Array, y: Float64Array, line: Line): number {
  return median(y.map((value, i) => Math.abs(value - lineAt(line, x[i]!))));
}
