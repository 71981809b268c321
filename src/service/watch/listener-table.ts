import { decodeAttributes, find } from '../../formats/netlink/attributes.ts';
import { decodeDiagSocket, encodeDiagDump, SOCK_DIAG_BY_FAMILY, TCP_STATES } from '../../formats/netlink/inet-diag.ts';
import { NETLINK_SOCK_DIAG, NetlinkRefusal, type NetlinkSocket, openNetlink } from '../../host/netlink-socket.ts';
import type { Enter } from '../../host/read-text.ts';

/** A listening socket. */
export interface WatchedListener {
  /** Absent when it listens on every address. */
  readonly address?: string;
  readonly port: number;
  readonly waiting: number;
  readonly limit: number;
  readonly drops: number;
  readonly inode: number;
}

/** `struct inet_diag_msg` is so long; INET_DIAG_SKMEMINFO holds `SK_MEMINFO_DROPS` as its ninth number. */
const SOCKET_HEAD_BYTES = 72;
const INET_DIAG_SKMEMINFO = 7;
const DROPS_OFFSET = 32;
/** `idiag_ext` of `struct inet_diag_req_v2`. */
const EXTENSIONS_OFFSET = 2;
/** More listeners than this are not shown one by one. */
const MAX_LISTENERS = 5000;

/** The listeners of one namespace, asked by netlink: the kernel leaves out every other socket. */
export class ListenerTable {
  private readonly enter: Enter;
  private socket: NetlinkSocket | undefined;
  private known: readonly WatchedListener[] = [];
  private ports: ReadonlySet<number> = new Set();
  /** Ports at which somebody listened at any time of the watch. */
  private readonly everSeen: Set<number> = new Set();

  constructor(enter: Enter) {
    this.enter = enter;
  }

  get listeners(): readonly WatchedListener[] {
    return this.known;
  }

  listensOn(port: number): boolean {
    return this.ports.has(port);
  }

  wasListener(port: number): boolean {
    return this.everSeen.has(port);
  }

  /** Asks anew. @throws HostError */
  refresh(): void {
    this.socket ??= openNetlink(NETLINK_SOCK_DIAG, this.enter);
    const found: WatchedListener[] = [];
    for (const family of [4, 6] as const) {
      try {
        for (const message of this.socket.dump(SOCK_DIAG_BY_FAMILY, listenersOf(family))) {
          const socket = decodeDiagSocket(message);
          if (socket === undefined || found.length >= MAX_LISTENERS) continue;
          const { address, port } = socket.local;
          const memory = find(decodeAttributes(message.body, SOCKET_HEAD_BYTES), INET_DIAG_SKMEMINFO);
          const drops =
            memory === undefined || memory.length < DROPS_OFFSET + 4
              ? 0
              : new DataView(memory.buffer, memory.byteOffset).getUint32(DROPS_OFFSET, true);
          found.push({
            ...(address === '0.0.0.0' || address === '::' ? {} : { address }),
            port,
            waiting: socket.receiveQueue,
            limit: socket.sendQueue,
            drops,
            inode: socket.inode,
          });
        }
      } catch (error) {
        // A kernel without IPv6.
        if (!(error instanceof NetlinkRefusal)) throw error;
      }
    }
    this.known = found;
    this.ports = new Set(found.map(({ port }) => port));
    if (this.everSeen.size < 20_000) for (const port of this.ports) this.everSeen.add(port);
  }

  close(): void {
    this.socket?.close();
    this.socket = undefined;
  }
}

/** The request for the listeners of a family with their drops, and with nothing else that would only be thrown away. */
function listenersOf(family: 4 | 6): Uint8Array {
  const body = encodeDiagDump(family, [TCP_STATES.listen]);
  body[EXTENSIONS_OFFSET] = 1 << (INET_DIAG_SKMEMINFO - 1);
  return body;
}
