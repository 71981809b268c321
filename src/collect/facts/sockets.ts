import type { SocketRow } from '../../formats/ss/socket-row.ts';
import type { Attempt } from '../../model/facts/attempt.ts';
import type { Connection, Listener, SocketOwner, SocketTable } from '../../model/facts/sockets.ts';
import { type AttemptScope, type Collector, defineCollector, hasAttempt, known } from './collector.ts';
import { growthOf } from './counter-growth.ts';
import { matchListeners } from './listener-match.ts';
import { readSockets, type Sockets } from './read-sockets.ts';
import { bareOwner, readOwners } from './socket-owners.ts';

/** Connections of the attempt's addresses that are kept. */
const CONNECTIONS = 64;

interface Reading extends Sockets {
  /** What is known of processes, by id. */
  readonly owners: ReadonlyMap<number, SocketOwner>;
}

/** Listeners of the network namespace, and the sockets of the attempt. */
export const sockets: Collector = defineCollector<'sockets', Reading>({
  provides: 'sockets',
  baseline: true,
  after: ['sysctls', 'links'],
  async read(host, scope) {
    const read = await readSockets(host, hasAttempt(scope) ? scope.attempt : undefined);
    if (!hasAttempt(scope)) return { ...read, owners: new Map() };
    const onPort = read.listeners.filter(({ local }) => local.port === scope.attempt.server.port);
    const exact = read.connections.filter((row) => isExact(row, scope.attempt));
    return {
      ...read,
      owners: await readOwners(
        host,
        [...onPort, ...exact].flatMap(({ users }) => users),
      ),
    };
  },
  fact(reading, before, scope) {
    const { attempt } = scope;
    const somaxconn = Number(known(scope, 'sysctls')?.['net.core.somaxconn'] ?? 4096);
    const listeners = reading.listeners.map((row) => listenerOf(row, reading, before, somaxconn));
    const connections = reading.connections
      .filter((row) => concerns(row, attempt))
      .map((row) => connectionOf(row, reading));
    const exact = connections.find((connection) => isExact(connection, attempt));
    const value: SocketTable = {
      listeners,
      ...(takesSyn(attempt) ? matchListeners(listeners, wantedBy(scope)) : { matching: [], mismatched: [] }),
      connections: [...(exact === undefined ? [] : [exact]), ...connections.filter((one) => one !== exact)].slice(
        0,
        CONNECTIONS,
      ),
      ...(exact === undefined ? {} : { exact }),
      synReceived: reading.synReceived.length,
      ...(attempt.side === 'client' ? { portsInUse: portsInUse(reading.connections, attempt) } : {}),
    };
    return { value, source: reading.source };
  },
});

/** Whether the SYN of the attempt looks for a listener on this host. */
function takesSyn({ side, client, server }: Attempt): boolean {
  return side === 'server' || client.address === server.address || /^(127\.|::1$)/.test(server.address);
}

function wantedBy(scope: AttemptScope): Parameters<typeof matchListeners>[1] {
  const { attempt } = scope;
  const device = attempt.inDevice;
  const link = known(scope, 'links')?.find(({ name }) => name === device);
  return {
    family: attempt.family,
    ...attempt.server,
    ...(device === undefined ? {} : { device }),
    ...(link?.vrf === undefined ? {} : { vrf: link.vrf }),
    l3mdevAccept: known(scope, 'sysctls')?.['net.ipv4.tcp_l3mdev_accept'] === '1',
  };
}

function listenerOf(row: SocketRow, reading: Reading, before: Reading | undefined, somaxconn: number): Listener {
  const earlier = before?.listeners.find((other) => isSame(row, other));
  const dropsDelta =
    row.drops === undefined || earlier?.drops === undefined ? undefined : growthOf(earlier.drops, row.drops);
  return {
    address: row.local.address,
    port: row.local.port,
    family: row.family,
    v6only: row.v6only ?? false,
    ...pick(row, ['device', 'uid', 'inode', 'mark', 'cgroup', 'drops']),
    acceptQueue: row.receiveQueue,
    ...(row.sendQueue === undefined ? { backlog: somaxconn, backlogUnknown: true } : { backlog: row.sendQueue }),
    ...(dropsDelta === undefined ? {} : { dropsDelta }),
    ...(before !== undefined && earlier === undefined ? { appeared: true } : {}),
    owners: ownersOf(row, reading),
  };
}

/** The same socket: by its inode, which the kernel gives to no other while it lives. */
function isSame(row: SocketRow, other: SocketRow): boolean {
  if (row.inode !== undefined && other.inode !== undefined) return row.inode === other.inode;
  return (
    row.local.address === other.local.address &&
    row.local.port === other.local.port &&
    row.family === other.family &&
    row.device === other.device
  );
}

function connectionOf(row: SocketRow, reading: Reading): Connection {
  return {
    state: row.state ?? 'UNKNOWN',
    local: row.local,
    remote: row.remote,
    receiveQueue: row.receiveQueue,
    sendQueue: row.sendQueue ?? 0,
    owners: ownersOf(row, reading),
  };
}

function ownersOf({ users }: SocketRow, { owners }: Reading): SocketOwner[] {
  return users.map((user) => owners.get(user.pid) ?? bareOwner(user));
}

function isExact({ local, remote }: Pick<SocketRow, 'local' | 'remote'>, { side, client, server }: Attempt): boolean {
  const [here, peer] = side === 'server' ? [server, client] : [client, server];
  return (
    local.address === here.address &&
    local.port === here.port &&
    remote.address === peer.address &&
    remote.port === peer.port
  );
}

/** Between the two addresses, or with exactly the two ports. */
function concerns({ local, remote }: SocketRow, { side, client, server }: Attempt): boolean {
  const [here, peer] = side === 'server' ? [server, client] : [client, server];
  const addresses = local.address === here.address && remote.address === peer.address;
  return addresses || (local.port === here.port && remote.port === peer.port);
}

/** Local ports that are taken towards the address and port of the server; TIME-WAIT keeps one too. */
function portsInUse(rows: readonly SocketRow[], { server }: Attempt): number {
  const towards = rows.filter(({ remote }) => remote.address === server.address && remote.port === server.port);
  return new Set(towards.map(({ local }) => local.port)).size;
}

function pick<Row, Key extends keyof Row>(row: Row, keys: readonly Key[]): { [K in Key]?: NonNullable<Row[K]> } {
  return Object.fromEntries(keys.flatMap((key) => (row[key] === undefined ? [] : [[key, row[key]]]))) as {
    [K in Key]?: NonNullable<Row[K]>;
  };
}
