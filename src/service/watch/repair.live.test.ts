import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Host } from '../../host/host.ts';
import { NetnsHost } from '../../host/netns-host.ts';
import { makeNamespacePair, type NamespacePair, namespacesMissing, SERVER_V4 } from '../../host/testing/namespaces.ts';
import type { Diagnosis } from '../../model/diagnosis.ts';
import type { Incident, IncidentRepair } from '../../model/incident.ts';
import { Journal } from '../../remedy/journal/journal.ts';
import { identityOf, thisOwner } from '../../remedy/owner.ts';
import { diagnoseListen } from '../diagnose-listen.ts';
import { faultOf } from '../fix-fault.ts';
import { planRepair } from '../fix-plan.ts';
import { interruptedRepairs } from '../fix-recover.ts';
import { PlanChangedError } from '../http/repairer.ts';
import { defaultConfig } from './config.ts';
import type { WatchConfig } from './config-types.ts';
import { PolicyRepairer } from './repair.ts';

const missing = namespacesMissing();
if (missing !== undefined) console.log(`Skipped: repairs by policy: ${missing}`);

/** An address that the server reaches by its default route alone. */
const FAR = '10.88.0.2';

describe.skipIf(missing !== undefined)('repairs of a watch', () => {
  let pair: NamespacePair;
  let host: Host;
  let listener: ChildProcess;
  let state: string;
  let diagnosis: Diagnosis;
  let incidents = 0;

  // Not by `ip -n`, which would look for an /etc/netplan to put that of the namespace over.
  const inside = (...argv: string[]): string[] => [`--net=/run/netns/${pair.server}`, ...argv];
  const ip = (...argv: string[]): string => execFileSync('nsenter', inside('ip', ...argv), { encoding: 'utf8' });
  const route = (): string => ip('route', 'show', 'default').trim();
  const incident = (): Incident => {
    incidents += 1;
    return { id: incidents, service: { direction: 'inbound', namespace: host.spec, port: 443 } } as unknown as Incident;
  };
  const repairer = (
    remediation: Partial<WatchConfig['remediation']>,
    onRepair?: (id: number, repair: IncidentRepair) => void,
  ): PolicyRepairer => {
    const config = defaultConfig();
    return new PolicyRepairer({
      config: () => ({ ...config, remediation: { ...config.remediation, ...remediation } }),
      journal: new Journal(),
      waitMs: 500,
      ...(onRepair === undefined ? {} : { onRepair }),
    });
  };

  beforeAll(async () => {
    state = mkdtempSync(join(tmpdir(), 'synscope-policy-'));
    vi.stubEnv('SYNSCOPE_STATE_DIR', state);
    pair = makeNamespacePair('rp');
    host = new NetnsHost(pair.server);
    const settings = ['net.ipv4.conf.all.rp_filter=0', 'net.ipv4.conf.eth0.rp_filter=0'];
    execFileSync('nsenter', inside('sysctl', '-qw', ...settings));
    execFileSync('ip', ['-n', pair.client, 'addr', 'add', `${FAR}/32`, 'dev', 'eth0']);
    mkdirSync(`/etc/netns/${pair.server}/netplan`, { recursive: true });
    writeFileSync(`/etc/netns/${pair.server}/netplan/a.yaml`, 'network: {ethernets: {eth0: {gateway4: 10.77.0.2}}}');
    const program = "require('net').createServer((s) => s.end()).listen(443, '::', () => console.log('ready'))";
    listener = spawn('nsenter', inside(process.execPath, '-e', program), { stdio: ['ignore', 'pipe', 'ignore'] });
    await new Promise<void>((resolve) => listener.stdout?.once('data', () => resolve()));
    const report = await diagnoseListen({ host, port: 443, address: SERVER_V4, from: FAR, forMs: 0 });
    diagnosis = report.diagnoses[0]!;
    expect(diagnosis.cause).toMatchObject({ id: 'no-return-route', status: 'confirmed' });
  });
  beforeEach(() => {
    if (route() !== '') ip('route', 'del', 'default');
    rmSync(join(state, 'repairs.jsonl'), { force: true });
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    listener?.kill('SIGKILL');
    await host?.close();
    rmSync(`/etc/netns/${pair?.server}`, { recursive: true, force: true });
    pair?.remove();
    rmSync(state, { recursive: true, force: true });
  });

  it('are suggested, once for each incident, and changed is nothing', async () => {
    const one = incident();
    const policy = repairer({});
    expect(await policy.consider({ incident: one, diagnosis, host })).toMatchObject([
      {
        outcome: 'suggested',
        by: 'policy',
        remedyId: 'add-default-route',
        statement: 'ip route add default via 10.77.0.2 dev eth0 proto static',
      },
    ]);
    expect(await policy.consider({ incident: one, diagnosis, host })).toEqual([]);
    // A route is no safe change: without consent it is suggested, and no more.
    expect(await repairer({ default: 'auto' }).consider({ incident: incident(), diagnosis, host })).toMatchObject([
      { outcome: 'suggested' },
    ]);
    expect(
      await repairer({ causes: { 'no-return-route': 'off' } }).consider({ incident: incident(), diagnosis, host }),
    ).toEqual([]);
    expect(route()).toBe('');
  });

  it('are made with consent, and verified', async () => {
    const [repair] = await repairer({ default: 'auto', allowKinds: ['route'] }).consider({
      incident: incident(),
      diagnosis,
      host,
    });
    expect(repair).toMatchObject({
      outcome: 'verified',
      by: 'policy',
      journalId: expect.any(String),
      statement: expect.stringContaining('finds a route'),
    });
    expect(route()).toBe('default via 10.77.0.2 dev eth0 proto static');
  });

  it('are only told of with dryRun, and held back by the policy', async () => {
    const consent = { default: 'auto' as const, allowKinds: ['route'] };
    expect(
      await repairer({ ...consent, dryRun: true }).consider({ incident: incident(), diagnosis, host }),
    ).toMatchObject([{ outcome: 'dry-run', statement: expect.stringContaining('it would run: ip route add default') }]);
    const never = [{ days: [], fromMinute: 0, toMinute: 1 }];
    expect(
      await repairer({ ...consent, windows: never }).consider({ incident: incident(), diagnosis, host }),
    ).toMatchObject([{ outcome: 'held-back' }]);
    expect(route()).toBe('');
  });

  it('of a person are what was shown, or nothing', async () => {
    const told: IncidentRepair[] = [];
    const policy = repairer({ default: 'off' }, (_, repair) => told.push(repair));
    const one = incident();
    expect(await policy.plan(one)).toBeUndefined();
    await policy.consider({ incident: one, diagnosis, host });
    const plan = await policy.plan(one);
    expect(plan).toMatchObject({
      remedyId: 'add-default-route',
      steps: [{ undo: ['ip route del default via 10.77.0.2 dev eth0 proto static'] }],
    });
    ip('route', 'add', 'default', 'via', '10.77.0.9', 'metric', '5');
    await expect(policy.apply(one, plan!)).rejects.toThrow(PlanChangedError);
    ip('route', 'del', 'default');
    const again = await policy.plan(one);
    expect(again?.planId).toBe(plan?.planId);
    expect(await policy.apply(one, again!)).toMatchObject({ outcome: 'verified', by: 'person' });
    expect(told).toMatchObject([{ outcome: 'verified', by: 'person' }]);
    expect(route()).toContain('via 10.77.0.2');
  });

  it('that were interrupted are brought to an end when the watch starts, also of a namespace that is gone', async () => {
    const journal = new Journal();
    const verification = '';
    const fault = faultOf(diagnosis, 'server')!;
    const plan = await planRepair(host, fault, { id: '20261121-aaaaaa', verification });
    const owner = { ...thisOwner(), pidStart: 'another' };
    const { namespace, bootId: targetBootId } = await identityOf(host);
    const begin = (id: string, spec: string, inode: string): void =>
      journal.append(id, {
        ...{ entry: 'begin', host: spec, namespace: inode, targetBootId, by: 'policy', owner },
        ...{ causeId: fault.cause.id, remedyId: 'add-default-route', title: 'Give it its route' },
        target: { side: 'server', port: 443 },
        steps: plan?.steps ?? [],
      });
    begin('20261121-aaaaaa', host.spec, namespace);
    begin('20261121-bbbbbb', 'netns:none-such-is-there', 'net:[1]');
    journal.append('20261121-aaaaaa', { entry: 'step', step: 0 });
    await host.run(plan?.steps[0]?.do ?? []);
    expect(route()).toContain('via 10.77.0.2');
    expect(await interruptedRepairs(host, journal)).toMatchObject([
      {
        id: '20261121-aaaaaa',
        statement: expect.stringContaining('what it did stands still, not verified: add the route'),
      },
    ]);

    expect(await repairer({}).start()).toEqual([
      expect.stringMatching(/^repair 20261121-aaaaaa of netns:\S+ .* is undone now$/),
      expect.stringContaining('its network namespace is gone: nothing of it is left'),
    ]);
    expect(route()).toBe('');
    expect(await interruptedRepairs(host, journal)).toEqual([]);
    expect(await repairer({}).start()).toEqual([]);
  });
});
