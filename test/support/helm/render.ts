import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { type Command, type Node, type Pipeline, parseTemplate, type Term } from './parse.ts';

type Values = Readonly<Record<string, unknown>>;

/** What `helm install` is told. */
export interface Release {
  readonly name: string;
  readonly namespace: string;
  /** Put over those of the chart. */
  readonly values?: Values;
}

/** The files of a chart, rendered as `helm template` does; those that come out empty are left out. */
export function renderChart(folder: string, { name, namespace, values = {} }: Release): ReadonlyMap<string, string> {
  const chart = parse(readFileSync(join(folder, 'Chart.yaml'), 'utf8')) as {
    name: string;
    version: string;
    appVersion: string;
  };
  const defaults = parse(readFileSync(join(folder, 'values.yaml'), 'utf8')) as Values;
  const root = {
    Values: merge(defaults, values),
    Chart: { Name: chart.name, Version: chart.version, AppVersion: chart.appVersion },
    Release: { Name: name, Namespace: namespace, Service: 'Helm' },
    Files: { folder },
  };
  const sources = readdirSync(join(folder, 'templates')).map((file) => {
    return [file, parseTemplate(readFileSync(join(folder, 'templates', file), 'utf8'))] as const;
  });
  const defined = new Map(
    sources
      .flatMap(([, nodes]) => nodes)
      .flatMap((node) => (node.kind === 'define' ? [[node.name, node.body] as const] : [])),
  );
  const renderer = new Renderer(root, defined);
  const files = sources.filter(([file]) => !file.startsWith('_'));
  return new Map(
    files
      .map(([file, nodes]) => [file, renderer.render(nodes, root)] as const)
      .filter(([, text]) => text.trim() !== ''),
  );
}

/** Maps are put into each other, everything else is replaced, as Helm does. */
function merge(under: Values, over: Values): Values {
  const isMap = (value: unknown): value is Values =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  const merged: Record<string, unknown> = { ...under };
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key];
    merged[key] = isMap(below) && isMap(value) ? merge(below, value) : value;
  }
  return merged;
}

class Renderer {
  private readonly root: Values;
  private readonly defined: ReadonlyMap<string, readonly Node[]>;

  constructor(root: Values, defined: ReadonlyMap<string, readonly Node[]>) {
    this.root = root;
    this.defined = defined;
  }

  render(nodes: readonly Node[], dot: unknown): string {
    return nodes.map((node) => this.renderNode(node, dot)).join('');
  }

  private renderNode(node: Node, dot: unknown): string {
    if (node.kind === 'text') return node.text;
    if (node.kind === 'define') return '';
    const value = this.evaluate(node.pipeline, dot);
    if (node.kind === 'output') return asText(value);
    if (!isTrue(value)) return this.render(node.otherwise, dot);
    if (node.kind === 'range')
      return (value as readonly unknown[]).map((each) => this.render(node.body, each)).join('');
    return this.render(node.body, node.kind === 'with' ? value : dot);
  }

  private evaluate(pipeline: Pipeline, dot: unknown): unknown {
    const [first, ...rest] = pipeline;
    return rest.reduce((value, command) => this.run(command, dot, [value]), this.run(first!, dot, []));
  }

  private run([head, ...args]: Command, dot: unknown, piped: readonly unknown[]): unknown {
    const values = [...args.map((term) => this.valueOf(term, dot)), ...piped];
    // A method: `.Files.Get "name"`.
    if (head!.kind === 'field' && head!.path.join('.') === 'Files.Get') return this.readFile(values);
    if (head!.kind !== 'function') {
      if (values.length > 0) throw new Error(`${JSON.stringify(head)} takes no arguments`);
      return this.valueOf(head!, dot);
    }
    if (head!.name === 'include') {
      const body = this.defined.get(String(values[0]));
      if (body === undefined) throw new Error(`there is no template ${values[0]}`);
      return this.render(body, values[1]);
    }
    const called = FUNCTIONS[head!.name];
    if (called === undefined) throw new Error(`there is no function ${head!.name}`);
    return called(...values);
  }

  private valueOf(term: Term, dot: unknown): unknown {
    if (term.kind === 'literal') return term.value;
    if (term.kind === 'pipeline') return this.evaluate(term.pipeline, dot);
    if (term.kind === 'function') return this.run([term], dot, []);
    return term.path.reduce(
      (value: unknown, key) => {
        if (typeof value !== 'object' || value === null) throw new Error(`.${term.path.join('.')}: nothing has ${key}`);
        return (value as Values)[key];
      },
      term.fromRoot ? this.root : dot,
    );
  }

  private readFile([name]: readonly unknown[]): string {
    const path = join((this.root.Files as { folder: string }).folder, String(name));
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  }
}

const FUNCTIONS: Readonly<Record<string, (...values: readonly unknown[]) => unknown>> = {
  quote: (value) => JSON.stringify(asText(value)),
  default: (fallback, value) => (isTrue(value) ? value : fallback),
  contains: (part, text) => asText(text).includes(asText(part)),
  eq: (a, b) => a === b,
  trunc: (length, text) => asText(text).slice(0, Number(length)),
  trimSuffix: (suffix, text) =>
    asText(text).endsWith(asText(suffix)) ? asText(text).slice(0, -asText(suffix).length) : text,
  printf: (format, ...values) => {
    const rest = [...values];
    return asText(format).replaceAll(/%[sv]/g, () => asText(rest.shift()));
  },
  nindent: (spaces, text) => `\n${asText(text).replaceAll(/^/gm, ' '.repeat(Number(spaces)))}`,
  toYaml: (value) => stringify(value, { lineWidth: 0 }).trimEnd(),
  sha256sum: (text) => createHash('sha256').update(asText(text)).digest('hex'),
};

function asText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw new Error(`${JSON.stringify(value)} is no text`);
}

function isTrue(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === 'object' && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}
