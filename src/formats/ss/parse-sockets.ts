import { canonicalAddress } from '../wire/canonical-address.ts';
import type { SocketEnd, SocketRow, SocketUser } from './socket-row.ts';

/**
 * Parses what `ss -t` prints of TCP sockets, with or without `-e`, `-m`, `-p`, `-a`, `-l`, `-H`, `-O` (iproute2, misc/ss.c).
 *
 * What differs between versions: before 4.17, `*` is the IPv4 wildcard and IPv6 addresses have no brackets; since then `*` is the IPv6
 * wildcard that takes IPv4 too. With `-e` an IPv6 socket is told by its `v6only:`; without, by the style of the whole output. Details
 * may follow on a line of their own that begins with a tab. The state is left out when sockets of only one state are asked for.
 * Lines that are no socket are left out.
 */
export function parseSockets(text: string): SocketRow[] {
  const modern = /(^|\s)(0\.0\.0\.0|\[[0-9a-f:.]*\])(%\S+)?:(\d+|\*)\s/m.test(text);
  return joinContinued(text).flatMap((line) => {
    const row = parseRow(line, modern);
    return row === undefined ? [] : [row];
  });
}

function joinContinued(text: string): string[] {
  const lines: string[] = [];
  for (const line of text.split('\n')) {
    if (/^\s/.test(line) && lines.length > 0) lines[lines.length - 1] += line;
    else lines.push(line);
  }
  return lines;
}

const ROW = /^(?:tcp\s+)?(?:([A-Z][A-Z0-9-]+)\s+)?(\d{1,10})\s+(\d{1,10})\s+(\S+)\s+(\S+)(?:\s+(.*))?$/;

function parseRow(line: string, modern: boolean): SocketRow | undefined {
  const [, state, receiveQueue, sendQueue, local = '', remote = '', details = ''] = ROW.exec(line) ?? [];
  const here = parseEnd(local);
  const there = parseEnd(remote);
  if (here === undefined || there === undefined) return undefined;
  const v6only = /(?:^| )v6only:([01])\b/.exec(details)?.[1];
  const wildcardIsIpv6 = v6only !== undefined || modern;
  const family = here.family ?? (wildcardIsIpv6 ? 6 : 4);
  const wildcard = family === 4 ? '0.0.0.0' : '::';
  // Since 4.17 the spelling of the wildcard alone says whether it takes IPv4 too.
  const onlyV6 = v6only === undefined ? modern && here.address === '::' && family === 6 : v6only === '1';
  const memory = /(?:^| )(?:sk)?mem:\(/.test(details);
  return {
    ...(state === undefined ? {} : { state }),
    family,
    receiveQueue: Number(receiveQueue),
    // Where the kernel cannot be asked by netlink, ss reads /proc/net/tcp, and then shows 0 for the backlog of every listener.
    ...(state === 'LISTEN' && !memory ? {} : { sendQueue: Number(sendQueue) }),
    local: endOf(here, wildcard),
    ...(here.device === undefined ? {} : { device: here.device }),
    remote: endOf(there, wildcard),
    ...(family === 6 ? { v6only: onlyV6 } : {}),
    ...parseDetails(details),
    users: parseUsers(details),
  };
}

interface End {
  readonly family?: 4 | 6;
  /** Absent for `*`. */
  readonly address?: string;
  readonly device?: string;
  readonly port: number;
}

/** `0.0.0.0:80`, `*:80`, `*%eth0:80`, `[::1]:80`, `::1:80`, `[fe80::1]%eth0:80`, `192.0.2.1:*`. */
function parseEnd(text: string): End | undefined {
  const [, before = '', portText = ''] = /^(.+):(\d{1,5}|\*)$/.exec(text) ?? [];
  if (before === '') return undefined;
  const port = portText === '*' ? 0 : Number(portText);
  const percent = before.indexOf('%');
  const device = percent === -1 ? undefined : before.slice(percent + 1);
  const bare = (percent === -1 ? before : before.slice(0, percent)).replace(/^\[(.*)\]$/, '$1');
  const scope = device === undefined ? {} : { device };
  if (bare === '*') return { port, ...scope };
  const canonical = canonicalAddress(bare);
  if (canonical === undefined) return undefined;
  const family = canonical.mapped || canonical.address.includes(':') ? 6 : 4;
  return { family, address: canonical.address, port, ...scope };
}

function endOf({ address, port }: End, wildcard: string): SocketEnd {
  return { address: address ?? wildcard, port };
}

function parseDetails(details: string): Partial<SocketRow> {
  const number = (pattern: RegExp): number | undefined => {
    const found = pattern.exec(details)?.[1];
    return found === undefined ? undefined : Number(found);
  };
  const inode = number(/(?:^| )ino:(\d+)/);
  // ss says nothing of user 0.
  const uid = number(/(?:^| )uid:(\d+)/) ?? (inode === undefined ? undefined : 0);
  const mark = number(/(?:^| )fwmark:(0x[0-9a-f]+)/);
  const drops = number(/skmem:\([^)]*,d(\d+)\)/);
  const cgroup = /(?:^| )cgroup:(\/\S*)/.exec(details)?.[1];
  return {
    ...(uid === undefined ? {} : { uid }),
    ...(inode === undefined || inode === 0 ? {} : { inode }),
    ...(mark === undefined ? {} : { mark }),
    ...(cgroup === undefined ? {} : { cgroup }),
    ...(drops === undefined ? {} : { drops }),
  };
}

/** `users:(("nginx",pid=811,fd=6),("nginx",pid=812,fd=6))`; before 3.17 `users:(("nginx",811,6))`. A process is named once. */
function parseUsers(details: string): SocketUser[] {
  const users = new Map<number, SocketUser>();
  const list = /(?:^| )users:\((.*)/.exec(details)?.[1] ?? '';
  for (const [, name = '', pid] of list.matchAll(/\("(.{0,64}?)",(?:pid=)?(\d{1,10}),(?:fd=)?\d+\)/g)) {
    if (!users.has(Number(pid))) users.set(Number(pid), { name, pid: Number(pid) });
  }
  return [...users.values()];
}
