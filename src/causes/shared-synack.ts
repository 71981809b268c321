import { type CauseEvidence, contradicts, supports } from '../model/cause.ts';
import { formatGrowths, grown, watched } from '../model/cause-facts.ts';
import type { Attempt, Sighting } from '../model/facts/attempt.ts';
import type { Link } from '../model/facts/links.ts';
import type { RouteLookup } from '../model/facts/routing.ts';
import type { SocketTable } from '../model/facts/sockets.ts';
import { formatQuantity } from '../model/text.ts';
import { type RefusalFacts, settledOtherwise } from './shared-refusal.ts';
import { expectedSyns, listenerRefusals, stoodStill, theSyns } from './shared-silence.ts';

// SYN-ACKs that were made and did not leave this host, and those that left and were never acknowledged.

/** Facts that tell whether a SYN-ACK was made. */
export interface AnswerFacts extends RefusalFacts {
  readonly sockets: SocketTable;
  readonly outgoingRoute?: RouteLookup | undefined;
}

/** What settles from the start that no SYN-ACK was lost inside this host; undefined when one may have been. */
export function settledBeforeAnswer(facts: AnswerFacts): readonly CauseEvidence[] | undefined {
  const settled = settledOtherwise(facts);
  if (settled !== undefined) return settled;
  const { outgoingRoute } = facts;
  if (outgoingRoute?.ok !== false) return undefined;
  const { question, message } = outgoingRoute;
  return [
    contradicts('conclusive', 'outgoingRoute', `route lookup ${question} fails ("${message}"): no SYN-ACK can be made`),
  ];
}

/**
 * What the counters say of a SYN-ACK that TCP made (`tcp_make_synack()` counts it in `TcpOutSegs`) although the capture has none.
 * @param aborted `ListenDrops` may move although it was made: IPv4 removes the half-open connection when an ICMP error comes back.
 */
export function answerMade(
  { attempt, counters, sockets }: AnswerFacts,
  { aborted = false }: { readonly aborted?: boolean } = {},
): CauseEvidence[] {
  if (!watched(attempt, counters) || attempt.syns === 0) return [];
  if (stoodStill(counters, 'TcpOutSegs')) {
    return [contradicts('strong', 'counters', 'TcpOutSegs did not move: TCP made no SYN-ACK')];
  }
  const refused = grown(counters, 'TcpExtListenDrops');
  if (!aborted && refused >= expectedSyns(attempt) && (listenerRefusals(sockets) ?? 1) > 0) {
    return [contradicts('strong', 'counters', `ListenDrops +${refused}: TCP refused the SYN, so it made no SYN-ACK`)];
  }
  const names = ['TcpOutSegs', 'TcpExtTCPTimeouts', 'TcpExtTCPSynRetrans'].filter((name) => grown(counters, name) > 0);
  if (names.length === 0) return [];
  return [
    supports(
      'moderate',
      'counters',
      `TCP sends for ${theSyns(attempt)} (${formatGrowths(counters, names)}), and the capture has no SYN-ACK`,
    ),
  ];
}

/** What settles from the start that no SYN-ACK was lost outside of this host; undefined when one may have been. */
export function settledOnTheWire(attempt: Attempt): readonly CauseEvidence[] | undefined {
  if (attempt.side !== 'server' || !attempt.observed) return [];
  if (attempt.synAcks === 0) return [contradicts('conclusive', 'attempt', 'no SYN-ACK left this host')];
  if (countOf(attempt, 'ack', 'in') > 0 || attempt.handshake?.outcome === 'established') {
    return [contradicts('conclusive', 'attempt', 'the client acknowledged the SYN-ACK')];
  }
  if (countOf(attempt, 'rst', 'in') > 0) {
    return [contradicts('conclusive', 'attempt', 'the client answered the SYN-ACK with RST, so it got it')];
  }
  if (countOf(attempt, 'rst', 'out') > 0)
    return [contradicts('strong', 'attempt', 'this host ended the attempt with RST')];
  return undefined;
}

function countOf({ sightings }: Attempt, segment: Sighting['segment'], direction: Sighting['direction']): number {
  return sightings
    .filter((one) => one.segment === segment && one.direction === direction && one.device !== 'lo')
    .reduce((sum, { count }) => sum + count, 0);
}

/** That SYN-ACKs are repeated and nothing comes back, with what tells that the client did not get them: it repeats its SYN. */
export function unacknowledged(attempt: Attempt): CauseEvidence {
  const { syns, synAcks } = attempt;
  const what = `${formatQuantity(synAcks, 'SYN-ACK')} left this host for ${formatQuantity(syns, 'SYN')}, and neither ACK nor RST came back`;
  return supports(synAcks > 1 && syns > 1 ? 'strong' : 'moderate', 'attempt', what);
}

/** The interfaces that SYNs came in through, and those that SYN-ACKs left through, when no interface did both. */
export interface SplitPath {
  readonly inDevices: readonly string[];
  readonly outDevices: readonly string[];
}

/**
 * How the two directions part. A packet is seen at every interface that it passes (a port and its bridge), so that one common
 * interface, or a common master, means that it is one way.
 */
export function splitPath(attempt: Attempt, links: readonly Link[] | undefined): SplitPath | undefined {
  const named = (segment: Sighting['segment'], direction: Sighting['direction']): string[] => [
    ...new Set(
      attempt.sightings.flatMap((one) =>
        one.segment === segment && one.direction === direction && one.device !== undefined ? [one.device] : [],
      ),
    ),
  ];
  const [inDevices, outDevices] = [named('syn', 'in'), named('syn-ack', 'out')];
  if (inDevices.length === 0 || outDevices.length === 0) return undefined;
  const withMasters = (devices: readonly string[]): string[] => [
    ...devices,
    ...devices.flatMap((device) => links?.find(({ name }) => name === device)?.master ?? []),
  ];
  const outAll = new Set(withMasters(outDevices));
  return withMasters(inDevices).some((device) => outAll.has(device)) ? undefined : { inDevices, outDevices };
}
