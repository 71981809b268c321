import { grown } from '../model/cause-facts.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import type { Counters } from '../model/facts/facts.ts';
import type { PacketFilter } from '../model/facts/packet-filter.ts';
import type { RouteLookup } from '../model/facts/routing.ts';
import type { SocketTable } from '../model/facts/sockets.ts';
import { listenerRefusals, stoodStill } from './shared-silence.ts';

/** Counters of packets that are dropped below TCP without an answer. */
const SILENT_DROPS: readonly string[] = [
  'nf_conntrack.drop',
  'nf_conntrack.insert_failed',
  'IpInHdrErrors',
  'IpInAddrErrors',
  'IpInDiscards',
  'Ip6InHdrErrors',
  'Ip6InAddrErrors',
  'Ip6InDiscards',
  'TcpExtIPReversePathFilter',
  'TcpInCsumErrors',
  'XfrmInPolBlock',
  'XfrmInTmplMismatch',
];

/** Facts that exclude the other ends of a SYN below TCP. */
export interface BelowTcpFacts {
  readonly attempt: Attempt;
  readonly packetFilter?: PacketFilter | undefined;
  readonly incomingRoute?: RouteLookup | undefined;
  readonly counters?: Counters | undefined;
  readonly sockets?: SocketTable | undefined;
}

/**
 * Whether everything else that silences a SYN is excluded: rules let it pass, its route and source are taken, it was addressed to this
 * host's MAC, connection tracking had room, the listener refused nothing, and TCP sent nothing at all, so that no answer was lost either. Then a counter of drops
 * that fits tells the cause.
 * @param own counters of the cause itself: those may move.
 */
export function nothingElseStopsIt(
  { attempt, packetFilter, incomingRoute, counters, sockets }: BelowTcpFacts,
  ...own: readonly string[]
): boolean {
  const others = SILENT_DROPS.filter((name) => !own.includes(name));
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
    listenerRefusals(sockets) === 0 &&
    stoodStill(counters, 'TcpOutSegs') &&
    grown(counters, ...others) === 0
  );
}
