import type { Facts } from '../../collect/facts/gather.ts';
import { type AttemptCase, diagnoseAttempt } from '../../engine/diagnose-attempt.ts';
import type { Host } from '../../host/host.ts';
import type { Diagnosis } from '../../model/diagnosis.ts';
import type { Attempt } from '../../model/facts/attempt.ts';
import type { Handshake } from '../../model/handshake.ts';

/** One attempt as one end judged it by itself, with all that it was judged by. */
export interface EndCase {
  readonly given: AttemptCase;
  readonly diagnosis: Diagnosis;
}

/** Judges an attempt by the facts of one end alone. */
export async function judgeAlone(
  host: Host,
  name: string,
  attempt: Attempt,
  handshake: Handshake,
  facts: Facts,
): Promise<EndCase> {
  const { CAUSES } = await import('../../causes/index.ts');
  const given: AttemptCase = {
    attempt,
    handshake,
    facts,
    hostName: name,
    context: {
      name: 'capture',
      firstNs: handshake.startedAtNs,
      lastNs: handshake.endedAtNs,
      server: { attempts: 1, established: 0 },
    },
    ...(host.spec === 'local' ? {} : { on: host.spec }),
  };
  return { given, diagnosis: diagnoseAttempt(CAUSES, given) };
}
