import type { SocketEnd, SocketRow } from '../ss/socket-row.ts';
import { canonicalFromBytes } from '../wire/canonical-address.ts';

/** States of include/net/tcp_states.h by number, spelled as `ss` does. */
const STATES: readonly (string | undefined)[] = [
  undefined,
  'ESTAB',
  'SYN-SENT',
  'SYN-RECV',
  'FIN-WAIT-1',
  'FIN-WAIT-2',
  'TIME-WAIT',
  'UNCONN',
  'CLOSE-WAIT',
  'LAST-ACK',
  'LISTEN',
  'CLOSING',
  'SYN-RECV',
];

const ROW =
  /^\s*\d+: ([0-9A-F]+):([0-9A-F]{4}) ([0-9A-F]+):([0-9A-F]{4}) ([0-9A-F]{2}) ([0-9A-F]{8}):([0-9A-F]{8}) \S+ \S+\s+(\d+)\s+\d+ (\d+)\b/;

/**
 * Parses /proc/net/tcp or /proc/net/tcp6 (net/ipv4/tcp_ipv4.c, get_tcp4_sock(); net/ipv6/tcp_ipv6.c): addresses are 32-bit words in
 * the byte order of the machine, taken for little-endian. The receive queue of a listener is its accept queue; its backlog, its drops and
 * whether it takes IPv4 are not told. Lines that are no socket are left out.
 */
export function parseTcpTable(text: string): SocketRow[] {
  return text.split('\n').flatMap((line) => {
    const [
      ,
      local = '',
      localPort = '',
      remote = '',
      remotePort = '',
      stateCode = '',
      send = '',
      receive = '',
      uid,
      inode,
    ] = ROW.exec(line) ?? [];
    const here = endOf(local, localPort);
    const there = endOf(remote, remotePort);
    if (here === undefined || there === undefined) return [];
    const state = STATES[Number.parseInt(stateCode, 16)];
    const number = Number(inode);
    return [
      {
        ...(state === undefined ? {} : { state }),
        family: local.length === 8 ? 4 : 6,
        receiveQueue: Number.parseInt(receive, 16),
        ...(state === 'LISTEN' ? {} : { sendQueue: Number.parseInt(send, 16) }),
        local: here,
        remote: there,
        uid: Number(uid),
        ...(number === 0 ? {} : { inode: number }),
        users: [],
      },
    ];
  });
}

function endOf(address: string, port: string): SocketEnd | undefined {
  if (address.length !== 8 && address.length !== 32) return undefined;
  const bytes = new Uint8Array(address.length / 2);
  for (let index = 0; index < bytes.length; index++) {
    // Byte `index` of the address is byte 3 - index % 4 of its word, as the word is printed.
    const at = 2 * (index - (index % 4) + 3 - (index % 4));
    bytes[index] = Number.parseInt(address.slice(at, at + 2), 16);
  }
  return { address: canonicalFromBytes(bytes).address, port: Number.parseInt(port, 16) };
}
