import type { BaselineScope } from '../../collect/facts/collector.ts';
import { type Baseline, type Facts, gatherFacts, readBaseline } from '../../collect/facts/gather.ts';
import { HOST_COLLECTORS } from '../../collect/facts/index.ts';
import { type KernelTraceWatch, watchKernel } from '../../collect/kernel-trace.ts';
import { type SurroundingsLog, watchedAttempt } from '../../collect/watch/attempt-of.ts';
import { foreignAnswers } from '../../collect/watch/foreign-answers.ts';
import { neighbourActivityOf, sightingsOf } from '../../collect/watch/sightings.ts';
import { diagnoseAttempt, notSeen } from '../../engine/diagnose-attempt.ts';
import type { Diagnosis, NotSeen } from '../../model/diagnosis.ts';
import type { Attempt, Sighting } from '../../model/facts/attempt.ts';
import { isUnavailable } from '../../model/facts/fact.ts';
import type { NetworkChange } from '../../model/facts/routing.ts';
import type { Handshake } from '../../model/handshake.ts';
import type { NamespaceWatch } from './namespace-watch.ts';

/** What a closer look at a port needs: the tracepoints of the kernel, and the state before the packets that are waited for. */
export interface CloserLook {
  readonly baseline: Baseline;
  readonly trace: KernelTraceWatch;
  end(): Promise<void>;
}

/** One failed attempt that is to be explained. */
export interface FailureCase {
  readonly namespace: NamespaceWatch;
  readonly direction: 'inbound' | 'outbound';
  readonly handshake: Handshake;
  readonly surroundings: SurroundingsLog;
  /** SYNs to the port of late. */
  readonly syns: number;
  readonly closer?: CloserLook | undefined;
}

/** A diagnosis with what could not be seen for it. */
export interface ExplainedFailure {
  readonly diagnosis: Diagnosis;
  readonly notSeen: readonly NotSeen[];
}

/** Starts a closer look: what the kernel does with the next packets of a port is traced, and what they change is counted. */
export async function lookCloser(
  namespace: NamespaceWatch,
  direction: 'inbound' | 'outbound',
  port: number,
): Promise<CloserLook> {
  const { host } = namespace.access;
  const trace = await watchKernel(host, port);
  try {
    const baseline = await readBaseline(host, HOST_COLLECTORS, { side: namespace.sideOf(direction), port });
    return { baseline, trace, end: () => trace.stop() };
  } catch (error) {
    await trace.stop();
    throw error;
  }
}

/** Gathers all facts around a failed attempt and judges them. */
export async function explainFailure(failure: FailureCase): Promise<ExplainedFailure> {
  const { namespace, direction, handshake, closer } = failure;
  const { host, spec } = namespace.access;
  const attempt = attemptOf(failure);
  const scope: BaselineScope = {
    side: namespace.sideOf(direction),
    port: handshake.server.port,
    server: handshake.server.address,
  };
  const baseline = closer?.baseline ?? (await namespace.snapshots?.before(handshake.startedAtNs, scope, host));
  const names = namespace.network.names;
  const known: Facts = {
    surroundings: { value: failure.surroundings.about(handshake.client.address, failure.syns), source: 'capture' },
    neighbourActivity: { value: neighbourActivityOf(namespace.attempts.history, names), source: 'capture' },
    ...(closer === undefined ? {} : { kernelTrace: closer.trace.trace(attempt) }),
  };
  const [facts, { CAUSES }] = await Promise.all([
    gatherFacts(host, HOST_COLLECTORS, { ...scope, attempt, known }, baseline),
    import('../../causes/index.ts'),
  ]);
  addChanges(facts, namespace, handshake);
  const machine = facts.machine;
  const hostName = machine === undefined || isUnavailable(machine) ? 'this host' : machine.value.hostname;
  const diagnosis = diagnoseAttempt(CAUSES, {
    attempt,
    handshake,
    facts,
    hostName,
    context: {
      name: 'capture',
      firstNs: handshake.startedAtNs,
      lastNs: handshake.endedAtNs,
      server: { attempts: 1, established: 0 },
    },
    ...(spec === 'local' ? {} : { on: spec }),
  });
  return { diagnosis, notSeen: notSeen(facts) };
}

function attemptOf({ namespace, direction, handshake }: FailureCase): Attempt {
  const { history } = namespace.attempts;
  const sightings = sightingsOf(history, handshake, namespace.network.names).flatMap(onBothWays);
  const attempt = watchedAttempt(handshake, namespace.sideOf(direction), sightings);
  const foreign = direction === 'outbound' ? foreignAnswers(history, handshake) : [];
  return foreign.length === 0 ? attempt : { ...attempt, foreignAnswers: foreign };
}

/** The filter takes a packet on loopback once, on its way in: it went out there as well. */
function onBothWays(sighting: Sighting): Sighting[] {
  return sighting.device === 'lo' && sighting.direction === 'in'
    ? [{ ...sighting, direction: 'out' }, sighting]
    : [sighting];
}

/** Changes longer ago than this have been lived with. */
const RECENT_MS = 30 * 60_000;

/** Puts what changed since the watch began, the latest first, before what the journal knows. */
function addChanges(facts: Facts, { network }: NamespaceWatch, handshake: Handshake): void {
  const firstMs = Number(handshake.startedAtNs / 1_000_000n);
  const undone = new Set<string>();
  const changes: NetworkChange[] = [];
  for (const { atNs, what, subject, text } of network.changes.toReversed()) {
    const beforeMs = firstMs - Number(atNs / 1_000_000n);
    if (beforeMs > RECENT_MS) break;
    if (what === 'route-added' || what === 'link-up' || what === 'address-added') undone.add(subject);
    // What came back by now is not what is wrong.
    else if (undone.has(subject)) continue;
    changes.push({ beforeMs, what, text: what === 'route-deleted' ? subject : text, source: 'rtnetlink' });
  }
  if (changes.length === 0) return;
  const journal = facts.networkChanges;
  const others = journal === undefined || isUnavailable(journal) ? [] : journal.value;
  facts.networkChanges = { value: [...changes, ...others], source: 'rtnetlink' };
}
