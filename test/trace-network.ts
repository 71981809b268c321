import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';

/** Addresses of the network: a client and a server, each behind its own port of a router. */
export const CLIENT = { 4: '10.81.1.2', 6: 'fd81:1::2' } as const;
export const SERVER = { 4: '10.81.2.2', 6: 'fd81:2::2' } as const;
const GATEWAY = { client: { 4: '10.81.1.1', 6: 'fd81:1::1' }, server: { 4: '10.81.2.1', 6: 'fd81:2::1' } } as const;
export const PORT = 8081;

/** client ── router ── server, each a network namespace, with something that listens on the server. */
export interface TraceNetwork {
  /** Names of the namespaces. */
  readonly client: string;
  readonly router: string;
  readonly server: string;
  /** Runs a command in one of them that must succeed. */
  in(namespace: string, ...argv: string[]): string;
  /** Loads rules into one of them, which may stand on one line. */
  nft(namespace: string, rules: string): void;
  /** Takes all rules of the packet filter away again. */
  flush(): void;
  remove(): Promise<void>;
}

const ACCEPTOR = `require('node:net').createServer((one) => one.on('error', () => {}).resume()).listen(${PORT}, '::', () => console.log('up'))`;

/** Makes the network; `prefix` (short) tells it from those of other tests. */
export async function makeTraceNetwork(prefix: string): Promise<TraceNetwork> {
  const [client, router, server] = ['c', 'r', 's'].map((node) => `${prefix}-${node}-${process.pid}`) as [
    string,
    string,
    string,
  ];
  const names = [client, router, server];
  let acceptor: ChildProcess | undefined;
  const within = (namespace: string, ...argv: string[]): string =>
    execFileSync('ip', ['netns', 'exec', namespace, ...argv], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  const nft = (namespace: string, rules: string): void => {
    execFileSync('ip', ['netns', 'exec', namespace, 'nft', '-f', '-'], {
      input: rules.replaceAll('}', '\n}'),
      stdio: ['pipe', 'ignore', 'pipe'],
    });
  };
  const remove = async (): Promise<void> => {
    if (acceptor !== undefined && acceptor.exitCode === null) {
      const ended = once(acceptor, 'exit');
      acceptor.kill('SIGKILL');
      await ended;
    }
    for (const name of names) spawnSync('ip', ['netns', 'del', name]);
  };
  try {
    for (const name of names) execFileSync('ip', ['netns', 'add', name]);
    link(client, 'eth0', router, 'to-client');
    link(server, 'eth0', router, 'to-server');
    for (const [namespace, device, v4, v6] of [
      [client, 'eth0', CLIENT[4], CLIENT[6]],
      [server, 'eth0', SERVER[4], SERVER[6]],
      [router, 'to-client', GATEWAY.client[4], GATEWAY.client[6]],
      [router, 'to-server', GATEWAY.server[4], GATEWAY.server[6]],
    ] as const) {
      const ip = (...argv: string[]): unknown => execFileSync('ip', ['-n', namespace, ...argv]);
      within(
        namespace,
        'sysctl',
        '-qw',
        'net.ipv4.conf.all.rp_filter=0',
        `net.ipv4.conf.${device}.rp_filter=0`,
        `net.ipv6.conf.${device}.accept_dad=0`,
      );
      ip('addr', 'add', `${v4}/24`, 'dev', device);
      ip('addr', 'add', `${v6}/64`, 'dev', device, 'nodad');
      ip('link', 'set', 'lo', 'up');
      ip('link', 'set', device, 'up');
    }
    within(router, 'sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1');
    defaultRoutes(client, 'client');
    defaultRoutes(server, 'server');
    acceptor = spawn('ip', ['netns', 'exec', server, process.execPath, '-e', ACCEPTOR], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await once(acceptor.stdout!, 'data');
  } catch (error) {
    await remove();
    throw error;
  }
  const flush = (): void => {
    for (const name of names) within(name, 'nft', 'flush', 'ruleset');
  };
  return { client, router, server, in: within, nft, flush, remove };
}

/** Gives an end of the network its routes through the router (again). */
export function defaultRoutes(namespace: string, end: 'client' | 'server'): void {
  for (const family of [4, 6] as const) {
    execFileSync('ip', [
      '-n',
      namespace,
      `-${family}`,
      'route',
      'replace',
      'default',
      'via',
      GATEWAY[end][family],
      'dev',
      'eth0',
    ]);
  }
}

function link(a: string, deviceA: string, b: string, deviceB: string): void {
  execFileSync('ip', ['-n', a, 'link', 'add', deviceA, 'type', 'veth', 'peer', 'name', deviceB, 'netns', b]);
}
