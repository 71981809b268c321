import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { defaultConfig } from './config.ts';
import { parseConfig } from './read-config.ts';

function failureOf(text: string): string {
  try {
    parseConfig(text, 'watch.yaml');
  } catch (error) {
    return (error as Error).message;
  }
  return 'it was taken';
}

describe('a configuration', () => {
  it('may be the one of the documentation, which shows every default', () => {
    const page = readFileSync(new URL('../../../docs/watch.md', import.meta.url), 'utf8');
    const yaml = /```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
    const { alerts, remediation, ...rest } = parseConfig(yaml, 'docs/watch.md');
    const { alerts: none, remediation: suggest, ...defaults } = defaultConfig();
    expect(rest).toEqual(defaults);
    expect(alerts.map(({ kind }) => kind)).toEqual(['webhook', 'command', 'syslog', 'otlp']);
    expect({ ...remediation, causes: {}, allowKinds: [], windows: [] }).toEqual(suggest);
    expect(none).toEqual([]);
  });

  it('may be empty: everything has a default', () => {
    expect(parseConfig('', 'watch.yaml')).toEqual(defaultConfig());
    expect(defaultConfig()).toMatchObject({
      page: { enabled: true, listen: '127.0.0.1:7321' },
      remediation: { default: 'suggest', allowKinds: [], dryRun: false },
      retention: { maxAgeMs: 30 * 86_400_000, maxBytes: 1e9 },
    });
  });

  it('says times, sizes, shares, ports and windows as people write them', () => {
    const config = parseConfig(
      `
listeners: {ports: [443, 8000-8100], ignoreNetworks: [192.0.2.7, 2001:db8::/32]}
incidents: {closeAfter: 90s, quietAfter: 2h}
warnings: {acceptQueue: 75%, conntrack: 0.5}
retention: {maxAge: 7d, maxSize: 500MB}
alerts:
  - {kind: webhook, url: 'https://hooks.example/x', timeout: 3s, when: {kinds: [failure]}}
  - {kind: command, command: [/usr/bin/page, oncall]}
remediation:
  causes: {no-return-route: auto}
  allowKinds: [route]
  windows: [{days: [sat, sun], from: '22:30', to: '06:00'}]
`,
      'watch.yaml',
    );
    expect(config.listeners).toMatchObject({
      ports: [
        [443, 443],
        [8000, 8100],
      ],
      ignoreNetworks: ['192.0.2.7/32', '2001:db8::/32'],
    });
    expect(config.incidents).toMatchObject({ closeAfterMs: 90_000, quietAfterMs: 7_200_000, openAfter: 1 });
    expect(config.warnings).toMatchObject({ acceptQueue: 0.75, conntrack: 0.5 });
    expect(config.retention).toEqual({ maxAgeMs: 604_800_000, maxBytes: 5e8 });
    expect(config.alerts).toMatchObject([
      { kind: 'webhook', method: 'POST', timeoutMs: 3000, when: { kinds: ['failure'] } },
      { kind: 'command', command: ['/usr/bin/page', 'oncall'], maxPerHour: 60 },
    ]);
    expect(config.remediation).toMatchObject({
      causes: { 'no-return-route': 'auto' },
      windows: [{ days: [6, 0], fromMinute: 1350, toMinute: 360 }],
    });
  });

  it.each([
    [
      'incidents:\n  closeAfter: soon\n',
      'watch.yaml, line 2: incidents.closeAfter must be a time such as 30s, 10m, 2h or 7d.',
    ],
    ['page: {}\nincident: {}\n', 'watch.yaml, line 2: there is no setting "incident".'],
    ['page:\n  listn: x\n', 'watch.yaml, line 2: there is no setting "page.listn".'],
    [
      'listeners:\n  ports:\n    - 443\n    - 70000\n',
      'watch.yaml, line 4: listeners.ports[1] must be a port such as 443, or a range such as 8000-8100.',
    ],
    [
      'remediation:\n  causes:\n    no-return-route: always\n',
      'watch.yaml, line 3: remediation.causes.no-return-route must be one of off, suggest, auto.',
    ],
    [
      'alerts:\n  - kind: pigeon\n',
      'watch.yaml, line 2: alerts[0].kind must have a kind: webhook, command, syslog or otlp.',
    ],
    ['remediation: {allowKinds: [command]}', 'must be one of sysctl, route'],
    ['- 1\n- 2\n', 'watch.yaml, line 1: the file'],
    ['page: [1', 'watch.yaml, line 1: this is no YAML'],
    ['page: {}\npage: {}\n', 'watch.yaml, line 2: this is no YAML'],
  ])('tells the line and what is wrong: %j', (text, message) => {
    expect(failureOf(text)).toContain(message);
  });
});
