import { type CauseEvidence, contradicts, supports } from '../model/cause.ts';
import { formatGrowths, grown, sysctlNumber, watched } from '../model/cause-facts.ts';
import type { FactMap } from '../model/facts/facts.ts';
import type { KernelTrace } from '../model/facts/kernel-events.ts';
import type { RouteLookup } from '../model/facts/routing.ts';
import { perSyn, type RefusalFacts, refusalCounted, refusedForNamedReason } from './shared-refusal.ts';
import { lastReplyLookup } from './shared-reply.ts';
import { expectedSyns } from './shared-silence.ts';
import { inLastQuarter, synCookies } from './shared-syn-queue.ts';

/** Facts by which every refusal that leaves a name can be excluded. */
export interface UnnamedRefusalFacts extends RefusalFacts {
  readonly outgoingRoute?: RouteLookup | undefined;
  readonly sysctls?: Readonly<Record<string, string>> | undefined;
  readonly kernelTrace?: KernelTrace | undefined;
}

/**
 * Evidence that a listener refused the SYN for none of the reasons that leave a name: queues, routes, policies. What remains is a security
 * module and a failed allocation, so that this is strong evidence for each and conclusive for neither.
 */
export function unnamedRefusal(facts: UnnamedRefusalFacts): CauseEvidence[] {
  const { attempt, counters, sockets, outgoingRoute, sysctls, kernelTrace } = facts;
  if (!watched(attempt, counters) || attempt.syns === 0) return [];
  const drops = grown(counters, 'TcpExtListenDrops');
  if (drops < expectedSyns(attempt)) return refusalCounted(facts);
  const named = refusedForNamedReason(facts);
  if (named.length > 0) return named;
  if (outgoingRoute?.ok === false) {
    return [
      contradicts('strong', 'outgoingRoute', `the route lookup of the answer fails ("${outgoingRoute.message}")`),
    ];
  }
  const maximum = sysctlNumber(sysctls, 'net.ipv4.tcp_max_syn_backlog');
  if (synCookies(sysctls) === 0 && maximum !== undefined && inLastQuarter(maximum, sockets?.synReceived ?? 0)) {
    return [contradicts('strong', 'sockets', 'the SYN queue is in its last quarter, and SYN cookies are off')];
  }
  const lookup = lastReplyLookup(kernelTrace);
  if (lookup !== undefined) {
    return [contradicts('strong', 'kernelTrace', 'the SYN got as far as the route lookup of its answer')];
  }
  const said = `${formatGrowths(counters, ['TcpExtListenDrops'])}: ${perSyn(attempt, [drops])}`;
  const evidence = [
    supports(
      outgoingRoute === undefined || sockets === undefined ? 'moderate' : 'strong',
      'counters',
      `${said}, and nothing names a reason: no queue overflowed and a route back is there. A security module and a failed allocation look the same`,
    ),
  ];
  if (kernelTrace?.events.some((event) => event.kind === 'consumed' && event.packet === 'syn') === true) {
    evidence.push(supports('moderate', 'kernelTrace', 'the SYN was let go in the listener before any route lookup'));
  }
  return evidence;
}

/** A line of the kernel log that says that memory for a connection request could not be had. */
export function allocationFailure(log: FactMap['kernelLog'] | undefined): string | undefined {
  const line = log?.find(({ text }) =>
    /page allocation failure|SLUB: Unable to allocate memory|out of memory: killed process/i.test(text),
  );
  return line?.text.slice(0, 160);
}

/** A line of the kernel log with which a security module refuses a packet (an access vector denial, audit(8)). */
export function securityDenial(log: FactMap['kernelLog'] | undefined): string | undefined {
  const line = log?.find(({ text }) =>
    /avc:\s+denied\s+\{[^}]*\b(?:recv|recvfrom|peer|ingress)\b|apparmor="DENIED"[^\n]*"(?:receive|accept)"|smack:/i.test(
      text,
    ),
  );
  return line?.text.slice(0, 240);
}
