import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { parse, parseAllDocuments, parseDocument, stringify } from 'yaml';
import { CAPABILITIES, EVENTS_CAPABILITY } from '../src/service/install/unit.ts';
import { parseConfig } from '../src/service/watch/read-config.ts';
import { root, run } from './run-cli.ts';
import { renderChart } from './support/helm/render.ts';

const CHART = join(root, 'deploy/helm/synscope');
const MANIFEST = join(root, 'deploy/kubernetes/synscope.yaml');
const isThere = (name: string, ...args: string[]): boolean => spawnSync(name, args).status === 0;
const hasKubectl = isThere('kubectl', 'version', '--client');
const hasHelm = isThere('helm', 'version');
if (!hasKubectl) console.log('skipped: what kubectl makes of the manifests (needs kubectl)');
if (!hasHelm) console.log('skipped: the chart as helm itself renders it (needs helm)');

const VARIANTS: readonly (readonly [name: string, values: Record<string, unknown>])[] = [
  ['as it is', {}],
  [
    'with everything',
    {
      page: { address: '0.0.0.0', port: 7400, tokenSecret: 'synscope-token' },
      config: { remediation: { default: 'suggest' }, retention: { maxAge: '7d' } },
      kernelEvents: true,
      appArmor: 'annotation',
      imagePullSecrets: [{ name: 'registry' }],
      affinity: { nodeAffinity: {} },
      priorityClassName: 'system-node-critical',
      podAnnotations: { 'example.com/a': 'b' },
      podLabels: { team: 'network' },
      podMonitor: { enabled: true, labels: { release: 'prometheus' } },
      prometheusRule: { enabled: true, labels: { release: 'prometheus' } },
      serviceAccount: { create: false, name: 'other' },
    },
  ],
  ['for nodes without AppArmor', { appArmor: 'none', nodeSelector: {}, tolerations: [], fullnameOverride: 'watch' }],
];

interface Container {
  readonly args: readonly string[];
  readonly securityContext: {
    readonly capabilities: { readonly add: readonly string[]; readonly drop: readonly string[] };
    readonly appArmorProfile?: { readonly type: string };
  };
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}
interface Resource {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Record<string, string> };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: unknown;
}
interface PodTemplate {
  readonly metadata: { readonly labels: Record<string, string>; readonly annotations: Record<string, string> };
  readonly spec: {
    readonly containers: readonly [Container];
    readonly volumes: readonly { readonly name: string }[];
    readonly serviceAccountName: string;
  };
}

function render(values: Record<string, unknown>): Resource[] {
  const files = renderChart(CHART, { name: 'synscope', namespace: 'synscope', values });
  return [...files]
    .filter(([file]) => file.endsWith('.yaml'))
    .map(([file, text]) => {
      const document = parseDocument(text, { strict: true, uniqueKeys: true });
      expect(document.errors, file).toEqual([]);
      return document.toJS() as Resource;
    });
}

function find(resources: readonly Resource[], kind: string): Resource {
  const found = resources.find((resource) => resource.kind === kind);
  if (found === undefined) throw new Error(`there is no ${kind}`);
  return found;
}

function podOf(resources: readonly Resource[]): PodTemplate {
  return (find(resources, 'DaemonSet').spec as { template: PodTemplate }).template;
}

describe.each(VARIANTS)('the chart %s', (_, values) => {
  const resources = render(values);
  const pod = podOf(resources);
  const [container] = pod.spec.containers;

  it('has values that its schema allows', () => {
    const schema = JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8')) as object;
    const defaults = parse(readFileSync(join(CHART, 'values.yaml'), 'utf8')) as object;
    const validate = new Ajv({ allErrors: true, strictTypes: false }).compile(schema);
    validate({ ...defaults, ...values });
    expect(validate.errors).toBeNull();
    expect(validate({ ...defaults, page: { address: 'web7', port: 1 } })).toBe(false);
    expect(validate({ ...defaults, config: { page: {} } })).toBe(false);
    expect(validate({ ...defaults, typo: 1 })).toBe(false);
  });

  it('holds together', () => {
    const selector = (find(resources, 'DaemonSet').spec as { selector: { matchLabels: Record<string, string> } })
      .selector;
    expect(pod.metadata.labels).toMatchObject(selector.matchLabels);
    expect(container.volumeMounts.map(({ name }) => name).sort()).toEqual(
      pod.spec.volumes.map(({ name }) => name).sort(),
    );
    expect(new Set(container.volumeMounts.map(({ mountPath }) => mountPath)).size).toBe(container.volumeMounts.length);
    for (const { metadata } of resources) {
      expect(metadata.namespace).toBe('synscope');
      expect(metadata.labels).toMatchObject({ 'app.kubernetes.io/version': packageVersion(), ...selector.matchLabels });
    }
    const account = resources.find(({ kind }) => kind === 'ServiceAccount');
    expect(pod.spec.serviceAccountName).toBe(account?.metadata.name ?? 'other');
  });

  it('gives the rights that the service has, and no others', () => {
    const needed = values.kernelEvents === true ? [...CAPABILITIES, EVENTS_CAPABILITY] : CAPABILITIES;
    expect(container.securityContext.capabilities).toEqual({
      drop: ['ALL'],
      add: needed.map(({ name }) => name.replace('CAP_', '')),
    });
  });

  it('has a configuration that the watch understands', () => {
    const text = find(resources, 'ConfigMap').data?.['synscope.yaml'] ?? '';
    const config = parseConfig(text, 'synscope.yaml');
    const page = (values.page ?? { address: '127.0.0.1', port: 7321 }) as { address: string; port: number };
    expect(config.page.listen).toBe(`${page.address}:${page.port}`);
    if (values.config !== undefined) expect(config.retention.maxAgeMs).toBe(7 * 86_400_000);
    const file = container.args.at(-1)!;
    expect(container.volumeMounts.some(({ mountPath }) => file === `${mountPath}/synscope.yaml`)).toBe(true);
    const { tokenFile } = config.page;
    expect(
      tokenFile === undefined || container.volumeMounts.some(({ mountPath }) => tokenFile === `${mountPath}/token`),
    ).toBe(true);
  });

  it.skipIf(!hasKubectl)('has no field that Kubernetes does not know', () => {
    const folder = mkdtempSync(join(tmpdir(), 'synscope-kubectl-'));
    try {
      // kubectl reads it into its own types, which leaves out what they lack, and refuses what is of another type.
      const file = join(folder, 'daemonset.json');
      const daemonSet = find(resources, 'DaemonSet');
      writeFileSync(file, JSON.stringify(daemonSet));
      const argv = ['set', 'serviceaccount', '--local', '-f', file, pod.spec.serviceAccountName, '-o', 'json'];
      const { status, stdout, stderr } = run('kubectl', argv, folder, { KUBECONFIG: '/dev/null' });
      expect(stderr).toBe('');
      expect(status).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject(daemonSet as object);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it.skipIf(!hasHelm)('is rendered alike by helm', () => {
    const folder = mkdtempSync(join(tmpdir(), 'synscope-helm-'));
    try {
      const file = join(folder, 'values.json');
      writeFileSync(file, JSON.stringify(values));
      const argv = ['template', 'synscope', CHART, '--namespace', 'synscope', '--values', file];
      const { status, stdout, stderr } = run('helm', argv, folder);
      expect(stderr).toBe('');
      expect(status).toBe(0);
      const byKind = (list: readonly Resource[]): Resource[] => [...list].sort((a, b) => a.kind.localeCompare(b.kind));
      const theirs = parseAllDocuments(stdout).map((document) => document.toJS() as Resource);
      expect(byKind(theirs)).toEqual(byKind(resources));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('the chart', () => {
  it('starts anew when its configuration changes', () => {
    const sum = (values: Record<string, unknown>): string | undefined =>
      podOf(render(values)).metadata.annotations['checksum/config'];
    expect(sum({})).toMatch(/^[0-9a-f]{64}$/);
    expect(sum({ config: { budget: { handshakesPerSecond: 100 } } })).not.toBe(sum({}));
  });

  it('is of the version of the package, and has the alerts that there are', () => {
    const chart = parse(readFileSync(join(CHART, 'Chart.yaml'), 'utf8')) as { version: string; appVersion: string };
    expect([chart.version, chart.appVersion]).toEqual([packageVersion(), packageVersion()]);
    const copy = join(CHART, 'files/synscope.rules.yml');
    const rules = readFileSync(join(root, 'deploy/prometheus/synscope.rules.yml'), 'utf8');
    if (process.env.UPDATE === '1') writeFileSync(copy, rules);
    expect(readFileSync(copy, 'utf8')).toBe(rules);
    const rendered = find(render({ prometheusRule: { enabled: true } }), 'PrometheusRule');
    expect(rendered.spec).toEqual(parse(rules));
  });

  it('is refused by the renderer where it goes beyond what that understands', () => {
    expect(() => renderChart(CHART, { name: 'x', namespace: 'y', values: { page: 'none' } })).toThrow(
      'nothing has port',
    );
  });

  it('is what the plain manifest is made of', () => {
    const namespace = {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: {
        name: 'synscope',
        labels: ['enforce', 'audit', 'warn'].reduce<Record<string, string>>((labels, mode) => {
          labels[`pod-security.kubernetes.io/${mode}`] = 'privileged';
          return labels;
        }, {}),
      },
    };
    const files = renderChart(CHART, { name: 'synscope', namespace: 'synscope' });
    const parts = ['serviceaccount.yaml', 'configmap.yaml', 'daemonset.yaml'].map((file) =>
      files.get(file)!.replaceAll(OF_HELM, '').trim(),
    );
    const text = [HEAD + stringify(namespace).trim(), ...parts].join('\n---\n');
    expect(files.size).toBe(parts.length + 1);
    if (process.env.UPDATE === '1') writeFileSync(MANIFEST, `${text}\n`);
    expect(readFileSync(MANIFEST, 'utf8')).toBe(`${text}\n`);
    const documents = parseAllDocuments(text).map((document) => document.toJS() as Resource | null);
    expect(documents.map((document) => document?.kind)).toEqual([
      'Namespace',
      'ServiceAccount',
      'ConfigMap',
      'DaemonSet',
    ]);
  });
});

/** Labels that only what Helm manages has. */
const OF_HELM = /^.*(?:app\.kubernetes\.io\/managed-by|helm\.sh\/chart):.*\n/gm;
const HEAD = `# synscope on every node: kubectl apply -f synscope.yaml, after the image is one that the nodes reach (docs/operations.md).
# Made of the chart in deploy/helm/synscope with its own values.
`;

function packageVersion(): string {
  return (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version;
}
