import { NLM_F_CREATE, NLM_F_EXCL } from '../../formats/netlink/message.ts';
import { encodeRoute } from '../../formats/netlink/route.ts';
import { RTM_DELROUTE, RTM_NEWROUTE } from '../../formats/netlink/rtnetlink.ts';
import { bytesOf, icmpv6Frame, macBytes } from '../frames.ts';
import type { TwinListener } from '../listeners.ts';
import { linkLocalOf } from '../neighbour-frames.ts';
import type { SocketState } from '../state.ts';
import type { Bench } from './bench.ts';
import type { Intervention } from './intervention.ts';

const RA_LIFETIME_SECONDS = 1800;
const ALL_NODES = 'ff02::1';
const ALL_NODES_MAC = '33:33:00:00:00:01';
const ND_ROUTER_ADVERTISEMENT = 134;
/** Stands for a gateway of which only the MAC address is known. */
const NAMELESS: Readonly<Record<4 | 6, string>> = { 4: '169.254.77.77', 6: 'fe80::77:77' };
const MAX_GATEWAYS = 8;

/** What could be missing: a route back, a listener, a router's advertisement. */
export function additions(bench: Bench): Intervention[] {
  return [...routesBack(bench), ...advertisements(bench), ...listener(bench)];
}

/** Somebody who could pass packets on. */
interface Gateway {
  readonly address: string;
  readonly device: string;
  readonly isSender: boolean;
  readonly isNamed: boolean;
}

function routesBack(bench: Bench): Intervention[] {
  const { twin, original } = bench;
  const target = twin.role === 'server' || twin.role === 'router' ? original.source : original.destination;
  const targets = twin.role === 'router' ? [original.destination, target] : [target];
  return targets.flatMap((to) => gateways(bench, to).map((gateway) => routeVia(bench, to, gateway)));
}

function routeVia({ twin, complete }: Bench, to: string, gateway: Gateway): Intervention {
  const { family } = complete;
  const destination = bytesOf(to);
  const body = encodeRoute({
    family,
    destination,
    destinationLength: destination.length * 8,
    gateway: bytesOf(gateway.address),
    linkIndex: twin.links.get(gateway.device)?.index ?? 0,
    onLink: true,
    metric: 1,
  });
  const via = gateway.isNamed ? gateway.address : `the sender of the SYN (${complete.sourceMac})`;
  return {
    element: { kind: 'route', element: `${to} via ${via} dev ${gateway.device}`, change: 'added' },
    rank: 'addition',
    breadth: gateway.isSender ? 1 : 2,
    isDetour: true,
    apply: ({ routing }) => void routing.request({ type: RTM_NEWROUTE, flags: NLM_F_CREATE | NLM_F_EXCL, body }),
    revert: ({ routing }) => void routing.request({ type: RTM_DELROUTE, flags: 0, body }),
  };
}

/** Neighbours that live, the one who delivered the SYN first. */
function gateways({ twin, original, complete, device: own }: Bench, to: string): Gateway[] {
  const { neighbours } = twin.state;
  const dead = new Set(twin.deadNeighbours);
  const found = neighbours.flatMap(({ address, device, linkAddress, states }): Gateway[] => {
    const isUsable =
      linkAddress !== undefined &&
      !/^(33:33|01:00:5e|ff:ff)/.test(linkAddress) &&
      !states.some((state) => state === 'FAILED' || state === 'INCOMPLETE' || state === 'NOARP') &&
      address.includes(':') === (original.family === 6) &&
      address !== to &&
      !dead.has(`${device} ${address}`);
    if (!isUsable) return [];
    const isSender = device === own && linkAddress === complete.sourceMac;
    return [{ address, device, isSender, isNamed: true }];
  });
  found.sort((a, b) => Number(b.isSender) - Number(a.isSender) || linkLocalLast(a) - linkLocalLast(b));
  const isSenderKnown = found.some(({ isSender }) => isSender);
  if (!isSenderKnown && twin.role !== 'client') {
    found.unshift({ address: NAMELESS[original.family], device: own, isSender: true, isNamed: false });
  }
  return found.slice(0, MAX_GATEWAYS);
}

function linkLocalLast({ address }: Gateway): number {
  return address.startsWith('fe80') ? 1 : 0;
}

/** Routers announce themselves; a host that takes no announcements, or gets none, has no route. */
function advertisements({ twin, complete, device }: Bench): Intervention[] {
  const { sourceMac, family, device: port } = complete;
  if (family !== 6 || twin.role !== 'server') return [];
  const setting = `ipv6/conf/${device}/accept_ra`;
  const accepted = twin.state.sysctls[setting];
  const announce = (bench: Bench, seconds: number): void => bench.twin.send(port, advertisement(sourceMac, seconds));
  const element = `router ${sourceMac} on ${device}`;
  const found: Intervention[] = [
    {
      element: { kind: 'router-advertisement', element, change: 'added' },
      rank: 'addition',
      breadth: 3,
      isDetour: true,
      disturbs: true,
      apply: (bench) => announce(bench, RA_LIFETIME_SECONDS),
      revert: (bench) => announce(bench, 0),
    },
  ];
  if (accepted !== undefined && accepted !== '2') {
    found.push({
      element: { kind: 'router-advertisement', element, change: `added, with net.ipv6.conf.${device}.accept_ra=2` },
      rank: 'addition',
      breadth: 4,
      isDetour: true,
      disturbs: true,
      apply(bench) {
        bench.twin.writeSysctl(setting, '2');
        announce(bench, RA_LIFETIME_SECONDS);
      },
      revert(bench) {
        announce(bench, 0);
        bench.twin.writeSysctl(setting, accepted);
      },
    });
  }
  return found;
}

function advertisement(mac: string, lifetimeSeconds: number): Buffer {
  const payload = Buffer.alloc(24);
  payload[0] = ND_ROUTER_ADVERTISEMENT;
  payload[4] = 64;
  payload.writeUInt16BE(lifetimeSeconds, 6);
  payload.set([1, 1], 16);
  payload.set(macBytes(mac), 18);
  const source = linkLocalOf(mac);
  return icmpv6Frame({ sourceMac: mac, destinationMac: ALL_NODES_MAC, source, destination: ALL_NODES, payload });
}

function listener({ twin, original }: Bench): Intervention[] {
  if (twin.role !== 'server') return [];
  const { destination, destinationPort, family } = original;
  const socket: SocketState = {
    state: 'LISTEN',
    family,
    receiveQueue: 0,
    sendQueue: 128,
    local: { address: destination, port: destinationPort },
    remote: { address: family === 4 ? '0.0.0.0' : '::', port: 0 },
    ...(family === 6 ? { v6only: true } : {}),
    users: [],
    options: { reuseport: true },
  };
  let opened: TwinListener | undefined;
  const where = family === 6 ? `[${destination}]` : destination;
  return [
    {
      element: { kind: 'listener', element: `${where}:${destinationPort}`, change: 'added' },
      rank: 'addition',
      breadth: 1,
      apply(bench) {
        opened = bench.twin.listen(socket);
      },
      revert(bench) {
        if (opened !== undefined) bench.twin.close(opened);
        opened = undefined;
      },
    },
  ];
}
