import { type CauseEvidence, contradicts, supports } from '../model/cause.ts';
import { grown, watched } from '../model/cause-facts.ts';
import type { EvidenceWeight } from '../model/diagnosis.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import type { Counters } from '../model/facts/facts.ts';
import type { KernelTrace } from '../model/facts/kernel-events.ts';
import type { PacketFilter } from '../model/facts/packet-filter.ts';
import type { Listener, OtherNamespace, SocketTable } from '../model/facts/sockets.ts';
import { formatEndpoint } from '../model/flow.ts';
import { hitKind, hitName } from './shared-filter.ts';
import { resetsSent, stoodStill } from './shared-silence.ts';

/** Who holds a listener: `nginx (pid 811)`, `nginx (pid 811 and 3 more)`, or `a process` when it cannot be seen. */
export function processName({ owners }: Listener): string {
  const [first, ...others] = owners;
  if (first === undefined) return 'a process';
  return `${first.name} (pid ${first.pid}${others.length === 0 ? '' : ` and ${others.length} more`})`;
}

/** A listener as a sentence names it: `nginx (pid 811) on [::]:443`. */
export function listenerName(listener: Listener): string {
  const device = listener.device === undefined ? '' : ` of device ${listener.device}`;
  return `${processName(listener)} on ${formatEndpoint(listener)}${device}`;
}

/** The listener that takes the SYN, as a sentence names it; just the port when none is known. */
export function takerName({ matching }: SocketTable, { server }: Attempt): string {
  const [first] = matching;
  return first === undefined ? `the listener on port ${server.port}` : listenerName(first);
}

/** A listener of the port that does not take the SYN, and why. */
export type Mismatch = SocketTable['mismatched'][number];

/**
 * The listener that comes nearest to taking the SYN: one that differs only in its device, then one on the wildcard address of the other
 * family, then one on another address. Only when none takes it.
 */
export function nearestMismatch({ matching, mismatched }: SocketTable): Mismatch | undefined {
  if (matching.length > 0) return undefined;
  return (
    mismatched.find(({ why }) => why === 'device') ??
    mismatched.find(({ why, listener }) => why === 'family' && isWildcard(listener)) ??
    mismatched.find(({ why }) => why === 'address') ??
    mismatched[0]
  );
}

function isWildcard({ address }: Listener): boolean {
  return address === '0.0.0.0' || address === '::';
}

/** How much the state of the sockets is worth: it decides for a SYN that got a RST or is only supposed; without any SYN it is a hint. */
export function socketWeight(attempt: Attempt): Extract<EvidenceWeight, 'conclusive' | 'strong'> {
  return attempt.observed && attempt.syns === 0 ? 'strong' : 'conclusive';
}

/** Facts that tell whether TCP of this host refused the attempt with a RST. */
export interface ResetFacts {
  readonly attempt: Attempt;
  readonly counters?: Counters | undefined;
  readonly kernelTrace?: KernelTrace | undefined;
  readonly packetFilter?: PacketFilter | undefined;
}

/**
 * Evidence that TCP itself refused the SYN because no socket took it (`tcp_v4_send_reset()`), and against it: no RST left, a RST that
 * the packet filter made (`nf_send_reset()` does not count in `TcpOutRsts`), a rule that sends the SYN to another port.
 */
export function refusedByTcp({ attempt, counters, kernelTrace, packetFilter }: ResetFacts): CauseEvidence[] {
  const evidence: CauseEvidence[] = [];
  const elsewhere = sentElsewhere(packetFilter);
  if (elsewhere !== undefined) evidence.push(elsewhere);
  if (!attempt.observed || attempt.syns === 0) return evidence;
  if (attempt.synAcks > 0) return [contradicts('conclusive', 'attempt', 'a listener answered with SYN-ACK')];
  const resets = resetsSent(attempt);
  if (resets === 0 && attempt.handshake?.outcome !== 'refused') {
    return [...evidence, contradicts('strong', 'attempt', 'no RST left this host')];
  }
  if (watched(attempt, counters)) {
    const by = grown(counters, 'TcpOutRsts');
    if (stoodStill(counters, 'TcpOutRsts')) {
      return [...evidence, contradicts('conclusive', 'counters', 'TcpOutRsts did not move: TCP did not send the RST')];
    }
    if (by > 0) evidence.push(supports('strong', 'counters', `TcpOutRsts +${by}: TCP itself sent the RST`));
  }
  const sent = kernelTrace?.events.find((event) => event.kind === 'reset-sent');
  if (sent?.kind === 'reset-sent') {
    const why = sent.reason === undefined ? '' : ` (${sent.reason})`;
    evidence.push(supports('strong', 'kernelTrace', `the kernel reports that TCP sent a RST for it${why}`));
  }
  return evidence;
}

/** Evidence that a rule gives the SYN another destination, so that listeners on its own port do not matter. */
export function sentElsewhere(packetFilter: PacketFilter | undefined): CauseEvidence | undefined {
  const hit = packetFilter?.hits.find((one) => one.packet === 'syn-in' && hitKind(one) === 'translate');
  if (hit === undefined) return undefined;
  const { port, address } = hit.target ?? {};
  const to = [...(address === undefined ? [] : [address]), ...(port === undefined ? [] : [`port ${port}`])].join(' ');
  const weight = hit.certainty === 'certain' ? 'conclusive' : 'strong';
  return contradicts(
    weight,
    'packetFilter',
    `${hitName(hit)} sends the SYN to ${to === '' ? 'another destination' : to}`,
  );
}

/** Other network namespaces with a listener on a port that is not only for their own loopback addresses. */
export function namespacesListening(others: readonly OtherNamespace[], port: number): readonly OtherNamespace[] {
  return others.filter(({ listeners }) =>
    listeners.some((one) => one.port === port && !one.address.startsWith('127.') && one.address !== '::1'),
  );
}
