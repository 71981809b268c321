import { METRICS, type MetricDefinition, type MetricName } from './registry.ts';

/** Values of the labels of one sample, in the order of its metric's labels. */
export type LabelValues = readonly string[];

/** One sample. */
export interface Sample {
  readonly name: MetricName;
  readonly labels: LabelValues;
  readonly value: number;
}

/** The text forms: Prometheus 0.0.4, and OpenMetrics 1.0. */
export type Exposition = 'prometheus' | 'openmetrics';

/** Writes samples in the order of the registry; metrics without a sample are left out. */
export function writeExposition(samples: readonly Sample[], form: Exposition): string {
  const byName = new Map<string, Sample[]>();
  for (const sample of samples) byName.set(sample.name, [...(byName.get(sample.name) ?? []), sample]);
  const families = METRICS.flatMap((metric) => {
    const found = byName.get(metric.name);
    return found === undefined ? [] : [family(metric, found, form)];
  });
  return families.join('') + (form === 'openmetrics' ? '# EOF\n' : '');
}

function family({ name, type, help, labels }: MetricDefinition, samples: readonly Sample[], form: Exposition): string {
  // OpenMetrics names the family of a counter without its suffix.
  const called = form === 'openmetrics' && type === 'counter' ? name.replace(/_total$/, '') : name;
  const escaped = help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  const lines = samples.map(({ labels: values, value }) => {
    const pairs = labels.map((label, index) => `${label}="${escapeLabel(values[index] ?? '')}"`);
    return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${formatValue(value)}\n`;
  });
  return `# HELP ${called} ${form === 'openmetrics' ? escaped.replaceAll('"', '\\"') : escaped}\n# TYPE ${called} ${type}\n${lines.join('')}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function formatValue(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  return Number.isFinite(value) ? String(value) : value > 0 ? '+Inf' : '-Inf';
}
