import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { writeExposition } from '../src/service/metrics/exposition.ts';
import { METRICS } from '../src/service/metrics/registry.ts';
import { root, run } from './run-cli.ts';
import { namesInQuery } from './support/promql.ts';

const FOLDER = join(root, 'deploy/prometheus');
const SUPPORT = join(root, 'test/support');
const RULES = join(FOLDER, 'synscope.rules.yml');
const own = join(root, '.cache/promtool/promtool');
const promtool = existsSync(own) ? own : spawnSync('promtool', ['--version']).status === 0 ? 'promtool' : undefined;
if (promtool === undefined)
  console.log('skipped: what promtool says of alerts and dashboard (scripts/get-promtool.sh gets it)');

interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}
const rules = (parse(readFileSync(RULES, 'utf8')) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  (group) => group.rules,
);
const alerts = rules.flatMap(({ alert }) => alert ?? []);

interface Panel {
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly id: number;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}
const dashboard = JSON.parse(readFileSync(join(root, 'deploy/grafana/synscope.json'), 'utf8')) as {
  readonly panels: readonly Panel[];
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
};
const panels = dashboard.panels.filter(({ type }) => type !== 'row');
const panelQueries = [
  ...panels.flatMap(({ targets }) => targets ?? []).map(({ expr }) => expr),
  ...dashboard.annotations.list.map(({ expr }) => expr),
];

/** Labels of every metric that there is: ours, those that rules record, and what Prometheus itself adds. */
const labelsOf = new Map<string, readonly string[]>([
  ['up', []],
  ...METRICS.map(({ name, labels }) => [name, labels] as const),
  ...rules.flatMap(({ record, expr }) => (record === undefined ? [] : [[record, namesInQuery(expr).groups] as const])),
]);
// What is recorded from something recorded has its labels.
labelsOf.set('instance_service:synscope_handshakes_failed:ratio_rate5m', ['direction', 'service']);

function wrongNames(query: string): string[] {
  const { metrics, groups } = namesInQuery(query);
  const always = ['job', 'instance'];
  const all = new Set([...always, ...metrics.flatMap(({ name }) => labelsOf.get(name) ?? [])]);
  return [
    ...(metrics.length === 0 ? [`no metric in ${query}`] : []),
    ...metrics.flatMap(({ name, labels }) => {
      const known = labelsOf.get(name);
      if (known === undefined) return [`there is no metric ${name}`];
      return labels.filter((label) => ![...always, ...known].includes(label)).map((label) => `${name} has no ${label}`);
    }),
    ...groups.filter((label) => !all.has(label)).map((label) => `nothing has ${label} in ${query}`),
  ];
}

describe('the alert rules', () => {
  it('ask only for metrics and labels that there are', () => {
    expect(rules.flatMap(({ expr }) => wrongNames(expr))).toEqual([]);
    expect(wrongNames('rate(synscope_nothing{x="1"}[5m]) and on (job) up{cause="x"}')).toEqual([
      'there is no metric synscope_nothing',
      'up has no cause',
    ]);
  });

  it('say how bad it is, and where it is explained', () => {
    const guide = readFileSync(join(root, 'docs/operations.md'), 'utf8');
    for (const { alert, labels, annotations } of rules) {
      if (alert === undefined) continue;
      expect(['critical', 'warning', 'info'], alert).toContain(labels?.severity);
      expect(annotations, alert).toMatchObject({ summary: expect.any(String), description: expect.any(String) });
      expect(annotations?.runbook_url, alert).toBe(`docs/operations.md#${alert.toLowerCase()}`);
      expect(guide, alert).toContain(`\n### ${alert}\n`);
    }
  });

  it('are each seen to fire in a test', () => {
    const tests = readFileSync(join(SUPPORT, 'alert-rules.yml'), 'utf8');
    const fired = [...tests.matchAll(/labels: '\{alertname="(\w+)"/g)].map(([, name]) => name);
    expect(alerts.filter((name) => !fired.includes(name))).toEqual([]);
    expect(alerts.length).toBeGreaterThan(15);
  });

  it.skipIf(promtool === undefined)('are what promtool expects, and fire when they should', () => {
    expect(run(promtool!, ['check', 'rules', RULES], root)).toMatchObject({ status: 0, stderr: '' });
    expect(run(promtool!, ['check', 'config', '--syntax-only', join(FOLDER, 'scrape.yml')], root).status).toBe(0);
    const { status, stdout, stderr } = run(promtool!, ['test', 'rules', 'alert-rules.yml'], SUPPORT);
    expect(`${stdout}${stderr}`).toContain('SUCCESS');
    expect(status).toBe(0);
  });
});

describe('the metrics', () => {
  it.skipIf(promtool === undefined)('are named as Prometheus wants them', () => {
    const samples = METRICS.map(({ name, labels }) => ({
      name,
      labels: labels.map((label) => `a "${label}"\\\n`),
      value: 1,
    }));
    const argv = ['check', 'metrics', '--extended'];
    const input = writeExposition(samples, 'prometheus');
    const { status, stdout, stderr } = spawnSync(promtool!, argv, { input, encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(stdout).toContain('synscope_handshakes_total');
  });
});

describe('the guide', () => {
  it('lists every metric', () => {
    const file = join(root, 'docs/operations.md');
    const rows = METRICS.map(({ name, type, labels, help }) => {
      const list = labels.map((label) => `\`${label}\``).join(', ');
      return `| \`${name}\` | ${type} | ${list} | ${help.replaceAll('|', '\\|')} |`;
    });
    const table = ['| metric | type | labels | what |', '| --- | --- | --- | --- |', ...rows].join('\n');
    const between = /(<!-- metrics: .*? -->\n)[\s\S]*?(<!-- \/metrics -->)/;
    const text = readFileSync(file, 'utf8');
    const wanted = text.replace(between, (_, begin: string, end: string) => `${begin}\n${table}\n\n${end}`);
    if (process.env.UPDATE === '1') writeFileSync(file, wanted);
    expect(wanted).toContain(table);
    expect(readFileSync(file, 'utf8')).toBe(wanted);
  });
});

describe('the dashboard', () => {
  it('asks only for metrics and labels that there are', () => {
    expect(panelQueries.flatMap(wrongNames)).toEqual([]);
    const definitions = dashboard.templating.list.flatMap(({ definition }) => definition ?? []);
    const values = definitions.map((text) => /^label_values\((.*), (\w+)\)$/.exec(text));
    for (const match of values) expect(wrongNames(`count by (${match?.[2]}) (${match?.[1]})`)).toEqual([]);
    expect(values).toHaveLength(3);
  });

  it('shows every metric that is worth a look', () => {
    const shown = new Set(panelQueries.flatMap((query) => namesInQuery(query).metrics.map(({ name }) => name)));
    const left = METRICS.map(({ name }) => name).filter((name) => !shown.has(name));
    expect(left).toEqual(['process_virtual_memory_bytes', 'process_start_time_seconds']);
  });

  it('has panels that say what they show and do not overlap', () => {
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
    const cells = new Set<string>();
    for (const { title, description, gridPos, targets } of panels) {
      expect(title).not.toBe('');
      expect(description, title).toMatch(/\.$/);
      expect(targets?.length, title).toBeGreaterThan(0);
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(cells.has(`${x},${y}`), `${title} at ${x},${y}`).toBe(false);
          cells.add(`${x},${y}`);
        }
      }
    }
  });

  it('names only labels that the query leaves', () => {
    for (const { title, targets = [] } of panels) {
      for (const { expr, legendFormat } of targets) {
        const { metrics, groups } = namesInQuery(expr);
        const isGrouped = /\b(?:sum|count|max|min|avg)\b/.test(expr);
        const left = isGrouped
          ? groups
          : ['job', 'instance', ...metrics.flatMap(({ name }) => labelsOf.get(name) ?? [])];
        const named = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label!);
        expect(
          named.filter((label) => !left.includes(label)),
          `${title}: ${expr}`,
        ).toEqual([]);
      }
    }
  });

  it.skipIf(promtool === undefined)('asks what Prometheus understands', () => {
    const folder = mkdtempSync(join(tmpdir(), 'synscope-dashboard-'));
    try {
      const written = panelQueries.map((expr, index) => ({
        record: `panel:${index}`,
        expr: expr.replaceAll('$__rate_interval', '5m').replaceAll(/\$\w+/g, 'x'),
      }));
      const file = join(folder, 'rules.yml');
      writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules: written }] }));
      const { status, stdout, stderr } = run(promtool!, ['check', 'rules', file], root);
      expect(stderr).toBe('');
      expect(stdout).toContain(`${panelQueries.length} rules found`);
      expect(status).toBe(0);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
