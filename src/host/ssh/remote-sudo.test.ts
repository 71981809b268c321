import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import type { CommandResult, Host } from '../host.ts';
import { openHost } from '../open-host.ts';
import { type SshServer, sshMissing, startSshServer } from '../testing/ssh-server.ts';
import { SingleCommands, sudoUse } from './remote-sudo.ts';

const missing = sshMissing() ?? (spawnSync('sudo', ['-V']).status === 0 ? undefined : 'needs sudo');
if (missing !== undefined) console.log(`skipped: sudo on another machine (${missing})`);

const NFT = ['nft', '-j', 'list', 'ruleset'];

/** The lines that docs/hosts.md asks for. */
function documented(user: string): string {
  const docs = readFileSync(fileURLToPath(new URL('../../../docs/hosts.md', import.meta.url)), 'utf8');
  const [, lines] = /```sudoers\n(.*?)```/s.exec(docs) ?? [];
  return (lines ?? '').replace(/^ops /m, `${user} `);
}

describe.skipIf(missing !== undefined)('commands that sudo allows one by one', () => {
  let server: SshServer | undefined;
  let host: Host | undefined;
  const path = process.env.PATH;

  afterEach(async () => {
    await host?.close();
    process.env.PATH = path;
    await server?.stop();
    [server, host] = [undefined, undefined];
  });

  async function open(sudoers: string, sudo: boolean): Promise<Host> {
    server = await startSshServer({ name: 'synscope-ops', sudoers });
    process.env.PATH = `${server.bin}:${path}`;
    host = await openHost(server.spec, { sudo });
    return host;
  }

  it('run as root, and all others as the user', async ({ skip }) => {
    if (spawnSync('nft', ['-V']).status !== 0) skip('needs nft');
    const ops = await open('synscope-ops ALL=(ALL : ALL) NOPASSWD: /usr/sbin/nft -j list ruleset\n', true);
    expect(await ops.run(NFT)).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('nftables') });
    expect((await ops.run(['id', '-u'])).stdout).toBe('4242\n');
    expect((await ops.run(['nft', 'list', 'tables'])).exitCode).not.toBe(0);
    await expect(ops.run(['no-such-program-of-synscope'])).rejects.toMatchObject({ code: 'not-found' });
  });

  it('nothing of it without --sudo', async () => {
    const ops = await open('synscope-ops ALL=(root) NOPASSWD: ALL\n', false);
    expect((await ops.run(['id', '-u'])).stdout).toBe('4242\n');
  });

  it('a user who may do everything is root', async () => {
    const ops = await open('synscope-ops ALL=(ALL) NOPASSWD: ALL\n', true);
    expect((await ops.run(['id', '-u'])).stdout).toBe('0\n');
  });

  it.each(['', 'synscope-ops ALL=(ALL) ALL\n'])('nobody is asked for a password: %j', async (sudoers) => {
    await expect(open(sudoers, true)).rejects.toMatchObject({
      code: 'no-permission',
      message: expect.stringMatching(/^sudo on 127\.0\.0\.1 refuses: /),
      hint: expect.stringContaining('docs/hosts.md'),
    });
  });

  it('the lines of docs/hosts.md are enough for what they are for', async () => {
    const ops = await open(documented('synscope-ops'), true);
    for (const argv of [
      ['ss', '-l', '-t', '-n', '-e', '-m', '-p'],
      ['ss', '-a', '-t', '-n', '-e', '-p', 'dst', '127.0.0.1', 'or', '( sport = :22 and dport = :65535 )'],
    ]) {
      // Whose a socket is, another user is not told.
      expect((await ops.run(argv)).stdout, argv.join(' ')).toContain('users:(("sshd"');
    }
    await expect(ops.readFile('/proc/net/netfilter/nfnetlink_queue')).resolves.toEqual(expect.any(String));
    if (spawnSync('nft', ['-V']).status === 0) expect((await ops.run(NFT)).exitCode).toBe(0);
    expect((await ops.run(['ip', 'xfrm', 'policy'])).exitCode).toBe(0);
    expect((await ops.run(['dmesg'])).exitCode).toBe(0);
    // No more than that.
    const dumped = `/tmp/synscope-never-${process.pid}`;
    const dump = ['ss', '-a', '-t', '-n', '-e', '-p', 'dst', '127.0.0.1', '-D', dumped];
    expect((await ops.run(dump)).stdout).not.toContain('users:(("sshd"');
    rmSync(dumped, { force: true });
    await expect(ops.readFile('/etc/shadow')).rejects.toMatchObject({ code: 'no-permission' });
  });
});

it('asks sudo for nothing that it does not list', async () => {
  const asked: string[] = [];
  const listed = [
    'User ops may run the following commands on web7:',
    '    (root) NOPASSWD: /usr/sbin/nft -j list ruleset, /usr/bin/dmesg "", !/usr/bin/cat',
    '    (root) NOPASSWD: /usr/sbin/tc, /usr/bin/ss -l *, /usr/bin/x a\\, b, /usr/sbin/ip ^route get [0-9.]+$',
  ].join('\n');
  const run = async (argv: readonly string[]): Promise<CommandResult> => {
    asked.push(argv.join(' '));
    const refused = argv.at(-1) === 'late';
    return argv[2] === '-l'
      ? { exitCode: 0, stdout: listed, stderr: '' }
      : refused && argv[0] === 'sudo'
        ? { exitCode: 1, stdout: '', stderr: 'sudo: a password is required\n' }
        : { exitCode: 0, stdout: '', stderr: '' };
  };
  const use = (await sudoUse('web7', run)) as SingleCommands;
  expect(use).toBeInstanceOf(SingleCommands);
  const asRoot = async (...argv: string[]): Promise<boolean> => {
    asked.length = 0;
    await use.run(argv, run);
    return asked[0] === `sudo -n -- ${argv.join(' ')}`;
  };
  expect(await asRoot('nft', '-j', 'list', 'ruleset')).toBe(true);
  expect(await asRoot('nft', 'flush', 'ruleset')).toBe(false);
  expect(await asRoot('dmesg')).toBe(true);
  expect(await asRoot('dmesg', '-C')).toBe(false);
  expect(await asRoot('cat', '/etc/shadow')).toBe(false);
  expect(await asRoot('/sbin/tc', 'qdisc', 'show')).toBe(true);
  expect(await asRoot('x', 'a,', 'b')).toBe(true);
  expect(await asRoot('ip', 'route', 'get', '192.0.2.1')).toBe(true);
  expect(await asRoot('ip', 'addr')).toBe(false);
  expect(await asRoot('ss', '-l', 'late')).toBe(true);
  expect(asked).toEqual(['sudo -n -- ss -l late', 'ss -l late']);
  expect(await asRoot('ss', '-l', 'late')).toBe(false);
});
