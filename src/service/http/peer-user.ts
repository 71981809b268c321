import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { parseTcpTable } from '../../formats/procfs/tcp-table.ts';
import { canonicalAddress } from '../../formats/wire/canonical-address.ts';

const known: WeakMap<Socket, number | undefined> = new WeakMap();

/**
 * Whose process is at the other end of a connection over loopback, by the kernel's table of sockets. Through a proxy or an ssh tunnel it
 * is the user of that. Costs a look at all sockets, once per connection.
 * @returns undefined when it cannot be told
 */
export function peerUser(socket: Socket): number | undefined {
  if (known.has(socket)) return known.get(socket);
  const user = lookUp(socket);
  known.set(socket, user);
  return user;
}

function lookUp({ remoteAddress, remotePort, localAddress, localPort }: Socket): number | undefined {
  if (remoteAddress === undefined || localAddress === undefined) return undefined;
  const peer = canonicalAddress(remoteAddress)?.address;
  const here = canonicalAddress(localAddress)?.address;
  for (const table of ['tcp', 'tcp6']) {
    try {
      const row = parseTcpTable(readFileSync(`/proc/self/net/${table}`, 'utf8')).find(
        ({ state, local, remote }) =>
          state === 'ESTAB' &&
          local.port === remotePort &&
          remote.port === localPort &&
          local.address === peer &&
          remote.address === here,
      );
      if (row !== undefined) return row.uid;
    } catch {
      // Without the table nobody is known.
    }
  }
  return undefined;
}
