import { type CauseEvidence, contradicts, supports } from '../model/cause.ts';
import { watched } from '../model/cause-facts.ts';
import type { EvidenceWeight } from '../model/diagnosis.ts';
import type { KernelTrace } from '../model/facts/kernel-events.ts';
import type { BpfAttachment } from '../model/facts/links.ts';
import { perSyn, type RefusalFacts, refusedEarlierForNamedReason } from './shared-refusal.ts';
import { listenerRefusals, stoodStill } from './shared-silence.ts';

/** Programs that see packets to the listener's cgroup, where that can be told. */
export function programsOfListener(programs: readonly BpfAttachment[] | undefined): readonly BpfAttachment[] {
  return (programs ?? []).filter(({ hook, onPath }) => hook === 'cgroup-ingress' && onPath === true);
}

/**
 * What says that `sk_filter_trim_cap()` dropped the SYN: the kernel's drop reason, or drops of the listener that no counter names.
 * @param weight what that is worth for the cause: conclusive only when nothing else that is asked at this place could have done it.
 */
export function filteredAtSocket(
  { attempt, counters, sockets, kernelTrace }: RefusalFacts & { readonly kernelTrace?: KernelTrace | undefined },
  weight: Extract<EvidenceWeight, 'conclusive' | 'strong'>,
): CauseEvidence[] {
  const drop = kernelTrace?.events.find((event) => event.kind === 'dropped' && event.packet === 'syn');
  if (drop?.kind === 'dropped' && drop.reason !== 'NOT_SPECIFIED') {
    const said = `the kernel reports that it dropped the SYN: ${drop.reason} in ${drop.location}()`;
    return drop.reason === 'SOCKET_FILTER'
      ? [supports(weight, 'kernelTrace', said)]
      : [contradicts('conclusive', 'kernelTrace', said)];
  }
  if (!watched(attempt, counters) || attempt.syns === 0) return [];
  // Which packet it was is not told: only that there were such drops, or none at all.
  const reported = (kernelTrace?.drops ?? [])
    .filter(({ reason }) => reason === 'SOCKET_FILTER')
    .reduce((sum, { count }) => sum + count, 0);
  // Kernels before 5.17 give no reasons.
  const named = kernelTrace?.drops.some(({ reason }) => reason !== 'NOT_SPECIFIED') === true && !kernelTrace.overrun;
  if (named && reported === 0) {
    return [contradicts('strong', 'kernelTrace', 'the kernel reports drops, and none by a filter of a socket')];
  }
  const refused = listenerRefusals(sockets);
  if (refused === 0) return [contradicts('strong', 'sockets', 'the listener itself refused nothing (sk_drops +0)')];
  if (!stoodStill(counters, 'TcpExtListenDrops')) {
    return [contradicts('strong', 'counters', 'ListenDrops moved: SYNs got past the filters of the socket')];
  }
  if (refused === undefined) return [];
  const earlier = refusedEarlierForNamedReason({ attempt, counters });
  if (earlier.length > 0) return earlier;
  const said = `the listener refused ${refused} (sk_drops): ${perSyn(attempt, [refused])}, and no counter names a reason (ListenDrops +0)`;
  const evidence = [supports(refused >= attempt.syns ? weight : 'moderate', 'sockets', said)];
  if (reported >= attempt.syns) {
    evidence.push(
      supports('moderate', 'kernelTrace', `the kernel reports ${reported} drops with reason SOCKET_FILTER`),
    );
  }
  return evidence;
}
