import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const PORT = 2222;

/** An ssh server in each of several network namespaces, which one ssh reaches by their names. */
export interface SshNetwork {
  /** Environment in which `ssh NAMESPACE` reaches it. */
  readonly env: Readonly<Record<string, string>>;
  /** The keys that it knows, one line each in the order of the namespaces. */
  readonly known: { read(): string; write(text: string): void };
  /** From now on there is no such program on the other side. */
  forbid(namespace: string, program: string): void;
  /** From now on commands there run without any privilege. */
  demote(namespace: string): void;
  /** Takes both back. */
  allow(): void;
  /** Process ids of what the server of a namespace has started. */
  sessions(namespace: string): readonly number[];
  stop(): Promise<void>;
}

/** What each command goes through: the program whose name a file holds is hidden, and all privileges are dropped when there is another file. */
function wrapper(hidden: string, demoted: string): string {
  return `#!/bin/sh
set -- sh -c "$SSH_ORIGINAL_COMMAND"
[ -e ${demoted} ] && set -- setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all --bounding-set=-all "$@"
[ -e ${hidden} ] && set -- unshare --mount sh -c 'mount --bind /dev/null "$(command -v "$(cat ${hidden})")"; exec "$@"' sh "$@"
exec "$@"
`;
}

/** Starts the servers; each listens on the loopback interface of its namespace, and has a key of its own. */
export async function startSshNetwork(namespaces: readonly string[]): Promise<SshNetwork> {
  const folder = mkdtempSync(join(tmpdir(), 'synscope-trace-ssh-'));
  const at = (...parts: string[]): string => join(folder, ...parts);
  const keygen = (name: string): unknown =>
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at(name)]);
  mkdirSync('/run/sshd', { recursive: true });
  mkdirSync(at('bin'));
  keygen('user');
  const servers = new Map<string, ChildProcess>();
  // Ends with either side.
  writeFileSync(at('hop'), `exec 3<>/dev/tcp/127.0.0.1/${PORT}; cat <&3 & cat >&3; kill $!\n`);
  const known: string[] = [];
  const config = [
    `IdentityFile ${at('user')}`,
    'IdentitiesOnly yes',
    `UserKnownHostsFile ${at('known')}`,
    'StrictHostKeyChecking yes',
  ];
  for (const namespace of namespaces) {
    keygen(namespace);
    writeFileSync(at(`run-${namespace}`), wrapper(at(`without-${namespace}`), at(`demote-${namespace}`)));
    chmodSync(at(`run-${namespace}`), 0o755);
    known.push(`${namespace} ${readFileSync(at(`${namespace}.pub`), 'utf8').trim()}`);
    config.push(`Host ${namespace}`, `ProxyCommand ip netns exec ${namespace} bash ${at('hop')}`);
    writeFileSync(
      at(`sshd-${namespace}`),
      [
        `Port ${PORT}`,
        'ListenAddress 127.0.0.1',
        `HostKey ${at(namespace)}`,
        `PidFile ${at(`pid-${namespace}`)}`,
        `AuthorizedKeysFile ${at('user.pub')}`,
        `ForceCommand ${at(`run-${namespace}`)}`,
        ...[
          'StrictModes no',
          'UsePAM no',
          'PasswordAuthentication no',
          'KbdInteractiveAuthentication no',
          'PermitRootLogin yes',
        ],
      ].join('\n'),
    );
  }
  writeFileSync(at('known'), `${known.join('\n')}\n`);
  writeFileSync(at('config'), `${config.join('\n')}\n`);
  writeFileSync(at('bin', 'ssh'), `#!/bin/sh\nexec /usr/bin/ssh -F ${at('config')} "$@"\n`);
  chmodSync(at('bin', 'ssh'), 0o755);
  const stop = async (): Promise<void> => {
    for (const server of servers.values()) {
      if (server.exitCode !== null) continue;
      const ended = once(server, 'exit');
      server.kill('SIGTERM');
      await ended;
    }
    // Of a session that was killed while it began, the part that talks to the network waits for ever.
    for (const namespace of namespaces) {
      const { stdout } = spawnSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8' });
      for (const pid of stdout.split('\n').filter(Boolean)) {
        try {
          if (readFileSync(`/proc/${pid}/comm`, 'utf8') === 'sshd\n') process.kill(Number(pid), 'SIGKILL');
        } catch {
          // It has ended by itself.
        }
      }
    }
    rmSync(folder, { recursive: true, force: true });
  };
  const env = { PATH: `${at('bin')}${delimiter}${process.env.PATH}` };
  try {
    for (const namespace of namespaces) {
      const argv = ['netns', 'exec', namespace, '/usr/sbin/sshd', '-D', '-e', '-f', at(`sshd-${namespace}`)];
      servers.set(namespace, spawn('ip', argv, { stdio: ['ignore', 'ignore', 'ignore'] }));
    }
    for (const namespace of namespaces) {
      for (
        let tries = 0;
        spawnSync('ssh', [namespace, 'true'], { env: { ...process.env, ...env } }).status !== 0;
        tries++
      ) {
        if (tries > 100) throw new Error(`no ssh server answers in ${namespace}`);
        await sleep(100);
      }
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    env,
    known: {
      read: () => readFileSync(at('known'), 'utf8'),
      write: (text) => writeFileSync(at('known'), text),
    },
    forbid(namespace, program) {
      writeFileSync(at(`without-${namespace}`), program);
    },
    demote(namespace) {
      writeFileSync(at(`demote-${namespace}`), '');
    },
    allow() {
      for (const namespace of namespaces) {
        rmSync(at(`without-${namespace}`), { force: true });
        rmSync(at(`demote-${namespace}`), { force: true });
      }
    },
    sessions(namespace) {
      const server = servers.get(namespace)?.pid;
      const { stdout } = spawnSync('ps', ['-o', 'pid=', '--ppid', String(server)], { encoding: 'utf8' });
      return stdout.split('\n').flatMap((line) => (line.trim() === '' ? [] : [Number(line)]));
    },
    stop,
  };
}
