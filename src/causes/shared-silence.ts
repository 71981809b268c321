import { type CauseEvidence, contradicts, supports } from '../model/cause.ts';
import { grown, watched } from '../model/cause-facts.ts';
import type { Attempt, Surroundings } from '../model/facts/attempt.ts';
import type { Counters } from '../model/facts/facts.ts';
import type { KernelTrace } from '../model/facts/kernel-events.ts';
import type { SocketTable } from '../model/facts/sockets.ts';
import { formatQuantity } from '../model/text.ts';

// What many causes of the server ask first: did a SYN arrive, did it get as far as TCP, or did it vanish below?

/** SYNs that counters must account for: those of the attempt, and at least one. */
export function expectedSyns({ syns }: Attempt): number {
  return Math.max(1, syns);
}

/** `4 SYNs`, `the SYN`, or `a SYN` of an attempt that is only supposed. */
export function theSyns({ syns, observed }: Attempt): string {
  if (!observed) return 'a SYN';
  return syns === 1 ? 'the SYN' : `the ${formatQuantity(syns, 'SYN')}`;
}

/** Whether the attempt has a client: a watch in which no SYN came has none. */
export function hasClient({ client }: Attempt): boolean {
  return client.address !== '0.0.0.0' && client.address !== '::';
}

/** The client as a sentence names it. */
export function clientName(attempt: Attempt): string {
  return hasClient(attempt) ? attempt.client.address : 'the clients';
}

/** Whether a SYN was at this host, or must be taken for it: one was captured, or is only supposed, or could not be captured. */
export function synArrived({ side, syns, observed, captured }: Attempt): boolean {
  return side === 'server' && (syns > 0 || !observed || !captured);
}

/** Whether packets were watched, and no SYN of the attempt came. */
export function synNeverCame({ side, syns, synAcks, observed, captured }: Attempt): boolean {
  return side === 'server' && observed && captured && syns === 0 && synAcks === 0;
}

/** Whether a counter was read before and after the watch, and did not move. */
export function stoodStill(counters: Counters | undefined, ...names: readonly string[]): boolean {
  return (
    counters !== undefined &&
    counters.intervalMs > 0 &&
    names.every((name) => name in counters.now && (counters.growth[name] ?? 0) === 0)
  );
}

/** Segments that the listeners of the port refused during the watch; undefined when that is not known. */
export function listenerRefusals(sockets: SocketTable | undefined): number | undefined {
  const known = sockets?.matching.flatMap(({ dropsDelta }) => (dropsDelta === undefined ? [] : [dropsDelta])) ?? [];
  return known.length === 0 ? undefined : known.reduce((sum, drops) => sum + drops, 0);
}

/** Whether this host sent anything back to the client: SYN-ACK, RST or an ICMP error. */
export function answeredAnything(attempt: Attempt): boolean {
  return (
    attempt.synAcks > 0 || resetsSent(attempt) > 0 || attempt.icmpErrors.some(({ towards }) => towards === 'client')
  );
}

/** RSTs that this host sent to the client, as its capture shows them. */
export function resetsSent({ sightings }: Attempt): number {
  return sightings
    .filter(({ segment, direction, device }) => segment === 'rst' && direction === 'out' && device !== 'lo')
    .reduce((sum, { count }) => sum + count, 0);
}

/** Facts that tell how far a SYN got. */
export interface ReachFacts {
  readonly attempt: Attempt;
  readonly counters?: Counters | undefined;
  readonly sockets?: SocketTable | undefined;
  readonly surroundings?: Surroundings | undefined;
}

/** Evidence against whatever stops a SYN below TCP: it was answered, or TCP itself refused it. */
export function reachedTcp({ attempt, counters, sockets, surroundings }: ReachFacts): CauseEvidence[] {
  if (!attempt.observed) return [];
  if (attempt.synAcks > 0) {
    return [contradicts('conclusive', 'attempt', 'a SYN-ACK answered it, so the SYN got as far as TCP')];
  }
  if (sockets?.exact?.state === 'SYN-RECV') {
    return [
      contradicts('conclusive', 'sockets', 'the kernel holds a half-open connection for it, so the SYN reached TCP'),
    ];
  }
  const evidence: CauseEvidence[] = [];
  const refused = listenerRefusals(sockets) ?? 0;
  const alone = surroundings !== undefined && surroundings.syns <= attempt.syns;
  if (attempt.syns > 0 && refused >= attempt.syns && alone) {
    evidence.push(
      contradicts(
        'strong',
        'sockets',
        `the listener itself refused ${formatQuantity(refused, 'segment')}, and no other SYN came: it reached the listener`,
      ),
    );
  }
  if (watched(attempt, counters) && resetsSent(attempt) > 0 && grown(counters, 'TcpOutRsts') > 0) {
    evidence.push(
      contradicts('strong', 'counters', `TCP itself answered with RST (TcpOutRsts +${grown(counters, 'TcpOutRsts')})`),
    );
  }
  return evidence;
}

/** Evidence for whatever stops a SYN below TCP: TCP saw nothing of it and nobody answered. Says nothing about which. */
export function vanished({ attempt, counters, sockets }: ReachFacts): CauseEvidence[] {
  if (!watched(attempt, counters) || attempt.syns === 0 || answeredAnything(attempt)) return [];
  const refused = listenerRefusals(sockets);
  if (!stoodStill(counters, 'TcpExtListenDrops') || (refused ?? 0) > 0) return [];
  const own = refused === undefined ? '' : ", the listener's own drops +0";
  return [
    supports('moderate', 'counters', `${theSyns(attempt)} left no trace in TCP: no answer, ListenDrops +0${own}`),
  ];
}

/** What the kernel's own drop events say of the SYN of this attempt, held against the reasons that fit a cause. */
export function tracedSyn(
  trace: KernelTrace | undefined,
  fits: { readonly reasons?: RegExp; readonly locations?: RegExp; readonly weight?: 'conclusive' | 'strong' },
  packet: 'syn' | 'syn-ack' | 'ack' = 'syn',
): CauseEvidence[] {
  const drop = trace?.events.find((event) => event.kind === 'dropped' && event.packet === packet);
  if (drop?.kind !== 'dropped') return [];
  const what = `the kernel reports that it dropped the ${packet.toUpperCase()}: ${drop.reason} in ${drop.location}()`;
  const fitting = (fits.reasons?.test(drop.reason) ?? true) && (fits.locations?.test(drop.location) ?? true);
  if (fitting) return [supports(fits.weight ?? 'conclusive', 'kernelTrace', what)];
  return drop.reason === 'NOT_SPECIFIED' ? [] : [contradicts('strong', 'kernelTrace', what)];
}
