import { type CauseEvidence, contradicts, supports } from '../model/cause.ts';
import { formatGrowths, grown, shortCounter, watched } from '../model/cause-facts.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import type { PathProbe } from '../model/facts/client.ts';
import type { Counters } from '../model/facts/facts.ts';
import type { KernelTrace } from '../model/facts/kernel-events.ts';
import type { SocketTable } from '../model/facts/sockets.ts';
import { expectedSyns, listenerRefusals, resetsSent, stoodStill, synArrived, synNeverCame } from './shared-silence.ts';

// What the causes have in common in which TCP itself lets a SYN go without an answer.

/** Facts that tell whether a listener refused the SYNs of the attempt. */
export interface RefusalFacts {
  readonly attempt: Attempt;
  readonly counters?: Counters | undefined;
  readonly sockets?: SocketTable | undefined;
}

/** What settles from the start that TCP of this host did not drop the attempt in silence; undefined when it may have. */
export function settledOtherwise({ attempt, sockets }: RefusalFacts): readonly CauseEvidence[] | undefined {
  if (synNeverCame(attempt)) return [contradicts('conclusive', 'attempt', 'no SYN of it reached this host')];
  if (!synArrived(attempt)) return [];
  if (attempt.synAcks > 0) {
    return [contradicts('conclusive', 'attempt', 'a SYN-ACK answered it, so it was not dropped in silence')];
  }
  if (resetsSent(attempt) > 0 || attempt.handshake?.outcome === 'refused') {
    return [contradicts('conclusive', 'attempt', 'a RST answered it, so it was not dropped in silence')];
  }
  const icmp = attempt.icmpErrors.find(({ towards }) => towards === 'client');
  if (icmp !== undefined) {
    return [contradicts('conclusive', 'attempt', `an ICMP error answered it (${icmp.name} from ${icmp.from})`)];
  }
  if (sockets?.matching.length === 0) {
    return [contradicts('conclusive', 'sockets', `no listener takes a SYN to port ${attempt.server.port}`)];
  }
  return undefined;
}

/** What the client knows against every fault of the way back: a port on which nothing listens answered its SYN with RST. */
export function closedPortAnswers({
  attempt,
  pathProbe,
}: {
  readonly attempt: Attempt;
  readonly pathProbe?: PathProbe | undefined;
}): CauseEvidence[] {
  const { closedPort } = pathProbe ?? {};
  if (attempt.side !== 'client' || closedPort?.answer !== 'rst') return [];
  return [
    contradicts(
      'strong',
      'pathProbe',
      `port ${closedPort.port} of ${attempt.server.address} answered with RST: there is a way back`,
    ),
  ];
}

/** `one for each of the 4 SYNs` when a growth is exactly that of the attempt, else `at least ...`: others moved it as well. */
export function perSyn({ syns }: Attempt, growths: readonly number[]): string {
  const exactly = growths.every((growth) => growth === syns);
  const what = syns === 1 ? 'one for the SYN' : `one for each of the ${syns} SYNs`;
  return exactly ? what : `at least ${what}`;
}

/**
 * What the counters of refused SYNs say: `ListenDrops` (tcp_listendrop() in include/net/tcp.h), the drops of the listener itself, and those
 * counters that move with them for one cause.
 */
export function refusalCounted(
  { attempt, counters, sockets }: RefusalFacts,
  ...names: readonly string[]
): CauseEvidence[] {
  if (!watched(attempt, counters) || attempt.syns === 0) return [];
  if (stoodStill(counters, 'TcpExtListenDrops')) {
    return [contradicts('strong', 'counters', 'ListenDrops did not move, so no listener refused a SYN')];
  }
  const evidence: CauseEvidence[] = [];
  if (listenerRefusals(sockets) === 0) {
    evidence.push(contradicts('strong', 'sockets', 'the listener itself refused nothing (sk_drops +0)'));
  }
  const all = ['TcpExtListenDrops', ...names];
  const growths = all.map((name) => grown(counters, name));
  if (growths.every((growth) => growth >= expectedSyns(attempt))) {
    evidence.push(supports('strong', 'counters', `${formatGrowths(counters, all)}: ${perSyn(attempt, growths)}`));
  }
  return evidence;
}

/** Counters that name why a listener refused a SYN, and what they mean. */
const NAMED_REFUSALS: readonly (readonly [counter: string, meaning: string])[] = [
  ['TcpExtListenOverflows', 'the accept queue was full'],
  ['TcpExtTCPReqQFullDrop', 'the SYN queue was full'],
  ['TcpExtPAWSPassive', 'tcp_tw_recycle refused timestamps'],
  ['IpOutNoRoutes', 'an answer had no route'],
  ['Ip6OutNoRoutes', 'an answer had no route'],
  ['XfrmOutPolBlock', 'an IPsec policy blocked an answer'],
  ['IcmpInDestUnreachs', 'ICMP errors removed half-open connections'],
];

/** Evidence against causes that leave no counter but `ListenDrops`: counters that name another reason moved. */
export function refusedForNamedReason({ attempt, counters }: RefusalFacts): CauseEvidence[] {
  if (!watched(attempt, counters)) return [];
  return NAMED_REFUSALS.flatMap(([name, meaning]) => {
    const by = grown(counters, name);
    if (by === 0) return [];
    const weight = by >= expectedSyns(attempt) ? 'strong' : 'moderate';
    return [contradicts(weight, 'counters', `${shortCounter(name)} +${by}: ${meaning}`)];
  });
}

/** Counters of refusals in front of the listener's own logic: `sk_drops` of the listener moves with them, `ListenDrops` does not. */
const REFUSED_EARLIER: readonly string[] = [
  'TcpExtTCPMD5NotFound',
  'TcpExtTCPMD5Unexpected',
  'TcpExtTCPMD5Failure',
  'TcpExtTCPAORequired',
  'TcpExtTCPAOKeyNotFound',
  'TcpExtTCPAOBad',
  'TcpExtTCPMinTTLDrop',
  'TcpExtPFMemallocDrop',
  'XfrmInPolBlock',
  'XfrmInTmplMismatch',
  'XfrmInNoPols',
];

/** Evidence against causes that leave no counter at all: one that names another reason in front of the listener moved. */
export function refusedEarlierForNamedReason({ attempt, counters }: RefusalFacts): CauseEvidence[] {
  if (!watched(attempt, counters)) return [];
  return REFUSED_EARLIER.filter((name) => grown(counters, name) >= expectedSyns(attempt)).map((name) =>
    contradicts('strong', 'counters', `${shortCounter(name)} +${grown(counters, name)} names another reason`),
  );
}

/**
 * Judges causes that count each SYN they drop in front of the listener's own logic, in one of these counters.
 * The growth alone is not decisive: other ports move it too, so the listener's own drops must come with it.
 */
export function countedBeforeListener(
  { attempt, counters, sockets }: RefusalFacts,
  names: readonly string[],
): CauseEvidence[] {
  if (!watched(attempt, counters) || attempt.syns === 0) return [];
  const by = grown(counters, ...names);
  if (by === 0) {
    if (!names.every((name) => name in counters.now)) return [];
    return [contradicts('strong', 'counters', `${names.map(shortCounter).join(', ')} did not move`)];
  }
  const syns = expectedSyns(attempt);
  const moved = names.filter((name) => grown(counters, name) > 0);
  const what = formatGrowths(counters, moved);
  if (by < syns) return [supports('moderate', 'counters', `${what}, for ${syns} SYNs`)];
  const refused = listenerRefusals(sockets);
  if (refused === 0) {
    return [
      contradicts(
        'strong',
        'sockets',
        `${what}, but the listener itself refused nothing (sk_drops +0): it was another port`,
      ),
    ];
  }
  const drops = refused === undefined ? '' : `, and the listener refused ${refused}`;
  const weight = refused === undefined ? 'strong' : 'conclusive';
  const evidence = [supports(weight, 'counters', `${what}: ${perSyn(attempt, [by])}${drops}`)];
  const listenDrops = grown(counters, 'TcpExtListenDrops');
  if (listenDrops >= syns) {
    evidence.push(
      contradicts(
        'strong',
        'counters',
        `ListenDrops +${listenDrops}: SYNs got as far as the listener's own logic as well`,
      ),
    );
  }
  return evidence;
}

/** That the kernel refused the signature of the SYN, by the tracepoints `tcp:tcp_hash_md5_*` and `tcp:tcp_hash_ao_*`, `tcp:tcp_ao_*` (Linux 6.11). */
export function signatureRefused(trace: KernelTrace | undefined, method: 'md5' | 'ao'): CauseEvidence[] {
  const refused = trace?.events.find((event) => event.kind === 'authentication-refused');
  if (refused?.kind !== 'authentication-refused') return [];
  const said = `the kernel reports for this very attempt: tcp_${refused.what}`;
  const fits = refused.what.split('_').includes(method);
  return [fits ? supports('conclusive', 'kernelTrace', said) : contradicts('strong', 'kernelTrace', said)];
}
