import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { namespacesMissing } from '../src/host/testing/namespaces.ts';
import { type CliRun, root, runCli } from './run-cli.ts';

const missing = namespacesMissing();
if (missing !== undefined) console.log(`skipped: repairs by synscope fix (${missing})`);

const schema = JSON.parse(readFileSync(join(root, 'docs/schema/fix.schema.json'), 'utf8')) as object;
const validate = new Ajv2020({ allErrors: true, strictTypes: false, formats: { 'date-time': true } }).compile(schema);

describe('the command line of fix', () => {
  it.each([
    [['fix'], 'what is to be repaired?'],
    [['fix', 'no-return-route'], 'where is no-return-route to be repaired?'],
    [['fix', 'no-return-route', '443', '80'], 'takes the name of a cause and a port'],
    [['fix', 'no-return-route', '99999'], '"99999" is neither'],
    [['fix', 'no-return-rout', '443'], 'there is no cause "no-return-rout"; did you mean no-return-route'],
    [['fix', '443', '--last'], 'do not go together'],
    [['fix', '443', '--from', 'web7'], '--from takes the IP address of a client'],
    [['fix', '--last', '--from', '192.0.2.1'], '--from belongs to a port'],
    [['fix', '443', '--gateway', 'router'], '--gateway takes an IP address'],
    [['fix', '443', '--device', '../x'], '--device takes the name of an interface'],
    [['fix', '443', '--persist'], '--persist belongs to --apply'],
    [['fix', '--undo', '$(reboot)'], '--undo takes a name'],
    [['fix', '--undo', '20261121-000000'], 'The journal has no repair 20261121-000000'],
    [['fix', '--last', '--on', 'netns:none-such'], 'no network namespace none-such'],
    [['fix', '443', '--apply', '--on', 'bundle:x'], 'a recording cannot be repaired'],
  ])('%j is refused', (argv, message) => {
    const { status, stderr } = runCli(argv);
    expect(stderr).toContain(message);
    expect(status).toBe(2);
  });

  it('plans for a recording, and says that it cannot be repaired', () => {
    const bundle = 'bundle:samples/no-return-route/web7.synscope';
    const { stdout, status } = runCli(['fix', 'no-return-route', '443', '--on', bundle, '--json']);
    const report = JSON.parse(stdout) as { plan: { blocked: { reason: string }[] } };
    expect(validate(report), JSON.stringify(validate.errors)).toBe(true);
    expect(report.plan.blocked.map(({ reason }) => reason)).toContain('a recording cannot be repaired');
    expect(status).toBe(3);
  });
});

describe.skipIf(missing !== undefined)('fix, for real', () => {
  const run = `fx${process.pid}`;
  const [client, router, server] = [`${run}-c`, `${run}-r`, `${run}-s`] as const;
  const etc = `/etc/netns/${server}`;
  const CLIENT = '2001:db8:1::2';
  let state: string;
  let listener: ChildProcess;

  const ip = (...argv: string[]): string =>
    execFileSync('ip', argv, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  const inside = (name: string, ...argv: string[]): string => ip('netns', 'exec', name, ...argv);
  const fix = (argv: readonly string[], env: NodeJS.ProcessEnv = {}): CliRun =>
    runCli(['fix', ...argv, '--on', `netns:${server}`], { SYNSCOPE_STATE_DIR: state, ...env });
  const json = (argv: readonly string[], env?: NodeJS.ProcessEnv): FixOutput => {
    const report = JSON.parse(fix([...argv, '--json'], env).stdout) as FixOutput;
    expect(validate(report), JSON.stringify(validate.errors)).toBe(true);
    return report;
  };
  const defaultRoute = (): string => ip('-n', server, '-6', 'route', 'show', 'default').trim();
  const forget = (): void => {
    for (let tries = 0; defaultRoute() !== '' && tries < 5; tries += 1)
      ip('-n', server, '-6', 'route', 'del', 'default');
    rmSync(etc, { recursive: true, force: true });
    rmSync(join(state, 'repairs.jsonl'), { force: true });
  };

  beforeAll(() => {
    state = mkdtempSync(join(tmpdir(), 'synscope-fix-'));
    for (const name of [client, router, server]) {
      ip('netns', 'add', name);
      inside(name, 'sysctl', '-qw', 'net.ipv6.conf.all.accept_dad=0', 'net.ipv6.conf.default.accept_dad=0');
      ip('-n', name, 'link', 'set', 'lo', 'up');
    }
    inside(router, 'sysctl', '-qw', 'net.ipv6.conf.all.forwarding=1');
    for (const [name, port, net] of [
      [client, 'rc', '1'],
      [server, 'rs', '2'],
    ] as const) {
      ip('-n', name, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', port, 'netns', router);
      ip('-n', name, 'link', 'set', 'eth0', 'up');
      ip('-n', router, 'link', 'set', port, 'up');
      ip('-n', name, 'addr', 'add', `2001:db8:${net}::2/64`, 'dev', 'eth0', 'nodad');
      ip('-n', router, 'addr', 'add', `2001:db8:${net}::1/64`, 'dev', port, 'nodad');
    }
    ip('-n', client, '-6', 'route', 'add', 'default', 'via', '2001:db8:1::1');
    const program = "require('net').createServer((s) => s.end()).listen(443, '::', () => console.log('ready'))";
    listener = spawn('ip', ['netns', 'exec', server, process.execPath, '-e', program], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return new Promise<void>((resolve) => listener.stdout?.once('data', () => resolve()));
  });
  afterAll(() => {
    listener?.kill('SIGKILL');
    for (const name of [client, router, server]) execFileSync('ip', ['netns', 'del', name]);
    rmSync(etc, { recursive: true, force: true });
    rmSync(state, { recursive: true, force: true });
  });

  it('plans, changes nothing, repairs, verifies with a connection from the client, lists it, and takes it back', () => {
    forget();
    const plan = json(['no-return-route', '443', '--from', CLIENT]);
    expect(plan.plan).toMatchObject({
      cause: { status: 'confirmed' },
      blocked: [],
      remedy: { id: 'add-default-route' },
    });
    expect(plan.plan?.steps).toMatchObject([
      { command: expect.stringMatching(/^ip -6 route add default via fe80::\S+ dev eth0 proto static$/) },
    ]);
    expect(plan.plan?.reasons.join()).toContain('it answers as a router on eth0');
    expect(defaultRoute()).toBe('');

    const { result } = json(['no-return-route', '443', '--from', CLIENT, '--apply', '--peer', `netns:${client}`]);
    expect(result).toMatchObject({
      outcome: 'verified',
      statement: expect.stringContaining('connected to [2001:db8:2::2]:443'),
    });
    expect(defaultRoute()).toMatch(/^default via fe80::/);
    expect(json(['--journal']).journal).toMatchObject([{ id: result?.id, outcome: 'verified', undoable: true }]);
    expect(json(['443', '--from', CLIENT, '--apply']).nothingWrong).toContain('Nothing on this host would stop');

    expect(json(['--undo', result?.id ?? '']).result).toMatchObject({ outcome: 'verified', undid: result?.id });
    expect(defaultRoute()).toBe('');
    expect(json(['--journal']).journal?.[1]).toMatchObject({ outcome: 'undone', undoable: false });
    expect(fix(['--undo', result?.id ?? '']).stderr).toContain('it has been undone already');
  });

  it('takes the gateway and its metric from the configuration, and nothing is to be written then', () => {
    forget();
    mkdirSync(`${etc}/netplan`, { recursive: true });
    writeFileSync(
      `${etc}/netplan/50-cloud-init.yaml`,
      'network: {ethernets: {eth0: {routes: [{to: default, via: "2001:db8:2::1", metric: 77}]}}}',
    );
    const { plan } = json(['443', '--from', CLIENT]);
    expect(plan?.steps).toMatchObject([
      { command: 'ip -6 route add default via 2001:db8:2::1 dev eth0 metric 77 proto static' },
    ]);
    expect(plan?.persistent).toBeUndefined();
    expect(plan?.persistentNote).toContain('it comes back at the next start by itself');
  });

  it('refuses a gateway that does not answer', () => {
    forget();
    const { plan, cannot } = json(['443', '--from', CLIENT, '--apply', '--gateway', '2001:db8:2::99']);
    expect(plan?.blocked).toMatchObject([
      { reason: expect.stringContaining('does not answer neighbour discovery on eth0') },
    ]);
    expect(cannot?.reason).toBe('nothing was changed');
  });

  it('writes the configuration with --persist, and takes that back as well', () => {
    forget();
    mkdirSync(`${etc}/network`, { recursive: true });
    const file = `${etc}/network/interfaces`;
    const text = 'auto eth0\niface eth0 inet6 static\n    address 2001:db8:2::2/64\n';
    writeFileSync(file, text);
    const { result, plan } = json(['443', '--from', CLIENT, '--apply', '--persist']);
    expect(plan?.persistent).toMatchObject({ system: 'ifupdown', path: file });
    expect(result).toMatchObject({ outcome: 'verified', persisted: file });
    expect(readFileSync(file, 'utf8')).toMatch(
      /^auto eth0\niface eth0 inet6 static\n {4}gateway fe80::\S+\n {4}address/,
    );
    expect(readFileSync(`${file}.before-synscope-${result?.id}`, 'utf8')).toBe(text);
    json(['--undo', result?.id ?? '']);
    expect(readFileSync(file, 'utf8')).toBe(text);
    expect(defaultRoute()).toBe('');
  });

  it('undoes by itself what did not help', () => {
    forget();
    inside(
      server,
      'nft',
      `add table inet f; add chain inet f out { type filter hook output priority 0; }; add rule inet f out ip6 daddr ${CLIENT} tcp flags & (syn|ack) == (syn|ack) drop`,
    );
    const run = fix(['no-return-route', '443', '--from', CLIENT, '--apply', '--peer', `netns:${client}`]);
    inside(server, 'nft', 'delete', 'table', 'inet', 'f');
    expect(run.stdout).toContain('Taken back: it did not help');
    expect(run.status).toBe(1);
    expect(defaultRoute()).toBe('');
  });

  it('does not widen a policy unasked, and shows the exact rule', () => {
    forget();
    ip('-n', server, '-6', 'route', 'add', 'default', 'via', '2001:db8:2::1');
    inside(
      server,
      'nft',
      'add table inet f; add chain inet f in { type filter hook input priority 0; }; add rule inet f in tcp dport 443 drop',
    );
    try {
      const refused = json(['netfilter-drop-in', '443', '--from', CLIENT, '--apply']);
      expect(refused.plan?.blocked).toMatchObject([
        {
          reason: expect.stringContaining('it widens a security policy'),
          hint: expect.stringContaining('--i-own-this-policy'),
        },
      ]);
      const risky = json(['netfilter-drop-in', '443', '--from', CLIENT, '--apply', '--i-own-this-policy']);
      expect(risky.cannot).toMatchObject({ reason: 'the risk is high, and nobody can be asked' });
      const done = json([
        'netfilter-drop-in',
        '443',
        '--from',
        CLIENT,
        '--apply',
        '--i-own-this-policy',
        '--yes',
        '--peer',
        `netns:${client}`,
      ]);
      expect(done.result).toMatchObject({ outcome: 'verified' });
      expect(inside(server, 'nft', 'list', 'ruleset')).toContain(
        `ip6 saddr ${CLIENT} tcp dport 443 accept comment "synscope-${done.result?.id}"`,
      );
      json(['--undo', done.result?.id ?? '']);
      expect(inside(server, 'nft', 'list', 'ruleset')).not.toContain('accept comment');
    } finally {
      inside(server, 'nft', 'delete', 'table', 'inet', 'f');
    }
  });

  it('plans nothing for another cause than the one that stands out', () => {
    forget();
    const { cannot } = json(['accept-queue-full', '443', '--from', CLIENT, '--apply']);
    expect(cannot?.reason).toContain('what stands out is no-return-route, not accept-queue-full');
  });

  // lab/remedies.test.ts kills at more points, with --full at all.
  it.each([
    '4,timer',
    '6,timer',
  ])('leaves nothing half-done when it is killed (%s), whatever the end of the journal looks like', (when) => {
    forget();
    const killed = fix(['443', '--from', CLIENT, '--apply'], { SYNSCOPE_TEST_KILL_AFTER: when });
    expect(killed.status).toBeNull();
    appendFileSync(join(state, 'repairs.jsonl'), '{"v":1,"at":"2026-11-21T0');
    if (when === '4,timer') {
      // A plan says what is there, and lets it be.
      const { interrupted, recovered } = json(['443', '--from', CLIENT]);
      expect(recovered).toEqual([]);
      expect(interrupted).toMatchObject([{ statement: expect.stringContaining('what it did stands still') }]);
      expect(defaultRoute()).not.toBe('');
    }
    const { recovered } = json(['443', '--from', CLIENT, '--apply', '--gateway', '2001:db8:2::99']);
    const stays = when === '6,timer';
    expect(recovered).toMatchObject([{ outcome: stays ? 'verified' : 'rolled-back' }]);
    expect(defaultRoute() !== '').toBe(stays);
    expect(json(['--journal']).journal).toHaveLength(1);
  });
});

interface FixOutput {
  readonly recovered: readonly { readonly outcome: string }[];
  readonly interrupted?: readonly object[];
  readonly nothingWrong?: string;
  readonly cannot?: { readonly reason: string };
  readonly plan?: {
    readonly steps: readonly object[];
    readonly blocked: readonly object[];
    readonly reasons: readonly string[];
    readonly persistent?: object;
    readonly persistentNote?: string;
  };
  readonly result?: { readonly id: string };
  readonly journal?: readonly object[];
}
