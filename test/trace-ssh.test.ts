import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { namespacesMissing } from '../src/host/testing/namespaces.ts';
import { sshMissing } from '../src/host/testing/ssh-server.ts';
import type { CaptureReport } from '../src/model/diagnosis.ts';
import { root, runCli } from './run-cli.ts';
import { defaultRoutes, makeTraceNetwork, PORT, SERVER, type TraceNetwork } from './trace-network.ts';
import { type SshNetwork, startSshNetwork } from './trace-ssh.ts';

const missing =
  namespacesMissing() ??
  sshMissing() ??
  (spawnSync('tcpdump', ['--version']).status === 0 ? undefined : 'needs tcpdump');
if (missing !== undefined) console.log(`trace is not tested over ssh: ${missing}`);

describe.skipIf(missing !== undefined)('trace, each host behind an ssh server of its own', () => {
  let net: TraceNetwork;
  let ssh: SshNetwork;
  const before = new Set(sockets());

  beforeAll(async () => {
    net = await makeTraceNetwork('trs');
    ssh = await startSshNetwork([net.client, net.router, net.server]);
  }, 120_000);

  afterAll(async () => {
    try {
      await ssh?.stop();
    } finally {
      await net.remove();
      // Who is killed cannot remove its folders.
      for (const name of sockets()) if (!before.has(name)) rmSync(join(tmpdir(), name), { recursive: true });
    }
  });

  afterEach(() => {
    net.flush();
    ssh.allow();
    defaultRoutes(net.server, 'server');
  });

  function argv(...more: string[]): string[] {
    const ends = ['--client', `ssh:root@${net.client}`, '--server', `ssh:root@${net.server}`];
    return ['trace', `${SERVER[4]}:${PORT}`, ...ends, '--attempts', '1', '--json', ...more];
  }

  function trace(...more: string[]): CaptureReport & { status: number | null } {
    const { stdout, stderr, status } = runCli(argv(...more), ssh.env);
    if (stdout === '') throw new Error(stderr);
    return { ...(JSON.parse(stdout) as CaptureReport), status };
  }

  /** Programs that run in the namespaces and are none of the network's own, nor of the way to its servers. */
  function leftovers(...of: string[]): string[] {
    return (of.length > 0 ? of : [net.client, net.router, net.server]).flatMap((name) =>
      spawnSync('ip', ['netns', 'pids', name], { encoding: 'utf8' })
        .stdout.split('\n')
        .flatMap((pid) => (pid === '' ? [] : commandLine(pid) || []))
        .filter((args) => !/sshd|createServer|^bash .*hop$|^cat$/.test(args)),
    );
  }

  async function untilNothingIsLeft(...of: string[]): Promise<void> {
    for (let tries = 0; leftovers(...of).length > 0 && tries < 200; tries++) await sleep(100);
    expect(leftovers(...of)).toEqual([]);
    if (of.length === 0) expect(sockets().filter((name) => !before.has(name))).toEqual([]);
  }

  it('both ends and the router, and nothing is left', async () => {
    net.in(net.server, 'ip', 'route', 'del', 'default');
    const { diagnoses, captures, status } = trace('--via', `ssh:root@${net.router}`);
    expect(diagnoses[0]).toMatchObject({
      cause: { id: 'no-return-route', status: 'confirmed' },
      path: { location: 'server-silent' },
      place: 'server',
    });
    expect(diagnoses[0]?.sentence).toContain(`reached ${net.server} (#`);
    expect(captures.map(({ name }) => name)).toEqual([net.client, net.router, net.server]);
    expect(status).toBe(1);
    await untilNothingIsLeft();
  }, 240_000);

  it('no tcpdump over there: what the host itself says still counts', () => {
    ssh.forbid(net.server, 'tcpdump');
    net.in(net.server, 'ip', 'route', 'del', 'default');
    const { diagnoses, notSeen, status } = trace();
    expect(diagnoses[0]).toMatchObject({
      cause: { id: 'no-return-route' },
      handshake: { outcome: 'no-reply' },
      place: 'server',
    });
    expect(notSeen?.map(({ reason }) => reason).join('\n')).toMatch(/packets cannot be captured: there is no tcpdump/);
    expect(status).toBe(1);
  }, 240_000);

  it('no root over there: says what could not be seen, and what would help', () => {
    ssh.demote(net.server);
    net.in(net.server, 'ip', 'route', 'del', 'default');
    const { diagnoses, notSeen } = trace();
    expect(diagnoses[0]).toMatchObject({ cause: { id: 'no-return-route' }, place: 'server' });
    const unseen = notSeen?.find(({ reason }) => reason.includes('packets cannot be captured'));
    expect(unseen).toMatchObject({
      reason: expect.stringContaining(net.server),
      hint: expect.stringContaining('--sudo'),
    });
  }, 240_000);

  it('a wrong host key: one clear sentence, and the client alone', () => {
    const known = ssh.known.read();
    const [client = '', router = ''] = known.split('\n');
    ssh.known.write(`${client}\n${router}\n${router.replace(net.router, net.server)}\n`);
    try {
      net.nft(net.server, `table inet t { chain i { type filter hook input priority 0; tcp dport ${PORT} drop } }`);
      const { diagnoses, notSeen, captures } = trace('--for', '2s');
      expect(notSeen?.[0]?.reason).toMatch(
        new RegExp(`^${net.server}: .* is not trusted: its host key is another than line 3 of .* says$`),
      );
      expect(captures.map(({ name }) => name)).toEqual([net.client]);
      expect(diagnoses[0]).toMatchObject({ cause: null, place: 'path-or-server', handshake: { outcome: 'no-reply' } });
    } finally {
      ssh.known.write(known);
    }
  }, 240_000);

  it('neither end can be reached', () => {
    const { status, stdout, stderr } = runCli(
      [
        'trace',
        '192.0.2.1:443',
        '--client',
        'ssh:nobody@no-such-host.invalid',
        '--server',
        'ssh:nobody@no-such-host.invalid:1',
      ],
      ssh.env,
    );
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^synscope: Neither end can be asked\. .*\n$/);
  }, 120_000);

  it('ssh breaks in the middle: what the others know still counts', async () => {
    net.in(net.server, 'ip', 'route', 'del', 'default');
    const tracing = start(argv('--wait', '60s', '--via', `ssh:root@${net.router}`));
    await until(() => capturing(net.client) && capturing(net.server) && capturing(net.router));
    // The one that watches is told by what it runs: everything of that server's connection ends.
    for (const pid of ssh.sessions(net.server)) process.kill(pid, 'SIGKILL');
    connectSilently();
    const { stdout, status } = await tracing.ended;
    const report = JSON.parse(stdout) as CaptureReport;
    expect(report.notSeen?.map(({ reason }) => reason).join('\n')).toContain(net.server);
    expect(report.diagnoses[0]).toMatchObject({
      handshake: { outcome: expect.stringMatching(/no-reply|in-progress/) },
    });
    expect(report.captures.map(({ name }) => name)).toEqual(expect.arrayContaining([net.client, net.router]));
    expect([1, 3]).toContain(status);
    await untilNothingIsLeft();
  }, 240_000);

  it('waits for the application, and Ctrl-C ends it with what is known', async () => {
    net.in(net.server, 'ip', 'route', 'del', 'default');
    const waiting = start(argv('--wait', '60s'));
    await until(() => capturing(net.client) && capturing(net.server));
    const client = connectSilently();
    const { stdout, status } = await waiting.ended;
    // It would repeat its SYN for the next trace to see.
    client.kill();
    await once(client, 'close');
    expect((JSON.parse(stdout) as CaptureReport).diagnoses[0]).toMatchObject({
      cause: { id: 'no-return-route', status: 'confirmed' },
      path: { location: 'server-silent' },
    });
    expect(status).toBe(1);
    const interrupted = start(argv('--wait', '60s'));
    await until(() => capturing(net.client) && capturing(net.server));
    interrupted.interrupt();
    const after = await interrupted.ended;
    expect((JSON.parse(after.stdout) as CaptureReport).headline).toMatch(/^No attempt of .* was seen\.$/);
    expect(after.status).toBe(3);
    await untilNothingIsLeft();
  }, 300_000);

  it.each([
    ['Ctrl-C', (tracing: ReturnType<typeof start>) => tracing.interrupt()],
    [
      'an end of the connection',
      () => {
        for (const pid of ssh.sessions(net.client)) process.kill(pid, 'SIGKILL');
      },
    ],
    ['our own violent death', (tracing: ReturnType<typeof start>) => tracing.kill()],
  ])(
    '%s ends a connection attempt over there',
    async (how, end) => {
      // Nothing says why it is silent, so the attempt, which would live on for a minute, is waited for.
      net.nft(net.router, `table inet t { chain f { type filter hook forward priority 0; tcp dport ${PORT} drop } }`);
      const tracing = start(argv('--for', '60s'));
      await until(() => leftovers(net.client).some((args) => args.includes('python3')), 0);
      end(tracing);
      await untilNothingIsLeft(net.client);
      const { stdout } = await tracing.ended;
      // What the others know is told as well when the client is lost.
      if (how === 'an end of the connection') {
        const { notSeen } = JSON.parse(stdout) as CaptureReport;
        expect(notSeen?.map(({ reason }) => reason).join('\n')).toMatch(new RegExp(`${net.client}: .*connection`));
      }
      await untilNothingIsLeft(net.client, net.router, net.server);
    },
    240_000,
  );

  function start(args: readonly string[]): {
    kill(): void;
    interrupt(): void;
    ended: Promise<{ stdout: string; status: number | null }>;
  } {
    const child = spawn(process.execPath, [`${root}src/cli/main.ts`, ...args], {
      cwd: root,
      env: { ...process.env, ...ssh.env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let stdout = '';
    child.stdout.on('data', (text: Buffer) => {
      stdout += text.toString();
    });
    const ended = once(child, 'close').then(([status]) => ({ stdout, status: status as number | null }));
    return { kill: () => void child.kill('SIGKILL'), interrupt: () => void child.kill('SIGINT'), ended };
  }

  function connectSilently(): ChildProcess {
    const source = `require('node:net').connect(${PORT}, '${SERVER[4]}').on('error', () => {}); setTimeout(() => process.exit(), 5000)`;
    return spawn('ip', ['netns', 'exec', net.client, process.execPath, '-e', source], { stdio: 'ignore' });
  }

  function capturing(namespace: string): boolean {
    const { stdout } = spawnSync('ip', ['netns', 'exec', namespace, 'cat', '/proc/net/packet'], { encoding: 'utf8' });
    return stdout.trim().split('\n').length > 1;
  }
});

/** Empty for a process that has ended. */
function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '';
  }
}

/** Folders of ssh connections whose process is no more. */
function sockets(): string[] {
  return readdirSync(tmpdir()).filter((name) => {
    const [, pid] = /^synscope-ssh-(\d+)-/.exec(name) ?? [];
    return pid !== undefined && !existsSync(`/proc/${pid}`);
  });
}

/** By default a little longer: the last of the baselines may still be read. */
async function until(isSo: () => boolean, settleMs: number = 1500): Promise<void> {
  for (let tries = 0; !isSo(); tries++) {
    if (tries > 600) throw new Error('it did not come to that');
    await sleep(100);
  }
  await sleep(settleMs);
}
