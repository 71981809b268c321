import { decodeAddress } from '../../formats/netlink/address.ts';
import { decodeLink } from '../../formats/netlink/link.ts';
import type { NetlinkMessage } from '../../formats/netlink/message.ts';
import { decodeNeighbour, NUD_FAILED } from '../../formats/netlink/neighbour.ts';
import { decodeRoute, type NetlinkRoute, RTM_F_CLONED } from '../../formats/netlink/route.ts';
import {
  AF_INET,
  AF_INET6,
  dumpBody,
  RTM_DELADDR,
  RTM_DELLINK,
  RTM_DELNEIGH,
  RTM_DELROUTE,
  RTM_DELRULE,
  RTM_GETADDR,
  RTM_GETLINK,
  RTM_GETNEIGH,
  RTM_GETROUTE,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTM_NEWNEIGH,
  RTM_NEWROUTE,
  RTM_NEWRULE,
  RTNLGRP,
} from '../../formats/netlink/rtnetlink.ts';
import { decodeRule } from '../../formats/netlink/rule.ts';
import { NETLINK_ROUTE, type NetlinkSocket, openNetlink, watchNetlink } from '../../host/netlink-socket.ts';
import type { Enter } from '../../host/read-text.ts';
import type { NetworkChange } from '../../model/facts/routing.ts';
import { LocalAddresses } from './local-addresses.ts';
import { addressText, routeText, ruleText } from './network-text.ts';
import { wallNs } from './wall-clock.ts';

/** One change of the network of a namespace. */
export interface LoggedChange {
  readonly atNs: bigint;
  readonly what: NetworkChange['what'];
  /** What changed, in the words of ip(8): `default via fe80::1 dev eth0`. */
  readonly subject: string;
  /** A sentence of it: `default via fe80::1 dev eth0 deleted`. */
  readonly text: string;
}

/** A default route. */
export interface DefaultRoute {
  readonly family: 4 | 6;
  readonly text: string;
  readonly gateway?: string;
  readonly linkIndex?: number;
  /** Nanoseconds since 1970; only of routes that router advertisements made. */
  readonly expiresNs?: bigint;
}

const MAX_CHANGES = 500;
/** More routes than this are not kept one by one: what vanishes with a link is then told of default routes only. */
const MAX_ROUTES = 4000;
const USER_HZ = 100;
const MAIN_TABLE = 254;
const LOCAL_TABLE = 255;
const UNICAST_TYPES: ReadonlySet<number> = new Set([1, 6, 7, 8, 9]);

interface Known {
  readonly text: string;
  readonly route: NetlinkRoute;
  readonly seenNs: bigint;
}

/** Follows links, addresses, routes, rules and routers of one network namespace by netlink, and keeps what changed. */
export class NetworkState {
  readonly local: LocalAddresses = new LocalAddresses();
  private readonly enter: Enter;
  private readonly onChange: () => void;
  private readonly links: Map<number, { name: string; running: boolean }> = new Map();
  private routes: Map<string, Known> = new Map();
  private tooMany = false;
  private readonly failedRouters: Set<string> = new Set();
  private readonly log: LoggedChange[] = [];
  private subscription: { close(): void } | undefined;
  private refreshing: ReturnType<typeof setTimeout> | undefined;

  /** @param onChange called after what a policy or an early warning may care for has changed. */
  constructor(enter: Enter, onChange: () => void) {
    this.enter = enter;
    this.onChange = onChange;
  }

  /** Reads everything and goes on following it. @throws HostError */
  start(): void {
    this.subscription = watchNetlink(
      NETLINK_ROUTE,
      [
        RTNLGRP.link,
        RTNLGRP.neighbour,
        RTNLGRP.addressV4,
        RTNLGRP.addressV6,
        RTNLGRP.routeV4,
        RTNLGRP.routeV6,
        RTNLGRP.ruleV4,
        RTNLGRP.ruleV6,
      ],
      {
        onMessage: (message) => this.take(message),
        onLost: () => {
          this.note('other', 'changes', 'more changes of the network came at once than could be followed');
          this.refreshSoon();
        },
        onError: () => this.note('other', 'changes', 'changes of the network can no longer be followed'),
      },
      this.enter,
    );
    this.readAll();
  }

  stop(): void {
    this.subscription?.close();
    clearTimeout(this.refreshing);
  }

  /** Names of the interfaces, by index. */
  get names(): ReadonlyMap<number, string> {
    return new Map([...this.links].map(([index, { name }]) => [index, name]));
  }

  /** Indexes of the interfaces that are up and have carrier. */
  get runningDevices(): readonly number[] {
    return [...this.links].flatMap(([index, { running }]) => (running ? [index] : []));
  }

  get defaultRoutes(): readonly DefaultRoute[] {
    return [...this.routes.values()].flatMap(({ route, text, seenNs }) => {
      if (!isDefault(route)) return [];
      const hop = route.nexthops[0];
      const family = route.family === AF_INET6 ? 6 : 4;
      return [
        {
          family,
          text,
          ...(hop?.gateway === undefined ? {} : { gateway: hop.gateway }),
          ...(hop?.linkIndex === undefined ? {} : { linkIndex: hop.linkIndex }),
          ...(route.expires === undefined
            ? {}
            : { expiresNs: seenNs + BigInt(Math.round((route.expires / USER_HZ) * 1e9)) }),
        },
      ];
    });
  }

  /** Routers of default routes that do not answer at the link layer (NUD_FAILED). */
  get deadRouters(): readonly string[] {
    return this.defaultRoutes.flatMap(({ gateway, linkIndex }) =>
      gateway !== undefined && this.failedRouters.has(`${linkIndex} ${gateway}`) ? [gateway] : [],
    );
  }

  /** What changed, oldest first. */
  get changes(): readonly LoggedChange[] {
    return this.log;
  }

  /** Reads the default routes anew: the lifetime of one that is refreshed is not announced on every kernel. */
  refresh(): void {
    this.withSocket((socket) => this.readRoutes(socket));
  }

  private readAll(): void {
    this.withSocket((socket) => {
      for (const message of socket.dump(RTM_GETLINK, dumpBody(16, 0))) this.takeLink(message, false);
      this.local.clear();
      for (const message of socket.dump(RTM_GETADDR, dumpBody(8, 0))) {
        const address = decodeAddress(message);
        if (address !== undefined) this.local.add(address.address);
      }
      this.readRoutes(socket);
      for (const message of socket.dump(RTM_GETNEIGH, dumpBody(12, 0))) this.takeNeighbour(message);
    });
  }

  /** Routes that are gone without a word are told: IPv4 announces none of those that go with their link. */
  private readRoutes(socket: NetlinkSocket): void {
    const now = wallNs();
    const found = new Map<string, Known>();
    let count = 0;
    for (const family of [AF_INET, AF_INET6]) {
      for (const message of socket.dump(RTM_GETROUTE, dumpBody(12, family))) {
        const route = decodeRoute(message);
        if (route === undefined || !isOfInterest(route)) continue;
        count++;
        if (count <= MAX_ROUTES || isDefault(route)) found.set(this.keyOf(route), this.known(route, now));
      }
    }
    this.tooMany = count > MAX_ROUTES;
    for (const [key, { text }] of this.routes) {
      if (!found.has(key)) this.note('route-deleted', text, `${text} deleted`);
    }
    this.routes = found;
  }

  private withSocket(ask: (socket: NetlinkSocket) => void): void {
    const socket = openNetlink(NETLINK_ROUTE, this.enter);
    try {
      ask(socket);
    } finally {
      socket.close();
    }
  }

  private take(message: NetlinkMessage): void {
    switch (message.type) {
      case RTM_NEWLINK:
      case RTM_DELLINK:
        this.takeLink(message, true);
        return;
      case RTM_NEWADDR:
      case RTM_DELADDR: {
        const address = decodeAddress(message);
        if (address === undefined) return;
        const added = message.type === RTM_NEWADDR;
        // An address is announced again when its lifetime or state changes: only the table knows what is new.
        const subject = addressText(address, this.nameOf);
        this.refreshAddresses();
        if (!added) this.note('address-deleted', subject, `${subject} deleted`);
        else if (!this.log.some((entry) => entry.subject === subject && entry.what === 'address-added')) {
          this.note('address-added', subject, `${subject} added`);
        }
        if (!added) this.refreshSoon();
        return;
      }
      case RTM_NEWROUTE:
      case RTM_DELROUTE:
        this.takeRoute(message);
        return;
      case RTM_NEWRULE:
      case RTM_DELRULE: {
        const rule = decodeRule(message);
        if (rule === undefined) return;
        const subject = ruleText(rule);
        const added = message.type === RTM_NEWRULE;
        this.note(added ? 'rule-added' : 'rule-deleted', subject, `${subject} ${added ? 'added' : 'deleted'}`);
        return;
      }
      case RTM_NEWNEIGH:
      case RTM_DELNEIGH:
        this.takeNeighbour(message);
    }
  }

  private takeLink(message: NetlinkMessage, isNews: boolean): void {
    const link = decodeLink(message);
    if (link === undefined) return;
    const { index, name } = link;
    const before = this.links.get(index);
    if (message.type === RTM_DELLINK) {
      // A port that leaves its bridge sends one, too: of the family of bridges.
      if (message.body[0] !== 0) return;
      this.links.delete(index);
      if (isNews) this.note('link-down', name, `link ${name} removed`);
      this.refreshSoon();
      return;
    }
    const running = link.isUp && link.hasCarrier;
    this.links.set(index, { name, running });
    if (!isNews || before?.running === running) return;
    if (before === undefined) this.note('other', name, `link ${name} appeared`);
    else this.note(running ? 'link-up' : 'link-down', name, `link ${name} went ${running ? 'up' : 'down'}`);
    if (!running) this.refreshSoon();
  }

  private takeRoute(message: NetlinkMessage): void {
    const route = decodeRoute(message);
    if (route === undefined || !isOfInterest(route)) return;
    const key = this.keyOf(route);
    const known = this.routes.get(key);
    if (message.type === RTM_DELROUTE) {
      if (known === undefined && !this.tooMany) return;
      this.routes.delete(key);
      const text = routeText(route, this.nameOf);
      this.note('route-deleted', text, `${text} deleted`);
      return;
    }
    if (this.routes.size < MAX_ROUTES || isDefault(route)) this.routes.set(key, this.known(route, wallNs()));
    if (known !== undefined) return;
    const text = routeText(route, this.nameOf);
    this.note('route-added', text, `${text} added`);
  }

  private takeNeighbour(message: NetlinkMessage): void {
    const neighbour = decodeNeighbour(message);
    if (neighbour === undefined) return;
    const key = `${neighbour.linkIndex} ${neighbour.address}`;
    const failed = message.type === RTM_NEWNEIGH && (neighbour.state & NUD_FAILED) !== 0;
    if (failed === this.failedRouters.has(key)) return;
    if (!failed) this.failedRouters.delete(key);
    else if (this.defaultRoutes.some(({ gateway }) => gateway === neighbour.address)) this.failedRouters.add(key);
    else return;
    const subject = `router ${neighbour.address} dev ${this.nameOf(neighbour.linkIndex)}`;
    this.note('other', subject, failed ? `${subject} no longer answers` : `${subject} answers again`);
  }

  private refreshAddresses(): void {
    this.withSocket((socket) => {
      const addresses = socket.dump(RTM_GETADDR, dumpBody(8, 0)).flatMap((one) => decodeAddress(one)?.address ?? []);
      this.local.clear();
      for (const address of addresses) this.local.add(address);
    });
  }

  /** What goes with a link goes in a moment. */
  private refreshSoon(): void {
    if (this.tooMany) return;
    this.refreshing ??= setTimeout(() => {
      this.refreshing = undefined;
      this.refresh();
    }, 20);
  }

  private note(what: NetworkChange['what'], subject: string, text: string): void {
    this.log.push({ atNs: wallNs(), what, subject, text });
    if (this.log.length > MAX_CHANGES) this.log.shift();
    this.onChange();
  }

  private known(route: NetlinkRoute, seenNs: bigint): Known {
    return { text: routeText(route, this.nameOf), route: { ...route, attributes: [] }, seenNs };
  }

  private readonly nameOf = (index: number): string => this.links.get(index)?.name ?? `if${index}`;

  private keyOf({
    family,
    destination,
    destinationLength,
    source,
    table,
    metric,
    tos,
    nexthops,
    type,
  }: NetlinkRoute): string {
    const hops = nexthops.map(({ gateway, linkIndex }) => `${gateway ?? ''}%${linkIndex ?? ''}`).join(',');
    return `${family} ${destination ?? ''}/${destinationLength} ${source ?? ''} ${table} ${metric ?? 0} ${tos} ${type} ${hops}`;
  }
}

/** Routes that somebody made: not those of the host's own addresses, of multicast, or of a lookup. */
function isOfInterest({ family, table, type, flags, destination }: NetlinkRoute): boolean {
  if (family !== AF_INET && family !== AF_INET6) return false;
  if (table === LOCAL_TABLE || !UNICAST_TYPES.has(type) || (flags & RTM_F_CLONED) !== 0) return false;
  return !/^(ff|fe80)/i.test(destination ?? '');
}

function isDefault({ destinationLength, table, type }: NetlinkRoute): boolean {
  return destinationLength === 0 && table === MAIN_TABLE && type === 1;
}
