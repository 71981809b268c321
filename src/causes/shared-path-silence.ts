import type { Attempt } from '../model/facts/attempt.ts';
import type { PathProbe } from '../model/facts/client.ts';
import { CLIENT_ATTEMPT, isSilent } from './shared-client.ts';

/** Whether the client's SYN left and nothing at all came back: the case of which a client can tell no more than "not here". */
export function isSilentBeyond(attempt: Attempt): boolean {
  return (
    isSilent(attempt) &&
    attempt.captured &&
    attempt.syns > 0 &&
    attempt.synAcks === 0 &&
    attempt.icmpErrors.length === 0
  );
}

/** How far SYNs come, as a sentence: the last router that answered a SYN whose TTL ended there. */
export function reachStatement({ hops }: PathProbe): string | undefined {
  const last = hops.findLast(({ answer }) => answer === 'time-exceeded');
  return last?.address === undefined
    ? undefined
    : `SYNs come at least as far as ${last.address} (${last.ttl} ${last.ttl === 1 ? 'hop' : 'hops'})`;
}

/** What further probes said of the example's silent server. */
export const SILENT_PROBE: PathProbe = {
  hops: [
    { ttl: 1, address: '198.51.100.1', rttMs: 0.4, answer: 'time-exceeded' },
    { ttl: 2, answer: 'none' },
  ],
  closedPort: { port: 64_879, answer: 'none' },
  echo: 'none',
};

/** A silent attempt, by its name in examples. */
export const SILENT_ATTEMPT: Attempt = CLIENT_ATTEMPT;
