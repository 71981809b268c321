import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const SSHD = '/usr/sbin/sshd';

/** Why tests with a real ssh server cannot run here; undefined when they can. */
export function sshMissing(): string | undefined {
  if (!existsSync(SSHD)) return 'needs openssh-server';
  if (spawnSync('ssh', ['-V']).status !== 0) return 'needs openssh-client';
  return process.getuid?.() === 0 ? undefined : 'needs root, whom sshd can let in';
}

/** An ssh server on a port of the loopback interface, with keys of its own. */
export interface SshServer {
  readonly port: number;
  /** What `--on` takes: `ssh:root@127.0.0.1:PORT`. */
  readonly spec: string;
  /** A folder with an `ssh` that knows the key and the server: for the front of PATH. */
  readonly bin: string;
  stop(): Promise<void>;
}

/** Another user that the server lets in, who exists for it alone. */
export interface SshUser {
  readonly name: string;
  /** What sudo allows there, as a file of /etc/sudoers.d has it. */
  readonly sudoers: string;
}

/** Starts a server; everything about it lies in a temporary folder. */
export async function startSshServer(extra?: SshUser): Promise<SshServer> {
  const folder = mkdtempSync(join(tmpdir(), 'synscope-sshd-'));
  const keygen = (name: string): void => {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, name)]);
  };
  keygen('host');
  keygen('user');
  mkdirSync('/run/sshd', { recursive: true });
  const port = await freePort();
  writeFileSync(
    join(folder, 'sshd_config'),
    [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${join(folder, 'host')}`,
      `PidFile ${join(folder, 'pid')}`,
      `AuthorizedKeysFile ${join(folder, 'user.pub')}`,
      ...['StrictModes no', 'UsePAM no', 'PasswordAuthentication no', 'KbdInteractiveAuthentication no'],
      'PermitRootLogin yes',
    ].join('\n'),
  );
  writeFileSync(
    join(folder, 'ssh_config'),
    [
      `IdentityFile ${join(folder, 'user')}`,
      'IdentitiesOnly yes',
      'StrictHostKeyChecking no',
      `UserKnownHostsFile ${join(folder, 'known')}`,
    ].join('\n'),
  );
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'ssh'), `#!/bin/sh\nexec /usr/bin/ssh -F ${join(folder, 'ssh_config')} "$@"\n`);
  chmodSync(join(bin, 'ssh'), 0o755);
  const sshd = [SSHD, '-D', '-e', '-f', join(folder, 'sshd_config')];
  const [program = '', ...args] = extra === undefined ? sshd : withUser(folder, extra, sshd);
  const server = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const stop = async (): Promise<void> => {
    await end(server);
    rmSync(folder, { recursive: true, force: true });
  };
  let said = '';
  server.stderr?.on('data', (text: Buffer) => {
    said += text.toString();
  });
  for (let tries = 0; !(await answers(port)); tries++) {
    if (tries < 100 && server.exitCode === null) {
      await sleep(50);
      continue;
    }
    await stop();
    throw new Error(`sshd does not start: ${said}`);
  }
  return { port, spec: `ssh:${extra?.name ?? userInfo().username}@127.0.0.1:${port}`, bin, stop };
}

/** The command that runs a program among files of its own in /etc that know the user. */
function withUser(folder: string, { name, sudoers }: SshUser, argv: readonly string[]): string[] {
  // The key has to be read by that user as well.
  chmodSync(folder, 0o755);
  const lines = {
    passwd: `${name}:x:4242:4242::/tmp:/bin/sh`,
    shadow: `${name}:*:19000:0:99999:7:::`,
    group: `${name}:x:4242:`,
  };
  const binds = Object.entries(lines).map(([file, line]) => {
    const own = join(folder, file);
    writeFileSync(own, `${readFileSync(`/etc/${file}`, 'utf8')}${line}\n`, { mode: file === 'shadow' ? 0o600 : 0o644 });
    return `mount --bind ${own} /etc/${file}`;
  });
  const rules = join(folder, 'sudoers.d');
  mkdirSync(rules);
  writeFileSync(join(rules, name), sudoers, { mode: 0o440 });
  const script = [...binds, `mount --bind ${rules} /etc/sudoers.d`, 'exec "$@"'].join(' && ');
  return ['unshare', '--mount', 'sh', '-c', script, 'sh', ...argv];
}

async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const ended = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGTERM');
  await ended;
}

/** A port of the loopback interface on which nothing listens yet. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { readonly port: number };
      server.close(() => resolve(port));
    });
  });
}

/** Whether something accepts connections on that port of the loopback interface. */
export function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
      .once('connect', () => {
        socket.destroy();
        resolve(true);
      })
      .once('error', () => resolve(false));
  });
}
