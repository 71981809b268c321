import type { Attempt, NeighbourActivity } from '../model/facts/attempt.ts';
import type { LinkAddress } from '../model/facts/links.ts';

/** Whether the attempt names the address of the server; a watch of a port in which no SYN came does not. */
export function namesServer({ server }: Attempt): boolean {
  return server.address !== '0.0.0.0' && server.address !== '::';
}

/** Addresses of this host that the attempt may mean: the one that it names, or all of a family when it names none. */
export function addressesMeant(
  attempt: Attempt,
  addresses: readonly LinkAddress[],
  family: 4 | 6,
): readonly LinkAddress[] {
  if (namesServer(attempt)) return addresses.filter(({ address }) => address === attempt.server.address);
  return addresses.filter((one) => one.family === family && one.scope !== 'host' && one.scope !== 'link');
}

/** Requests of a neighbour (ARP, neighbour solicitation) for one of these addresses that this host never answered. */
export function askedInVain(
  activity: readonly NeighbourActivity[] | undefined,
  addresses: readonly string[],
): NeighbourActivity | undefined {
  return activity?.find(
    ({ direction, target, requests, replies }) =>
      direction === 'in' && requests > 0 && replies === 0 && addresses.includes(target),
  );
}
