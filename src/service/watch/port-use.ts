import { readFileSync } from 'node:fs';
import { decodeDiagSocket, encodeDiagDump, SOCK_DIAG_BY_FAMILY, TCP_STATES } from '../../formats/netlink/inet-diag.ts';
import { HostError } from '../../host/host.ts';
import { NETLINK_SOCK_DIAG, NetlinkRefusal, openNetlink } from '../../host/netlink-socket.ts';
import type { Enter } from '../../host/read-text.ts';
import { isSystemError } from '../../host/system-error.ts';
import { formatEndpoint } from '../../model/flow.ts';

/** The server towards which most ephemeral ports are taken. */
export interface PortUse {
  readonly server: string;
  readonly used: number;
  readonly range: number;
}

/** Sockets that hold a port of their own towards a server. */
const STATES: readonly number[] = [
  TCP_STATES.established,
  TCP_STATES.synSent,
  TCP_STATES.finWait1,
  TCP_STATES.finWait2,
  TCP_STATES.timeWait,
  TCP_STATES.closeWait,
  TCP_STATES.lastAck,
  TCP_STATES.closing,
];
/** `idiag_ext` of `struct inet_diag_req_v2`. */
const EXTENSIONS_OFFSET = 2;
/** Sockets may have changed their peers without their number changing much. */
const COUNT_ANEW_MS = 1_800_000;
/** A danger that holds is looked at this often. */
const DANGER_MS = 60_000;

/**
 * How many ephemeral ports of a namespace are taken towards one server. Counting them walks every socket, so it is done only when there
 * are enough sockets at all, and enough more since the last time for it to matter.
 */
export class PortUseWatch {
  private readonly enter: Enter;
  private countedMs = 0;
  /** With fewer sockets than this no server can be near its limit. */
  private safeBelow = 0;
  private latest: PortUse | undefined;

  constructor(enter: Enter) {
    this.enter = enter;
  }

  /** @returns the server with the most, when it is at `share` of the ports or above. */
  look(share: number, listensOn: (port: number) => boolean): PortUse | undefined {
    const found = this.enter(() => ({
      sockets: textOf('/proc/thread-self/net/sockstat'),
      range: textOf('/proc/sys/net/ipv4/ip_local_port_range'),
    }));
    const [, inUse, waiting] = /^TCP: inuse (\d+) orphan \d+ tw (\d+)/m.exec(found.sockets) ?? [];
    const [first, last] = found.range.trim().split(/\s+/).map(Number);
    if (inUse === undefined || waiting === undefined || first === undefined || last === undefined) return undefined;
    const range = last - first + 1;
    const total = Number(inUse) + Number(waiting);
    const limit = share * range;
    const now = Date.now();
    if (total < limit) {
      this.latest = undefined;
      return undefined;
    }
    const isDue =
      now - this.countedMs > COUNT_ANEW_MS ||
      (this.latest === undefined ? total >= this.safeBelow : now - this.countedMs > DANGER_MS);
    if (!isDue) return this.latest;
    this.countedMs = now;
    const most = this.count(first, last, listensOn);
    this.safeBelow = total + Math.max(1, limit - (most?.used ?? 0));
    this.latest = most !== undefined && most.used >= limit ? { ...most, range } : undefined;
    return this.latest;
  }

  private count(
    first: number,
    last: number,
    listensOn: (port: number) => boolean,
  ): { readonly server: string; readonly used: number } | undefined {
    const counts = new Map<string, number>();
    try {
      const socket = openNetlink(NETLINK_SOCK_DIAG, this.enter);
      try {
        for (const family of [4, 6] as const) {
          for (const message of socket.dump(SOCK_DIAG_BY_FAMILY, bareSockets(family))) {
            const one = decodeDiagSocket(message);
            if (one === undefined || one.local.port < first || one.local.port > last || listensOn(one.local.port))
              continue;
            const server = formatEndpoint(one.remote);
            counts.set(server, (counts.get(server) ?? 0) + 1);
          }
        }
      } finally {
        socket.close();
      }
    } catch (error) {
      if (!(error instanceof HostError) && !(error instanceof NetlinkRefusal)) throw error;
    }
    let most: { server: string; used: number } | undefined;
    for (const [server, used] of counts) if (used > (most?.used ?? 0)) most = { server, used };
    return most;
  }
}

/** The request for the sockets of a family without what is only known of each at some length: there may be a hundred thousand. */
function bareSockets(family: 4 | 6): Uint8Array {
  const body = encodeDiagDump(family, STATES);
  body[EXTENSIONS_OFFSET] = 0;
  return body;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (isSystemError(error)) return '';
    throw error;
  }
}
