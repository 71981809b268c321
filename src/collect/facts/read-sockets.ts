import { parseTcpTable } from '../../formats/procfs/tcp-table.ts';
import { parseSockets } from '../../formats/ss/parse-sockets.ts';
import type { SocketRow } from '../../formats/ss/socket-row.ts';
import { type Host, HostError } from '../../host/host.ts';
import { readFileIfAny } from '../../host/read-files.ts';
import type { Attempt } from '../../model/facts/attempt.ts';
import { formatHost } from '../../model/flow.ts';

/** Sockets of a host around one attempt. */
export interface Sockets {
  readonly listeners: readonly SocketRow[];
  /** Sockets between the two addresses of the attempt, and any with exactly its ports. */
  readonly connections: readonly SocketRow[];
  /** Half-open connections of the port; none on the client. */
  readonly synReceived: readonly SocketRow[];
  /** Where they were read. */
  readonly source: string;
}

/** Reads the listeners, and with an attempt what `ss` says of it; /proc/net/tcp where `ss` is missing or fails. @throws HostError */
export async function readSockets(host: Host, attempt: Attempt | undefined): Promise<Sockets> {
  const [listeners, connections, synReceived] = await Promise.all([
    // -p looks at the files of every process: only when the answer is wanted.
    runSs(host, ['-l', '-t', '-n', '-e', '-m', ...(attempt === undefined ? [] : ['-p'])]),
    attempt === undefined ? [] : runSs(host, ['-a', '-t', '-n', '-e', '-p', ...connectionFilter(attempt)]),
    attempt?.side === 'server'
      ? runSs(host, ['-t', '-n', 'state', 'syn-recv', 'sport', '=', `:${attempt.server.port}`])
      : [],
  ]);
  if (listeners === undefined) return readTables(host, attempt);
  return {
    listeners: listeners.filter(({ state }) => state === 'LISTEN'),
    connections: (connections ?? []).filter(({ state }) => state !== 'LISTEN'),
    synReceived: synReceived ?? [],
    source: 'ss',
  };
}

/** `dst PEER or ( sport = :X and dport = :Y )`, as arguments. */
function connectionFilter({ side, client, server }: Attempt): string[] {
  const [local, peer] = side === 'server' ? [server, client] : [client, server];
  const exact = ['(', 'sport', '=', `:${local.port}`, 'and', 'dport', '=', `:${peer.port}`, ')'];
  if (isUnspecified(peer.address)) return exact;
  return ['dst', formatHost(peer.address), ...(local.port === 0 || peer.port === 0 ? [] : ['or', ...exact])];
}

function isUnspecified(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}

/** Undefined when there is no `ss`, or it does not know what it is asked. */
async function runSs(host: Host, argv: readonly string[]): Promise<readonly SocketRow[] | undefined> {
  try {
    const { exitCode, stdout } = await host.run(['ss', ...argv]);
    return exitCode === 0 ? parseSockets(stdout) : undefined;
  } catch (error) {
    if (error instanceof HostError && error.code !== 'unreachable') return undefined;
    throw error;
  }
}

/** The kernel's own tables: they tell neither backlog nor drops nor processes, and list every connection of the host. */
async function readTables(host: Host, attempt: Attempt | undefined): Promise<Sockets> {
  const [v4, v6] = await Promise.all([readFileIfAny(host, '/proc/net/tcp'), readFileIfAny(host, '/proc/net/tcp6')]);
  if (v4 === undefined && v6 === undefined) {
    throw new HostError('not-found', 'the sockets cannot be read, neither by ss nor from /proc/net/tcp', {
      hint: 'install iproute2',
    });
  }
  const rows = [...parseTcpTable(v4 ?? ''), ...parseTcpTable(v6 ?? '')];
  const others = attempt === undefined ? [] : rows.filter(({ state }) => state !== 'LISTEN');
  const synReceived =
    attempt?.side === 'server'
      ? others.filter(({ state, local }) => state === 'SYN-RECV' && local.port === attempt.server.port)
      : [];
  return {
    listeners: rows.filter(({ state }) => state === 'LISTEN'),
    connections: attempt === undefined ? [] : others.filter((row) => concerns(row, attempt)),
    synReceived,
    source: '/proc/net/tcp',
  };
}

function concerns({ local, remote }: SocketRow, { side, client, server }: Attempt): boolean {
  const [here, peer] = side === 'server' ? [server, client] : [client, server];
  return remote.address === peer.address || (local.port === here.port && remote.port === peer.port);
}
