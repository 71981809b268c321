import { parseTcpTable } from '../../formats/procfs/tcp-table.ts';
import { type Host, HostError } from '../../host/host.ts';
import { readFileIfAny } from '../../host/read-files.ts';
import type { OtherNamespace } from '../../model/facts/sockets.ts';
import { type Collector, defineCollector, hasAttempt, known } from './collector.ts';
import { runTool } from './run-tool.ts';

/** Namespaces that are looked into. */
const MAX_NAMESPACES = 64;
/** Paths in one command: a remote shell takes 128 KiB at most. */
const MAX_PATHS = 2500;
const NAMED = '/run/netns';

/** One namespace: its inode, a process in it, its name of `ip netns`. */
interface Namespace {
  readonly inode: string;
  readonly pid?: string;
  readonly name?: string;
}

/**
 * Listeners on the port in other network namespaces, looked for only when nothing in this one takes the SYN. A namespace without a process
 * has none.
 */
export const otherNamespaces: Collector = defineCollector<'otherNamespaces', readonly OtherNamespace[]>({
  provides: 'otherNamespaces',
  baseline: false,
  sides: ['server'],
  after: ['sockets'],
  async read(host, scope) {
    if (!hasAttempt(scope) || known(scope, 'sockets')?.matching.length !== 0) return [];
    const namespaces = await findNamespaces(host);
    return listenersIn(host, namespaces, scope.attempt.server.port);
  },
  fact(reading) {
    return { value: reading, source: '/proc/PID/net/tcp' };
  },
});

async function findNamespaces(host: Host): Promise<readonly Namespace[]> {
  const [names, pids] = await Promise.all([
    host.listDirectory(NAMED).catch(nothing),
    host.listDirectory('/proc').then((entries) => entries.filter((entry) => /^\d+$/.test(entry))),
  ]);
  const own = '/proc/self/ns/net';
  const named = names.slice(0, 4 * MAX_NAMESPACES).map((name) => `${NAMED}/${name}`);
  const processes = pids.slice(0, 2 * MAX_PATHS).map((pid) => `/proc/${pid}/ns/net`);
  const inodes = await inodesOf(host, [own, ...named, ...processes]);
  const seen = processes.filter((path) => inodes.has(path)).length;
  if (seen * 2 < processes.length) {
    throw new HostError('no-permission', 'the network namespaces of most processes may not be looked at', {
      hint: 'run as root',
    });
  }
  const found = new Map<string, Namespace>();
  for (const path of processes) {
    const inode = inodes.get(path);
    if (inode === undefined || inode === inodes.get(own) || found.has(inode)) continue;
    found.set(inode, { inode, pid: path.split('/')[2]! });
  }
  for (const path of named) {
    const namespace = found.get(inodes.get(path) ?? '');
    if (namespace !== undefined) found.set(namespace.inode, { ...namespace, name: path.slice(NAMED.length + 1) });
  }
  return [...found.values()].slice(0, MAX_NAMESPACES);
}

/** Inodes of what namespace files stand for; those that cannot be had are absent. */
async function inodesOf(host: Host, paths: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const parts: string[][] = [];
  for (let at = 0; at < paths.length; at += MAX_PATHS) parts.push(paths.slice(at, at + MAX_PATHS));
  const outputs = await Promise.all(parts.map((part) => runTool(host, ['stat', '-L', '-c', '%i %n', ...part])));
  const lines = outputs.flatMap(({ stdout }) => stdout.split('\n'));
  return new Map(
    lines.flatMap((line) => {
      const match = /^(\d+) (.+)$/.exec(line);
      return match === null ? [] : [[match[2]!, match[1]!] as const];
    }),
  );
}

async function listenersIn(host: Host, namespaces: readonly Namespace[], port: number): Promise<OtherNamespace[]> {
  if (namespaces.length === 0) return [];
  const hexadecimal = port.toString(16).toUpperCase().padStart(4, '0');
  const files = namespaces.flatMap(({ pid }) => [`/proc/${pid}/net/tcp`, `/proc/${pid}/net/tcp6`]);
  // State 0A is LISTEN. One command for all, and only the lines that count.
  const pattern = `: [0-9A-F]*:${hexadecimal} [0-9A-F]*:0000 0A `;
  const { stdout } = await runTool(host, ['grep', '-a', '-s', '-H', pattern, ...files]);
  const hits = namespaces.map((namespace) => {
    const prefix = `/proc/${namespace.pid}/net/tcp`;
    const lines = stdout.split('\n').filter((line) => line.startsWith(`${prefix}:`) || line.startsWith(`${prefix}6:`));
    const rows = parseTcpTable(lines.map((line) => line.slice(line.indexOf(':') + 1)).join('\n'));
    return { namespace, listeners: rows.filter(({ local }) => local.port === port).map(({ local }) => local) };
  });
  return Promise.all(
    hits
      .filter(({ listeners }) => listeners.length > 0)
      .map(async ({ namespace, listeners }) => ({ name: await nameOf(host, namespace), listeners })),
  );
}

async function nameOf(host: Host, { pid, name }: Namespace): Promise<string> {
  if (name !== undefined) return name;
  const comm = (await readFileIfAny(host, `/proc/${pid}/comm`))?.trim();
  return comm === undefined || comm === '' ? `pid ${pid}` : `pid ${pid} (${comm})`;
}

function nothing(error: unknown): readonly string[] {
  if (error instanceof HostError) return [];
  throw error;
}
