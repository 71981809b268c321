import { grown } from '../model/cause-facts.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import type { Counters } from '../model/facts/facts.ts';
import type { PacketFilter } from '../model/facts/packet-filter.ts';
import type { RouteLookup } from '../model/facts/routing.ts';
import { stoodStill } from './shared-silence.ts';

/** Facts that exclude the other ends of a SYN below TCP. */
export interface BelowTcpFacts {
  readonly attempt: Attempt;
  readonly packetFilter?: PacketFilter | undefined;
  readonly incomingRoute?: RouteLookup | undefined;
  readonly counters?: Counters | undefined;
}

/**
 * Whether everything else that silences a SYN is excluded: rules let it pass, its route and source are taken, it was addressed to this
 * host's MAC, connection tracking had room, and TCP sent nothing at all, so that no answer was lost either. Then a counter of drops
 * that fits tells the cause.
 */
export function nothingElseStopsIt({ attempt, packetFilter, incomingRoute, counters }: BelowTcpFacts): boolean {
  return (
    packetFilter?.passes.includes('syn-in') === true &&
    packetFilter.unread.length === 0 &&
    incomingRoute?.ok === true &&
    incomingRoute.type === 'local' &&
    attempt.sightings.some(({ segment, direction }) => segment === 'syn' && direction === 'in') &&
    attempt.sightings.every(
      ({ segment, direction, linkDestination }) =>
        segment !== 'syn' || direction !== 'in' || linkDestination === 'host',
    ) &&
    counters !== undefined &&
    stoodStill(counters, 'TcpOutSegs') &&
    grown(counters, 'nf_conntrack.drop', 'IpInHdrErrors', 'Ip6InHdrErrors', 'TcpInCsumErrors') === 0
  );
}
