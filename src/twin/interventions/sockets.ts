import type { TwinListener } from '../listeners.ts';
import type { SocketState } from '../state.ts';
import type { Bench } from './bench.ts';
import type { Intervention, Rank } from './intervention.ts';

const ANY: Readonly<Record<4 | 6, string>> = { 4: '0.0.0.0', 6: '::' };
const LARGE_BACKLOG = 4096;

/** Properties of the listeners of the port, their queues, and what is left of an old connection. */
export function socketInterventions(bench: Bench): Intervention[] {
  const { twin, original } = bench;
  const port = original.destinationPort;
  const all = twin.listeners.filter(({ socket }) => socket.local.port === port);
  const found = all.flatMap((listener) => ofListener(bench, listener, all.length));
  if (twin.halfOpen > 0) {
    found.push(
      state('syn-queue', `port ${port}`, `${twin.halfOpen} half-open connections dropped`, {
        apply: ({ twin }) => twin.dropHalfOpen(port),
        revert: ({ twin }) => twin.restoreHalfOpen(),
      }),
    );
  }
  if (twin.staleConnection !== undefined) {
    const { source, sourcePort } = original;
    found.push(
      state('old-connection', `${source} port ${sourcePort} (${twin.staleConnection})`, 'gone', {
        apply: ({ twin }) => twin.dropStaleConnection(),
        revert: ({ twin }) => twin.restoreStaleConnection(),
      }),
    );
  }
  return found;
}

function ofListener(bench: Bench, { socket }: TwinListener, count: number): Intervention[] {
  const { family } = bench.original;
  const { options = {} } = socket;
  const name = nameOf(socket);
  const port = socket.local.port;
  const found: Intervention[] = [];
  const change = (words: string, changed: SocketState, breadth = 1, rank: Rank = 'existing'): void => {
    found.push({
      element: { kind: 'listener', element: name, change: words },
      rank,
      breadth,
      apply: ({ twin }) => twin.replaceListener(socket, changed),
      revert: ({ twin }) => twin.restoreListeners(port),
    });
  };
  if (socket.receiveQueue > 0) {
    const length = `${socket.receiveQueue} of ${socket.sendQueue ?? '?'}`;
    found.push(
      state('accept-queue', name, `emptied (it holds ${length})`, {
        apply({ twin }) {
          const listener = twin.listeners.find((one) => one.socket === socket);
          if (listener !== undefined) twin.emptyAcceptQueue(listener);
        },
        revert: ({ twin }) => twin.restoreListeners(port),
      }),
    );
    change(`backlog ${LARGE_BACKLOG}`, { ...socket, sendQueue: LARGE_BACKLOG }, 2, 'state');
  }
  const { device: _, ...unbound } = socket;
  if (socket.device !== undefined) change('not bound to a device', unbound);
  if (options.filter !== undefined) change('without socket filter', { ...socket, options: without(options, 'filter') });
  if (options.md5Peers !== undefined && options.md5Peers.length > 0) {
    change('without TCP-MD5', { ...socket, options: without(options, 'md5Peers') });
  }
  if ((options.minTtl ?? 0) > 0) change('without minimum TTL', { ...socket, options: without(options, 'minTtl') });
  if (socket.v6only === true && family === 4 && socket.family === 6)
    change('takes IPv4 too', { ...socket, v6only: false });
  if (socket.local.address !== ANY[socket.family]) {
    change('any address', { ...socket, local: { address: ANY[socket.family], port } }, 2);
    if (socket.device !== undefined) {
      change('any address and device', { ...unbound, local: { address: ANY[socket.family], port } }, 3);
    }
  }
  if (count > 1) {
    found.push({
      element: { kind: 'listener', element: name, change: 'closed' },
      rank: 'existing',
      breadth: 2,
      apply({ twin }) {
        const listener = twin.listeners.find((one) => one.socket === socket);
        if (listener !== undefined) twin.close(listener);
      },
      revert: ({ twin }) => twin.restoreListeners(port),
    });
  }
  return found;
}

function without<T extends object, K extends keyof T>(object: T, key: K): Omit<T, K> {
  const { [key]: _, ...rest } = object;
  return rest;
}

function state(
  kind: string,
  element: string,
  change: string,
  act: Pick<Intervention, 'apply' | 'revert'>,
): Intervention {
  return { element: { kind, element, change }, rank: 'state', breadth: 1, ...act };
}

/** `0.0.0.0:443 (nginx 812)`. */
function nameOf({ local, device, users, family }: SocketState): string {
  const address = family === 6 ? `[${local.address}]` : local.address;
  const [user] = users;
  const who = user === undefined ? '' : ` (${user.name} ${user.pid})`;
  return `${address}${device === undefined ? '' : `%${device}`}:${local.port}${who}`;
}
