import type { Listener, SocketTable } from '../../model/facts/sockets.ts';

/** The SYN that looks for a listener, as the kernel sees it. */
export interface WantedListener {
  readonly family: 4 | 6;
  readonly address: string;
  readonly port: number;
  /** Interface through which it came in; absent when that is not known. */
  readonly device?: string;
  /** The VRF that this interface belongs to. */
  readonly vrf?: string;
  /** net.ipv4.tcp_l3mdev_accept: a listener without a device takes what comes in through a VRF. */
  readonly l3mdevAccept: boolean;
}

/**
 * Finds the listeners that take a SYN, by the rule of the kernel (`inet_lookup_listener()`, `inet6_lookup_listener()`): those bound to
 * the very address come before those bound to none; among them, IPv4 listeners take an IPv4 SYN before IPv6 ones do. Several that are
 * left can only be there by SO_REUSEPORT: a group that shares the SYNs, or listeners with and without a device, of which the
 * kernel takes the one that it meets first (Linux 6.18). A listener that only another one keeps from the SYN is in neither list.
 */
export function matchListeners(
  listeners: readonly Listener[],
  wanted: WantedListener,
): Pick<SocketTable, 'matching' | 'mismatched'> {
  const onPort = listeners.filter(({ port }) => port === wanted.port);
  // Nothing came and no address was named: any listener on the port will do.
  if (isWildcard(wanted)) return { matching: onPort, mismatched: [] };
  const judged = onPort.map((listener) => ({ listener, why: mismatch(listener, wanted) }));
  const takers = judged.flatMap(({ listener, why }) => (why === undefined ? [listener] : []));
  const best = takers.reduce((highest, listener) => Math.max(highest, scoreOf(listener, wanted)), 0);
  return {
    matching: takers.filter((listener) => scoreOf(listener, wanted) === best),
    mismatched: judged.flatMap(({ listener, why }) => (why === undefined ? [] : [{ listener, why }])),
  };
}

/** Why a listener on the right port does not take the SYN. */
function mismatch(listener: Listener, wanted: WantedListener): 'address' | 'family' | 'device' | undefined {
  if (!takesFamily(listener, wanted.family)) return 'family';
  if (!isWildcard(listener) && listener.address !== wanted.address) return 'address';
  return takesDevice(listener, wanted) ? undefined : 'device';
}

function takesFamily(listener: Listener, family: 4 | 6): boolean {
  if (family === 6) return listener.family === 6 && !isIpv4(listener.address);
  return listener.family === 4 || isIpv4(listener.address) || (isWildcard(listener) && !listener.v6only);
}

/** `inet_sk_bound_dev_eq()`. Where the interface is not known, nothing is held against a listener. */
function takesDevice({ device }: Listener, { device: came, vrf, l3mdevAccept }: WantedListener): boolean {
  if (device === undefined) return vrf === undefined || l3mdevAccept;
  return came === undefined || device === came || device === vrf;
}

/** The order of the kernel's two look-ups, and of the listeners within one. */
function scoreOf(listener: Listener, { family }: WantedListener): number {
  return 1 + (isWildcard(listener) ? 0 : 2) + (listener.family === family ? 1 : 0);
}

function isWildcard({ address }: { readonly address: string }): boolean {
  return address === '0.0.0.0' || address === '::';
}

function isIpv4(address: string): boolean {
  return !address.includes(':');
}
