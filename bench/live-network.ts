import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

/** Address of the server. */
export const SERVER = '10.65.0.2';
/** A client that the server has a route to. */
const CLIENT = '10.65.0.1';
/** A client that the server has no route back to. */
export const STRANGER = '10.67.0.1';
export const PORT = 8080;

/** Two network namespaces of their own with a wire between them, and a server that accepts in one of them. */
export interface LiveNetwork {
  readonly client: string;
  readonly server: string;
  /** Link-layer address of the server. */
  readonly serverMac: string;
  /** The program that sends SYNs, or why there is none. */
  readonly generator: { readonly path: string } | { readonly missing: string };
  remove(): void;
}

/** Why the network cannot be made here; undefined when it can. */
export function networkMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  const probe = spawnSync('ip', ['netns', 'list']);
  return probe.error !== undefined || probe.status !== 0 ? 'ip netns cannot be used' : undefined;
}

/** Makes the network; it is removed when the process ends, however it ends. */
export function makeNetwork(): LiveNetwork {
  const client = `sbn-c-${process.pid}`;
  const server = `sbn-s-${process.pid}`;
  const folder = mkdtempSync(join(tmpdir(), 'synscope-bench-live-'));
  const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8' });
  let acceptor: ReturnType<typeof spawn> | undefined;
  const remove = (): void => {
    process.off('exit', remove);
    acceptor?.kill('SIGKILL');
    for (const name of [client, server]) spawnSync('ip', ['netns', 'del', name], { stdio: 'ignore' });
    rmSync(folder, { recursive: true, force: true });
  };
  process.on('exit', remove);
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => process.exit(130));
  ip('netns', 'add', client);
  ip('netns', 'add', server);
  ip('-n', client, 'link', 'add', 'c0', 'type', 'veth', 'peer', 'name', 's0', 'netns', server);
  for (const [name, device, address] of [
    [client, 'c0', `${CLIENT}/24`],
    [server, 's0', `${SERVER}/24`],
  ] as const) {
    ip('-n', name, 'addr', 'add', address, 'dev', device);
    ip('-n', name, 'link', 'set', 'lo', 'up');
    ip('-n', name, 'link', 'set', device, 'up');
  }
  ip('-n', client, 'addr', 'add', `${STRANGER}/32`, 'dev', 'c0');
  const macOf = (name: string, device: string): string =>
    /link\/ether (\S+)/.exec(ip('-n', name, 'link', 'show', device))?.[1] ?? '';
  ip('-n', server, 'neigh', 'add', CLIENT, 'lladdr', macOf(client, 'c0'), 'dev', 's0', 'nud', 'permanent');
  ip('-n', server, 'route', 'add', '10.66.0.0/16', 'via', CLIENT);
  for (const scope of ['all', 'default', 's0']) {
    execFileSync('ip', ['netns', 'exec', server, 'sysctl', '-qw', `net.ipv4.conf.${scope}.rp_filter=0`]);
  }
  acceptor = spawn('ip', ['netns', 'exec', server, process.execPath, '-e', acceptorSource()], { stdio: 'ignore' });
  return { client, server, serverMac: macOf(server, 's0'), generator: compileGenerator(folder), remove };
}

function acceptorSource(): string {
  return `require('node:net').createServer((s) => s.on('error', () => {}).resume()).listen(${PORT}, '0.0.0.0')`;
}

function compileGenerator(folder: string): LiveNetwork['generator'] {
  const source = fileURLToPath(new URL('syn-flood.c', import.meta.url));
  const path = join(folder, 'syn-flood');
  const { error, status } = spawnSync('cc', ['-O2', '-o', path, source], { stdio: ['ignore', 'ignore', 'inherit'] });
  if (error !== undefined) return { missing: 'no C compiler (cc) for the generator of SYNs' };
  return status === 0 && existsSync(path) ? { path } : { missing: 'the generator of SYNs does not compile here' };
}
