import { type CauseEvidence, contradicts } from '../model/cause.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import type { Connection, SocketTable } from '../model/facts/sockets.ts';
import { synArrived, synNeverCame } from './shared-silence.ts';

/** Whether an ACK without SYN answered the SYN: what a socket of an earlier connection with the same ports says. */
export function answeredByAck({ sightings, handshake }: Attempt): boolean {
  return (
    sightings.some(({ segment, direction }) => segment === 'ack' && direction === 'out') ||
    handshake?.findings.some(({ id }) => id === 'challenge-ack') === true
  );
}

/** What settles from the start that no socket of an earlier connection stood in the way; undefined when one may have. */
export function settledWithoutOldSocket(attempt: Attempt): readonly CauseEvidence[] | undefined {
  if (synNeverCame(attempt)) return [contradicts('conclusive', 'attempt', 'no SYN of it reached this host')];
  // Which ports a client will use cannot be supposed.
  if (!synArrived(attempt) || !attempt.observed) return [];
  if (attempt.synAcks > 0)
    return [contradicts('conclusive', 'attempt', 'a SYN-ACK answered it, so a listener took the SYN')];
  if (attempt.handshake?.outcome === 'refused') return [contradicts('conclusive', 'attempt', 'a RST answered it')];
  return undefined;
}

/** The socket with exactly the ends of the attempt, when it is in that state. */
export function oldSocket({ exact }: SocketTable, state: RegExp): Connection | undefined {
  return exact !== undefined && state.test(exact.state) ? exact : undefined;
}
