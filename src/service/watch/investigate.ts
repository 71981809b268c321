import { setTimeout as sleep } from 'node:timers/promises';
import type { Handshake } from '../../model/handshake.ts';
import { type CloserLook, type ExplainedFailure, explainFailure, lookCloser } from './diagnose-failure.ts';
import type { Failure, FailureDesk } from './failure-desk.ts';

/** A client repeats its SYN after 1 s, and then after 2 s more: a closer look waits for one of them. */
const CLOSER_LOOK_MS = 3600;
const CLOSER_STEP_MS = 50;

/** What a look at a failure came to. */
export interface Finding {
  /** The failure, with the packets that came meanwhile. */
  readonly failure: Failure;
  readonly explained: ExplainedFailure;
  /** Whether the attempt itself has failed, or would have: else it was answered, or nobody knows how it ended. */
  readonly hasFailed: boolean;
}

/** Looks at one failure: quickly first, and when that explains nothing, closely at what comes next. */
export async function investigate(failure: Failure, desk: FailureDesk): Promise<Finding> {
  const { namespace, direction, handshake, row, mark } = failure;
  const first = await explain(failure, handshake, desk, undefined);
  if (first.diagnosis.cause?.status === 'confirmed') return { failure, explained: first, hasFailed: true };
  const mayComeAgain = namespace.attempts.isStill(row, mark) && failure.state !== 'refused';
  if (!mayComeAgain) return { failure, explained: first, hasFailed: false };
  let closer: CloserLook | undefined;
  try {
    closer = await lookCloser(namespace, direction, handshake.server.port);
    const segments = namespace.attempts.isStill(row, mark) ? namespace.attempts.segmentsOf(row) : 0;
    const latest = await waitForMore(failure, segments);
    if (latest === undefined) return { failure, explained: first, hasFailed: false };
    const second = await explain(failure, latest, desk, closer);
    return { failure: { ...failure, handshake: latest }, explained: clearer(first, second), hasFailed: true };
  } finally {
    await closer?.end();
  }
}

/** Waits until the client has sent another packet of the attempt; undefined when the attempt has not failed. */
async function waitForMore({ namespace, row, mark }: Failure, segments: number): Promise<Handshake | undefined> {
  const { attempts } = namespace;
  const endMs = Date.now() + CLOSER_LOOK_MS;
  while (Date.now() < endMs) {
    await sleep(CLOSER_STEP_MS);
    if (!attempts.isStill(row, mark)) return undefined;
    if (attempts.segmentsOf(row) > segments) {
      // Answers and counters of it settle.
      await sleep(2 * CLOSER_STEP_MS);
      break;
    }
  }
  if (!attempts.isStill(row, mark) || attempts.stateOf(row) === 'answered') return undefined;
  return attempts.handshakeAt(row);
}

function explain(
  failure: Failure,
  handshake: Handshake,
  desk: FailureDesk,
  closer: CloserLook | undefined,
): Promise<ExplainedFailure> {
  const { namespace, direction } = failure;
  const { log, syns } = desk.surroundingsOf(namespace, direction, handshake.server.port);
  return explainFailure({ namespace, direction, handshake, surroundings: log, syns, closer });
}

function clearer(first: ExplainedFailure, second: ExplainedFailure): ExplainedFailure {
  if (second.diagnosis.cause === null && first.diagnosis.cause !== null) return first;
  return second;
}
