import {
  type DiagSocket,
  decodeDiagSocket,
  encodeDestroy,
  encodeDiagDump,
  SOCK_DESTROY,
  SOCK_DIAG_BY_FAMILY,
  TCP_STATES,
} from '../formats/netlink/inet-diag.ts';
import type { NetlinkRequest } from '../formats/netlink/message.ts';
import { decodeNeighbour, encodeNeighbour, NUD_NOARP, NUD_PERMANENT } from '../formats/netlink/neighbour.ts';
import { AF_INET, AF_INET6, dumpBody, RTM_DELNEIGH, RTM_GETNEIGH } from '../formats/netlink/rtnetlink.ts';
import {
  NETLINK_NETFILTER,
  NETLINK_ROUTE,
  NETLINK_SOCK_DIAG,
  type NetlinkSocket,
  openNetlink,
} from '../host/netlink-socket.ts';
import { bytesOf } from './frames.ts';

const NEIGHBOUR_HEAD_BYTES = 12;
/** Subsystem 1 (NFNL_SUBSYS_CTNETLINK), message 2 (IPCTNL_MSG_CT_DELETE); without attributes it is about all entries. */
const CONNTRACK_DELETE = (1 << 8) | 2;
/** Rounds in which neighbours are forgotten. */
const NEIGHBOUR_ROUNDS = 4;
const NFGENMSG_BYTES = 4;

/** Removes what packets leave behind in the namespace, so that the next one meets the same state. */
export class Residue {
  readonly routing: NetlinkSocket = openNetlink(NETLINK_ROUTE);
  readonly netfilter: NetlinkSocket = openNetlink(NETLINK_NETFILTER);
  private readonly diag: NetlinkSocket = openNetlink(NETLINK_SOCK_DIAG);
  private hasConntrack = true;

  /** TCP sockets of this namespace in certain states. */
  sockets(states: readonly number[]): readonly DiagSocket[] {
    return ([4, 6] as const).flatMap((family) =>
      this.diag
        .dump(SOCK_DIAG_BY_FAMILY, encodeDiagDump(family, states))
        .flatMap((message) => decodeDiagSocket(message) ?? []),
    );
  }

  /**
   * Ends half-open connections (and with `states` others), each by its cookie: without it the kernel would look the addresses up, find the
   * listener, and end that. A reset would not do: a rule may drop it.
   * @returns how many there were.
   */
  destroySockets(
    isWanted: (socket: DiagSocket) => boolean,
    states: readonly number[] = [TCP_STATES.synReceived],
  ): number {
    const found = this.sockets(states).filter(isWanted);
    if (found.length === 0) return 0;
    this.diag.requestAll(found.map((socket) => ({ type: SOCK_DESTROY, flags: 0, body: encodeDestroy(socket) })));
    return found.length;
  }

  /**
   * Forgets neighbours that were learnt, or that wait for an answer and so would swallow the next packet.
   * @param kept those that belong to the state, as `INDEX ADDRESS`.
   */
  forgetNeighbours(kept: ReadonlySet<string>): void {
    // What waited for one that is forgotten comes back as an ICMP error, for which the host may ask for the next neighbour.
    for (let round = 0; round < NEIGHBOUR_ROUNDS; round++) {
      const requests = this.neighboursBut(kept);
      if (requests.length === 0) return;
      this.routing.requestAll(requests);
    }
  }

  /** Requests that forget them. */
  private neighboursBut(kept: ReadonlySet<string>): NetlinkRequest[] {
    return [AF_INET, AF_INET6].flatMap((family) =>
      this.routing.dump(RTM_GETNEIGH, dumpBody(NEIGHBOUR_HEAD_BYTES, family)).flatMap((message) => {
        const neighbour = decodeNeighbour(message);
        if (neighbour === undefined || (neighbour.state & (NUD_PERMANENT | NUD_NOARP)) !== 0) return [];
        const { linkIndex, address } = neighbour;
        if (kept.has(`${linkIndex} ${address}`)) return [];
        return [{ type: RTM_DELNEIGH, flags: 0, body: encodeNeighbour({ linkIndex, address: bytesOf(address) }) }];
      }),
    );
  }

  /** Forgets tracked connections. */
  forgetConnections(): void {
    if (!this.hasConntrack) return;
    const { errno } = this.netfilter.request({
      type: CONNTRACK_DELETE,
      flags: 0,
      body: new Uint8Array(NFGENMSG_BYTES),
    });
    // A kernel without connection tracking does not know the message.
    this.hasConntrack = errno === 0 || errno === ENOENT;
  }

  close(): void {
    for (const socket of [this.routing, this.netfilter, this.diag]) socket.close();
  }
}

const ENOENT = 2;
