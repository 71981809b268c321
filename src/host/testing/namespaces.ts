import { execFileSync, spawnSync } from 'node:child_process';

/** Why tests in network namespaces cannot run here; undefined when they can. */
export function namespacesMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  return spawnSync('ip', ['netns', 'list']).status === 0 ? undefined : 'needs iproute2';
}

/** Two network namespaces with a link between them, for one test file. */
export interface NamespacePair {
  /** Names for `--on netns:`. */
  readonly server: string;
  readonly client: string;
  remove(): void;
}

/** Addresses of the pair. */
export const SERVER_V4 = '10.77.0.1';
export const CLIENT_V4 = '10.77.0.2';
export const SERVER_V6 = 'fd77::1';
export const CLIENT_V6 = 'fd77::2';

/** Makes the pair; `prefix` (short, for interface names too) tells those of one test file from those of others. */
export function makeNamespacePair(prefix: string): NamespacePair {
  const server = `${prefix}-s-${process.pid}`;
  const client = `${prefix}-c-${process.pid}`;
  const remove = (): void => {
    for (const name of [server, client]) spawnSync('ip', ['netns', 'del', name]);
  };
  const ip = (...argv: string[]): void => {
    execFileSync('ip', argv, { stdio: ['ignore', 'ignore', 'pipe'] });
  };
  try {
    ip('netns', 'add', server);
    ip('netns', 'add', client);
    ip('-n', server, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', client);
    for (const [name, v4, v6] of [
      [server, SERVER_V4, SERVER_V6],
      [client, CLIENT_V4, CLIENT_V6],
    ] as const) {
      ip('-n', name, 'addr', 'add', `${v4}/24`, 'dev', 'eth0');
      ip('-n', name, 'addr', 'add', `${v6}/64`, 'dev', 'eth0', 'nodad');
      // Link-local addresses can be used at once.
      ip('netns', 'exec', name, 'sysctl', '-qw', 'net.ipv6.conf.eth0.accept_dad=0');
      ip('-n', name, 'link', 'set', 'lo', 'up');
      ip('-n', name, 'link', 'set', 'eth0', 'up');
    }
    waitFor(() => [server, client].every((name) => read('-n', name, '-6', 'route').includes('fe80::/64 dev eth0')));
  } catch (error) {
    remove();
    throw error;
  }
  return { server, client, remove };
}

function read(...argv: string[]): string {
  return execFileSync('ip', argv, { encoding: 'utf8' });
}

function waitFor(isSo: () => boolean): void {
  for (let tries = 0; !isSo(); tries++) {
    if (tries === 100) throw new Error('the link between the namespaces does not come up');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
  }
}
