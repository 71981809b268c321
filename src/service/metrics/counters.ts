import type { LabelValues, Sample } from './exposition.ts';
import type { MetricName } from './registry.ts';

/** Counters that only grow, by their labels. */
export class Counters {
  readonly #values: Map<MetricName, Map<string, { readonly labels: LabelValues; value: number }>> = new Map();

  /** Adds to a counter; what is not above 0 adds nothing. */
  add(name: MetricName, labels: LabelValues, value: number = 1): void {
    if (!(value >= 0)) return;
    const series = this.#values.get(name) ?? new Map<string, { readonly labels: LabelValues; value: number }>();
    this.#values.set(name, series);
    const key = JSON.stringify(labels);
    const one = series.get(key);
    if (one === undefined) series.set(key, { labels, value });
    else one.value += value;
  }

  /** All of them. */
  samples(): Sample[] {
    return [...this.#values].flatMap(([name, series]) =>
      [...series.values()].map(({ labels, value }) => ({ name, labels, value })),
    );
  }
}
