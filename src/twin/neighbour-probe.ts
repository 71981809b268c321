import { type CompleteSyn, isOnLink } from './complete-syn.ts';
import { answeredAddress, askNeighbour, linkLocalOf } from './neighbour-frames.ts';
import type { HostState } from './state.ts';
import type { Taps } from './tap.ts';
import type { World } from './world.ts';

/**
 * Whether the twin answers ARP or neighbour discovery for the address that the SYN is sent to: undefined when it does not, and perhaps nobody
 * asks, because the address is not on the link and a route may lead to the host.
 */
export function answersForItself(syn: CompleteSyn, state: HostState, taps: Taps, world: World): boolean | undefined {
  const link = world.layer3(syn.device);
  const own = state.addresses.filter(({ address }) => address === syn.destination);
  // IPv4 belongs to the host, so another interface may have the address.
  const canBeAsked = own.some(({ device }) => device === link) || (syn.family === 4 && own.length > 0);
  const isAsked = syn.isAskedFor || own.some(({ device }) => device === link) || isOnLink(syn.destination, link, state);
  const port = taps.has(syn.device)
    ? syn.device
    : state.links.find(({ name, master }) => master === syn.device && taps.has(name))?.name;
  if (!canBeAsked || port === undefined) return true;
  taps.drain();
  taps.send(port, askNeighbour(syn.destination, { mac: syn.sourceMac, address: askerAddress(syn, world, link) }));
  for (const { frame } of taps.received()) if (answeredAddress(frame) === syn.destination) return true;
  return isAsked ? false : undefined;
}

/** The client on its own link, else the router by the address that the host knew it by. */
function askerAddress(syn: CompleteSyn, world: World, link: string): string {
  if (syn.family === 6) return linkLocalOf(syn.sourceMac);
  if (!syn.isRouted) return syn.source;
  const router = world.neighboursOn(link).find(({ address, mac }) => mac === syn.sourceMac && !address.includes(':'));
  return router?.address ?? syn.source;
}
