import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { namespacesMissing } from '../src/host/testing/namespaces.ts';
import { answers, freePort, sshMissing } from '../src/host/testing/ssh-server.ts';
import { root, runCli } from './run-cli.ts';
import { ON_TERMINAL } from './support/on-terminal.ts';

const tool = (program: string, ...args: string[]): string | undefined =>
  spawnSync(program, args).status === 0 ? undefined : `needs ${program}`;
const missing = namespacesMissing() ?? sshMissing() ?? tool('python3', '-V') ?? tool('openssl', 'version');
if (missing !== undefined) console.log(`prompts of ssh are not tested: ${missing}`);

const PASSWORD = 'right word';

describe.skipIf(missing !== undefined)('what ssh asks on a terminal', () => {
  let folder = '';
  const at = (...parts: string[]): string => join(folder, ...parts);
  let env: Readonly<Record<string, string>> = {};
  let server: ChildProcess;
  let port = 0;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'synscope-terminal-'));
    env = { PATH: `${at('bin')}${delimiter}${process.env.PATH}`, NO_COLOR: '1' };
    port = await freePort();
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at('host')]);
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at('other')]);
    mkdirSync('/run/sshd', { recursive: true });
    mkdirSync(at('bin'));
    // A password that only this server knows: it sees another file in the place of the machine's own.
    const hash = execFileSync('openssl', ['passwd', '-6', PASSWORD], { encoding: 'utf8' }).trim();
    const shadow = readFileSync('/etc/shadow', 'utf8').replace(/^root:[^:]*:/m, () => `root:${hash}:`);
    writeFileSync(at('shadow'), shadow, { mode: 0o600 });
    const words = ['UsePAM no', 'PasswordAuthentication yes', 'KbdInteractiveAuthentication no'];
    const place = [`Port ${port}`, 'ListenAddress 127.0.0.1', `HostKey ${at('host')}`, `PidFile ${at('pid')}`];
    writeFileSync(at('sshd'), [...place, ...words, 'PubkeyAuthentication no', 'PermitRootLogin yes'].join('\n'));
    const known = [`UserKnownHostsFile ${at('known')}`, 'GlobalKnownHostsFile /dev/null', 'StrictHostKeyChecking ask'];
    writeFileSync(at('config'), [...known, 'IdentityFile /dev/null'].join('\n'));
    writeFileSync(at('bin', 'ssh'), `#!/bin/sh\nexec /usr/bin/ssh -F ${at('config')} "$@"\n`);
    chmodSync(at('bin', 'ssh'), 0o755);
    const start = `mount --bind ${at('shadow')} /etc/shadow; exec /usr/sbin/sshd -D -e -f ${at('sshd')}`;
    server = spawn('unshare', ['--mount', 'sh', '-c', start], { stdio: 'ignore' });
    for (let tries = 0; !(await answers(port)); tries++) {
      if (tries > 100 || server.exitCode !== null) throw new Error('sshd does not start');
      await sleep(100);
    }
  }, 60_000);

  afterAll(async () => {
    if (server !== undefined && server.exitCode === null) {
      const ended = new Promise((resolve) => server.once('exit', resolve));
      server.kill('SIGTERM');
      await ended;
    }
    if (folder !== '') rmSync(folder, { recursive: true, force: true });
  });

  beforeEach(() => rmSync(at('known'), { force: true }));

  const on = (): string => `ssh:root@127.0.0.1:${port}`;

  function terminal(
    steps: readonly (readonly [says: string, types: string])[],
    ...args: string[]
  ): { readonly said: string; readonly status: number; readonly left: number } {
    const command = [process.execPath, `${root}src/cli/main.ts`, ...args];
    const { stdout, stderr } = spawnSync('python3', ['-c', ON_TERMINAL, JSON.stringify(steps), ...command], {
      cwd: root,
      env: { ...process.env, ...env },
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    // Nothing of the connection is left.
    expect(readdirSync(tmpdir()).filter((name) => isOrphan(name))).toEqual([]);
    return JSON.parse(stdout) as ReturnType<typeof terminal>;
  }

  const KEY = ['yes/no', 'yes\n'] as const;
  const RIGHT = ['password:', `${PASSWORD}\n`] as const;

  it('an unknown key and a password are asked for, and a wrong one once more', () => {
    const { said, status, left } = terminal(
      [KEY, ['password:', 'wrong\n'], RIGHT],
      ...['listen', `${port}`, '--from', '192.0.2.7', '--on', on()],
    );
    expect(left).toBe(0);
    expect(said).toContain('Permission denied, please try again.');
    expect(said).toContain(`127.0.0.1 port ${port} only`);
    expect(status).toBe(1);
  }, 120_000);

  it('several hosts ask one after the other', () => {
    const { said, status, left } = terminal(
      [KEY, RIGHT, RIGHT],
      ...['trace', `127.0.0.1:${port}`, '--client', on(), '--server', on(), '--attempts', '1'],
    );
    expect(left).toBe(0);
    expect(said).toMatch(/The attempt from 127\.0\.0\.1 to 127\.0\.0\.1:\d+ worked/);
    expect(status).toBe(0);
  }, 120_000);

  it('Ctrl-C in the place of a password, and a no to the key', () => {
    const refused = terminal([['yes/no', 'no\n']], 'listen', '9', '--from', '192.0.2.7', '--on', on());
    expect(refused.said).toContain('cannot be reached: Host key verification failed');
    expect(refused.status).toBe(2);
    const stopped = terminal([KEY, ['password:', '\u0003']], 'listen', '9', '--from', '192.0.2.7', '--on', on());
    expect(stopped.said).toMatch(/synscope: .* cannot be reached: ssh was interrupted\./);
    expect(stopped.status).toBe(2);
  }, 120_000);

  it('without a terminal nothing is asked, and what to do is said', () => {
    const alone = runCli(['listen', '9', '--from', '192.0.2.7', '--on', on()], env);
    expect(alone.stderr).toContain(
      `Its host key is not known here: compare it on a first connection by hand, with: ssh -p ${port} root@127.0.0.1`,
    );
    const [type, key] = readFileSync(at('host.pub'), 'utf8').split(' ');
    writeFileSync(at('known'), `[127.0.0.1]:${port} ${type} ${key}\n`);
    expect(runCli(['listen', '9', '--from', '192.0.2.7', '--on', on()], env).stderr).toMatch(
      /cannot be reached: .*Permission denied.* on a terminal, where ssh may ask for a password/,
    );
    const [, wrong] = readFileSync(at('other.pub'), 'utf8').split(' ');
    writeFileSync(at('known'), `[127.0.0.1]:${port} ${type} ${wrong}\n`);
    const changed = runCli(['listen', '9', '--from', '192.0.2.7', '--on', on()], env);
    expect(changed.stderr).toMatch(/is not trusted: its host key is another than line 1 of .*ssh-keygen -R/s);
    expect(changed.status).toBe(2);
  }, 120_000);
});

/** A folder of a connection of a process that is no more. */
function isOrphan(name: string): boolean {
  const [, pid] = /^synscope-ssh-(\d+)-/.exec(name) ?? [];
  if (pid === undefined || before.has(name)) return false;
  return spawnSync('kill', ['-0', pid]).status !== 0;
}

const before: ReadonlySet<string> = new Set(readdirSync(tmpdir()));
