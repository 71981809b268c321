import { parseSockets } from '../formats/ss/parse-sockets.ts';
import { canonicalAddress } from '../formats/wire/canonical-address.ts';
import { HostError, type ListenerOptions } from '../host/host.ts';
import { formatHost } from '../model/flow.ts';
import type { Asker } from './ask.ts';
import type { SocketState } from './state.ts';

/** Which sockets matter beside the listeners. */
export interface SocketScope {
  readonly port?: number;
  readonly client?: string;
}

const LISTENERS: readonly string[] = ['ss', '-l', '-t', '-n', '-e', '-m'];
/** Half-open connections: a flood has hundreds of thousands, and a few thousand fill any queue. */
const MAX_SOCKETS = 20_000;

/** Listeners, half-open connections of the port, and connections with the client. Nothing that holds keys is asked for. */
export async function readSockets(ask: Asker, { port, client }: SocketScope): Promise<readonly SocketState[]> {
  const peer = client === undefined ? undefined : canonicalAddress(client)?.address;
  const [listeners = '', halfOpen = '', connections = ''] = await Promise.all([
    ask.list('listeners', LISTENERS),
    port === undefined ? '' : ask.maybe(['ss', '-t', '-n', 'state', 'syn-recv', 'sport', '=', `:${port}`]),
    peer === undefined || port === undefined
      ? ''
      : ask.maybe(['ss', '-a', '-t', '-n', '-e', 'dst', formatHost(peer), 'sport', '=', `:${port}`]),
  ]);
  const options = port === undefined ? undefined : await optionsOf(ask, port);
  return [
    ...parseSockets(listeners).filter(({ state }) => state === 'LISTEN'),
    ...parseSockets(halfOpen).map((row) => ({ ...row, state: 'SYN-RECV' })),
    ...parseSockets(connections).filter(({ state }) => state !== 'LISTEN' && state !== 'SYN-RECV'),
  ]
    .slice(0, MAX_SOCKETS)
    .map(({ users, ...row }) => {
      const own = row.inode === undefined ? undefined : options?.get(row.inode);
      return { ...row, users: users.slice(0, 4), ...(own === undefined ? {} : { options: own }) };
    });
}

async function optionsOf(ask: Asker, port: number): Promise<ReadonlyMap<number, ListenerOptions> | undefined> {
  const what = `options of the listeners on port ${port} (minimum TTL, filters, TCP-MD5)`;
  try {
    const options = await ask.host.listenerOptions?.(port);
    if (options === undefined) ask.note(what, 'only the machine itself tells them');
    return options;
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    ask.note(what, error.message);
    return undefined;
  }
}
