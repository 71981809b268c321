import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeNamespacePair, type NamespacePair, namespacesMissing, SERVER_V4 } from '../src/host/testing/namespaces.ts';
import { sshMissing } from '../src/host/testing/ssh-server.ts';
import { type CliRun, root, run } from './run-cli.ts';

const missing = process.env.FULL === '1' ? (namespacesMissing() ?? sshMissing()) : 'only with --full';
if (missing !== undefined) console.log(`skipped: repairs over ssh (${missing})`);

/** An address of the client that the server reaches by its default route alone. */
const FAR = '10.88.0.2';

describe.skipIf(missing !== undefined)('fix on another machine', { timeout: 900_000 }, () => {
  let pair: NamespacePair;
  let folder: string;
  const children: ChildProcess[] = [];
  const on = `ssh:root@${SERVER_V4}:2222`;

  const ip = (...argv: string[]): string => execFileSync('ip', ['-n', pair.server, ...argv], { encoding: 'utf8' });
  const route = (): string => ip('route', 'show', 'default').trim();
  const fix = (argv: readonly string[], env: NodeJS.ProcessEnv = {}): CliRun =>
    run(
      'ip',
      ['netns', 'exec', pair.client, process.execPath, `${root}src/cli/main.ts`, 'fix', ...argv, '--on', on],
      root,
      {
        PATH: `${join(folder, 'bin')}:${process.env.PATH}`,
        SYNSCOPE_STATE_DIR: join(folder, 'state'),
        ...env,
      },
    );
  const plan = ['no-return-route', '443', '--from', FAR, '--gateway', '10.77.0.2'];

  beforeAll(async () => {
    pair = makeNamespacePair('fs');
    folder = mkdtempSync(join(tmpdir(), 'synscope-fix-ssh-'));
    for (const key of ['host', 'user'])
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, key)]);
    mkdirSync('/run/sshd', { recursive: true });
    mkdirSync(join(folder, 'bin'));
    writeFileSync(
      join(folder, 'sshd'),
      `Port 2222\nListenAddress ${SERVER_V4}\nHostKey ${folder}/host\nPidFile none\nAuthorizedKeysFile ${folder}/user.pub\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n`,
    );
    writeFileSync(
      join(folder, 'ssh'),
      `IdentityFile ${folder}/user\nIdentitiesOnly yes\nStrictHostKeyChecking no\nUserKnownHostsFile ${folder}/known\n`,
    );
    writeFileSync(join(folder, 'bin', 'ssh'), `#!/bin/sh\nexec /usr/bin/ssh -F ${folder}/ssh "$@"\n`);
    chmodSync(join(folder, 'bin', 'ssh'), 0o755);
    execFileSync('ip', [
      'netns',
      'exec',
      pair.server,
      'sysctl',
      '-qw',
      'net.ipv4.conf.all.rp_filter=0',
      'net.ipv4.conf.eth0.rp_filter=0',
    ]);
    execFileSync('ip', ['-n', pair.client, 'addr', 'add', `${FAR}/32`, 'dev', 'eth0']);
    const start = (...argv: string[]): ChildProcess => {
      const child = spawn('ip', ['netns', 'exec', pair.server, ...argv], { stdio: ['ignore', 'pipe', 'ignore'] });
      children.push(child);
      return child;
    };
    start('/usr/sbin/sshd', '-D', '-f', join(folder, 'sshd'));
    const program = "require('net').createServer((s) => s.end()).listen(443, '::', () => console.log('ready'))";
    const listener = start(process.execPath, '-e', program);
    await new Promise<void>((resolve) => listener.stdout?.once('data', () => resolve()));
  });
  afterAll(() => {
    for (const child of children) child.kill('SIGKILL');
    pair?.remove();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  it('repairs and undoes', () => {
    const { stdout, status, stderr } = fix([...plan, '--apply', '--json']);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const { result } = JSON.parse(stdout) as { result: { id: string; outcome: string } };
    expect(result.outcome).toBe('verified');
    expect(route()).toBe('default via 10.77.0.2 dev eth0 proto static');
    expect(fix(['--undo', result.id]).status).toBe(0);
    expect(route()).toBe('');
  });

  it('is taken back over there when nothing is heard any more', async () => {
    expect(fix([...plan, '--apply'], { SYNSCOPE_TEST_KILL_AFTER: '5' }).status).toBeNull();
    expect(route()).toContain('via 10.77.0.2');
    for (let tries = 0; route() !== ''; tries += 1) {
      if (tries > 1200) throw new Error('the timer does not take it back');
      await sleep(100);
    }
    expect(fix([...plan, '--apply', '--json']).stdout).toContain('and the timer on the host has taken it back');
    expect(route()).toContain('via 10.77.0.2');
  });

  it.each([
    ['link', { refused: expect.stringContaining('would cut your own connection: you are connected through eth0') }],
    // The host answers no more, until its timer has heard nothing for too long and takes the change back.
    ['route', { outcome: 'rolled-back' }],
  ])('does not cut the connection through which it is made (%s)', (what, expected) => {
    const script = `${root}test/fix-own-path.ts`;
    const { stdout, stderr } = run('ip', ['netns', 'exec', pair.client, process.execPath, script, on, what], root, {
      PATH: `${join(folder, 'bin')}:${process.env.PATH}`,
      SYNSCOPE_STATE_DIR: join(folder, 'state-cut'),
    });
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toMatchObject({ path: { peer: '10.77.0.2', device: 'eth0' }, ...expected });
    expect(ip('route', 'show')).not.toContain('unreachable');
  });
});
