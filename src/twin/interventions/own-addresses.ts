import { covers } from '../../formats/iproute/prefix.ts';
import { decodeAddress, encodeAddress, IFA_F_NODAD } from '../../formats/netlink/address.ts';
import { attribute, encodeAttributes } from '../../formats/netlink/attributes.ts';
import { NLM_F_CREATE } from '../../formats/netlink/message.ts';
import { decodeRoute } from '../../formats/netlink/route.ts';
import {
  AF_INET6,
  dumpBody,
  RTM_DELADDR,
  RTM_GETADDR,
  RTM_GETROUTE,
  RTM_NEWADDR,
} from '../../formats/netlink/rtnetlink.ts';
import type { NetlinkSocket } from '../../host/netlink-socket.ts';
import { bytesOf } from '../frames.ts';
import type { AddressState } from '../state.ts';
import type { Bench } from './bench.ts';
import type { Intervention } from './intervention.ts';

const ADDRESS_HEAD_BYTES = 8;
const ROUTE_HEAD_BYTES = 12;
const RTA_DST = 1;
const RTN_LOCAL = 2;
const RTPROT_KERNEL = 2;
const IFA_F_TENTATIVE = 0x40;
const IFA_F_DADFAILED = 0x08;
/** A work queue of the kernel makes new addresses of IPv6 usable, which takes it less than a millisecond as a rule. */
const SETTLE_MS = 100;

/** Addresses of this host: one that is the client's as well, one that is not usable, and one that it lacks. */
export function addressInterventions(bench: Bench): Intervention[] {
  return [...clientsOwn(bench), ...own(bench)];
}

/** An address of this host that is the client's, too. */
function clientsOwn({ twin: { state, links }, original }: Bench): Intervention[] {
  return state.addresses
    .filter(({ address }) => address === original.source)
    .flatMap((one): Intervention[] => {
      const linkIndex = links.get(one.device)?.index;
      if (linkIndex === undefined) return [];
      const body = bodyOf(one, linkIndex);
      return [
        {
          element: { kind: 'address', element: nameOf(one), change: 'removed' },
          rank: 'existing',
          breadth: 2,
          disturbs: true,
          apply(bench) {
            bench.routing.request({ type: RTM_DELADDR, flags: 0, body });
            // With its address a host loses the route to the prefix of it.
            for (const route of prefixRoutes(bench, one, linkIndex)) bench.routes.set(route, false);
          },
          // Routes come back because it disturbs them.
          revert: ({ routing }) => void routing.request({ type: RTM_NEWADDR, flags: NLM_F_CREATE, body }),
        },
      ];
    });
}

function prefixRoutes(
  { routes, twin }: Bench,
  { address, prefixLength, device }: AddressState,
  linkIndex: number,
): Bench['routes']['routes'] {
  const isShared = twin.state.addresses.some(
    (other) =>
      other.device === device && other.address !== address && covers(`${address}/${prefixLength}`, other.address),
  );
  if (isShared) return [];
  return routes.routes.filter(
    ({ route }) =>
      route.protocol === RTPROT_KERNEL &&
      route.destination !== undefined &&
      route.destinationLength === prefixLength &&
      covers(`${route.destination}/${prefixLength}`, address) &&
      route.nexthops.some((hop) => hop.linkIndex === linkIndex),
  );
}

/** The address that the SYN is for: it may be missing, or not (yet) usable. */
function own({ twin, original: { destination }, device }: Bench): Intervention[] {
  const on = twin.links.get(device);
  if (on === undefined || twin.role !== 'server') return [];
  const there = twin.state.addresses.find((one) => one.address === destination && one.device === device);
  const isUnusable = there?.flags.some((flag) => flag === 'tentative' || flag === 'dadfailed') === true;
  if (there !== undefined && !isUnusable) return [];
  const length = bytesOf(destination).length * 8;
  const body = bodyOf(there ?? { address: destination, prefixLength: length }, on.index);
  return [
    {
      element:
        there === undefined
          ? { kind: 'address', element: `${destination}/${length} dev ${on.name}`, change: 'added' }
          : { kind: 'address', element: nameOf(there), change: 'usable', text: there.flags.join(' ') },
      rank: there === undefined ? 'addition' : 'state',
      breadth: 2,
      disturbs: true,
      apply: ({ routing }) => void routing.request({ type: RTM_NEWADDR, flags: NLM_F_CREATE, body }),
      revert: ({ routing }) => void routing.request({ type: RTM_DELADDR, flags: 0, body }),
    },
  ];
}

/**
 * Waits until the kernel uses what addresses of IPv6 this namespace has now, that of the server among them: it enters their local routes only
 * afterwards.
 */
export function settleAddresses(routing: NetlinkSocket, destination: string): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (const endMs = performance.now() + SETTLE_MS; performance.now() < endMs; Atomics.wait(pause, 0, 0, 1)) {
    const all = routing
      .dump(RTM_GETADDR, dumpBody(ADDRESS_HEAD_BYTES, AF_INET6))
      .flatMap((message) => decodeAddress(message) ?? []);
    const isTentative = all.some(({ flags }) => (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) === IFA_F_TENTATIVE);
    const isWaiting = all.some(({ address }) => address === destination) && !isLocal(routing, destination);
    if (!isTentative && !isWaiting) return;
  }
}

/** Whether packets for an address of IPv6 are delivered here. */
function isLocal(routing: NetlinkSocket, address: string): boolean {
  const head = dumpBody(ROUTE_HEAD_BYTES, AF_INET6);
  const bytes = bytesOf(address);
  head[1] = bytes.length * 8;
  const answer = routing.ask(RTM_GETROUTE, encodeAttributes([attribute(RTA_DST, bytes)], head));
  return answer !== undefined && decodeRoute(answer)?.type === RTN_LOCAL;
}

function bodyOf(
  { address, prefixLength }: Pick<AddressState, 'address' | 'prefixLength'>,
  linkIndex: number,
): Uint8Array {
  return encodeAddress({ linkIndex, address: bytesOf(address), prefixLength, flags: IFA_F_NODAD });
}

function nameOf({ address, prefixLength, device }: AddressState): string {
  return `${address}/${prefixLength} dev ${device}`;
}
