import { attribute, decodeAttributes, encodeAttributes } from '../../formats/netlink/attributes.ts';
import { type NetlinkMessage, NLM_F_APPEND, NLM_F_CREATE } from '../../formats/netlink/message.ts';
import { decodeRoute, type NetlinkRoute, RTM_F_CLONED, routeAgain } from '../../formats/netlink/route.ts';
import {
  AF_INET,
  AF_INET6,
  dumpBody,
  RTM_DELADDR,
  RTM_DELROUTE,
  RTM_GETADDR,
  RTM_GETROUTE,
  RTM_NEWADDR,
  RTM_NEWROUTE,
} from '../../formats/netlink/rtnetlink.ts';
import type { NetlinkSocket } from '../../host/netlink-socket.ts';

/** A route as the kernel listed it. */
export interface BookedRoute {
  readonly route: NetlinkRoute;
  /** What makes it again. */
  readonly body: Uint8Array;
}

const ADDRESS_HEAD_BYTES = 8;
/** Attributes that make an address again: address, local, label, broadcast, flags, metric. */
const ADDRESS_ATTRIBUTES: ReadonlySet<number> = new Set([1, 2, 3, 4, 8, 9]);
const PASSES = 4;

/** The routes and addresses of the network namespace of this process as they were, and how to get back there. */
export class RouteBook {
  readonly routes: readonly BookedRoute[];
  private readonly addresses: readonly NetlinkMessage[];
  private readonly socket: NetlinkSocket;

  constructor(socket: NetlinkSocket) {
    this.socket = socket;
    this.routes = this.list();
    this.addresses = this.listAddresses();
  }

  /** Takes a route away, or puts it back. True when the kernel did it. */
  set(route: BookedRoute, isThere: boolean): boolean {
    return this.socket.request(request(route.body, isThere)).errno === 0;
  }

  /** Puts addresses and routes back to what they were. */
  restore(): void {
    this.restoreAddresses();
    const wanted = new Map(this.routes.map((one) => [keyOf(one.body), one]));
    for (let pass = 0; pass < PASSES; pass++) {
      const there = new Map(this.list().map((one) => [keyOf(one.body), one]));
      const extra = [...there].filter(([key]) => !wanted.has(key)).map(([, { body }]) => body);
      // Routes with a gateway need those that lead to it.
      const missing = [...wanted]
        .filter(([key]) => !there.has(key))
        .map(([, one]) => one)
        .sort((a, b) => gateways(a) - gateways(b));
      if (extra.length === 0 && missing.length === 0) return;
      this.socket.requestAll(extra.map((body) => request(body, false)));
      this.socket.requestAll(missing.map(({ body }) => request(body, true)));
    }
  }

  private restoreAddresses(): void {
    const there = new Set(this.listAddresses().map(({ body }) => keyOf(body)));
    const wanted = new Set(this.addresses.map(({ body }) => keyOf(body)));
    for (const { body } of this.listAddresses()) {
      if (!wanted.has(keyOf(body))) this.socket.request({ type: RTM_DELADDR, flags: 0, body });
    }
    for (const { body } of this.addresses) {
      if (!there.has(keyOf(body))) this.socket.request({ type: RTM_NEWADDR, flags: NLM_F_CREATE, body });
    }
  }

  private list(): BookedRoute[] {
    return [AF_INET, AF_INET6].flatMap((family) =>
      this.socket.dump(RTM_GETROUTE, dumpBody(12, family)).flatMap((message) => {
        const route = decodeRoute(message);
        if (route === undefined || (route.flags & RTM_F_CLONED) !== 0) return [];
        return [{ route, body: routeAgain(message.body) }];
      }),
    );
  }

  /** Without the times that change by themselves. */
  private listAddresses(): NetlinkMessage[] {
    return this.socket.dump(RTM_GETADDR, dumpBody(8, 0)).map((message) => {
      const list = decodeAttributes(message.body, ADDRESS_HEAD_BYTES).filter(({ type }) =>
        ADDRESS_ATTRIBUTES.has(type),
      );
      const head = message.body.slice(0, ADDRESS_HEAD_BYTES);
      return {
        ...message,
        body: encodeAttributes(
          list.map((one) => attribute(one.type, one.value)),
          head,
        ),
      };
    });
  }
}

function request(body: Uint8Array, isThere: boolean): { type: number; flags: number; body: Uint8Array } {
  return isThere
    ? { type: RTM_NEWROUTE, flags: NLM_F_CREATE | NLM_F_APPEND, body }
    : { type: RTM_DELROUTE, flags: 0, body };
}

function gateways({ route }: BookedRoute): number {
  return route.nexthops.filter(({ gateway }) => gateway !== undefined).length;
}

function keyOf(body: Uint8Array): string {
  return Buffer.from(body.buffer, body.byteOffset, body.length).toString('latin1');
}
