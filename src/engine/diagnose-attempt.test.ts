import { describe, expect, it } from 'vitest';
import { CAUSES } from '../causes/index.ts';
import {
  EXAMPLE_ATTEMPT,
  exampleCounters,
  HEALTHY_LISTENER,
  NO_ROUTE_BACK,
  ROUTE_BACK,
} from '../causes/shared-examples.ts';
import { type Cause, contradicts, defineCause, supports } from '../model/cause.ts';
import type { EvidenceWeight } from '../model/diagnosis.ts';
import type { Attempt } from '../model/facts/attempt.ts';
import type { Handshake } from '../model/handshake.ts';
import { diagnoseAttempt, notSeen } from './diagnose-attempt.ts';
import type { FactSet } from './judge-causes.ts';
import { judgeCauses } from './judge-causes.ts';
import { weigh } from './weigh.ts';

const ATTEMPT: Attempt = { ...EXAMPLE_ATTEMPT, syns: 2 };
const HANDSHAKE: Handshake = {
  client: ATTEMPT.client,
  server: ATTEMPT.server,
  outcome: 'no-reply',
  stage: 'syn',
  segments: [],
  omittedSegments: 0,
  synRetransmissions: 1,
  synAckRetransmissions: 0,
  startedAtNs: 0n,
  endedAtNs: 1_000_000_000n,
  encapsulation: [],
  findings: [],
};

function read<T>(value: T): { value: T; source: string } {
  return { value, source: 'test' };
}

function diagnose(
  facts: FactSet,
  causes: readonly Cause[] = CAUSES,
  attempt: Attempt = ATTEMPT,
): ReturnType<typeof diagnoseAttempt> {
  return diagnoseAttempt(causes, {
    attempt,
    handshake: HANDSHAKE,
    facts: { attempt: read(attempt), ...facts },
    hostName: 'web7',
    context: { name: 'capture', firstNs: 0n, lastNs: 1n, server: { attempts: 1, established: 0 } },
  });
}

/** A cause that finds what it is told. */
function told(
  id: string,
  step: Cause['step'],
  ...found: readonly (readonly ['for' | 'against', EvidenceWeight])[]
): Cause {
  return defineCause({
    id,
    title: `Title of ${id}`,
    place: 'server',
    step,
    sides: ['server'],
    needs: ['attempt'],
    assess: () =>
      found.map(([bearing, weight]) =>
        (bearing === 'for' ? supports : contradicts)(weight, 'attempt', `${bearing} ${id}`),
      ),
    sentence: () => `It is ${id}`,
    explanation: '',
    scenario: { impossible: 'it is made up' },
    examples: [],
    references: [],
  });
}

describe('weighing', () => {
  it.each([
    [['for', 'conclusive'], [], 'confirmed'],
    [['for', 'conclusive'], ['against', 'moderate'], 'confirmed'],
    [['for', 'conclusive'], ['against', 'strong'], 'likely'],
    [['for', 'conclusive'], ['against', 'conclusive'], 'ruled-out'],
    [['for', 'strong'], [], 'likely'],
    [['for', 'strong'], ['against', 'strong'], 'ruled-out'],
    [['for', 'moderate'], [], 'possible'],
    [['for', 'moderate'], ['against', 'moderate'], 'not-indicated'],
    [[], [], 'not-indicated'],
  ] as const)('%j and %j is %s', (first, second, status) => {
    const evidence = [first, second].flatMap((one) =>
      one.length === 0 ? [] : [(one[0] === 'for' ? supports : contradicts)(one[1], 'attempt', 'x')],
    );
    expect(weigh(evidence).status).toBe(status);
  });

  it('never confirms by adding up what is not conclusive', () => {
    expect(weigh(Array.from({ length: 50 }, () => supports('strong', 'attempt', 'x'))).status).toBe('likely');
  });
});

describe('a diagnosis', () => {
  it('names the confirmed cause that the packet meets first, and the others as suspects', () => {
    const late = told('late-one', 'server-reply-route', ['for', 'conclusive'], ['for', 'strong']);
    const early = told('early-one', 'server-filter-in', ['for', 'conclusive']);
    const { cause, suspects } = diagnose({}, [late, early]);
    expect(cause).toMatchObject({ id: 'early-one', status: 'confirmed' });
    expect(suspects).toEqual([{ id: 'late-one', status: 'confirmed' }]);
  });

  it('names both and neither when two are as likely', () => {
    const { cause, sentence, suspects } = diagnose({}, [
      told('a', 'server-ip-in', ['for', 'strong']),
      told('b', 'server-ip-in', ['for', 'strong']),
    ]);
    expect(cause).toBeNull();
    expect(sentence).toContain('Title of a');
    expect(sentence).toContain('Title of b');
    expect(suspects.map(({ id }) => id)).toEqual(['a', 'b']);
  });

  it('names a likely cause when no other comes near it', () => {
    const { cause, sentence } = diagnose({}, [
      told('a', 'server-ip-in', ['for', 'strong'], ['for', 'weak']),
      told('b', 'server-ip-in', ['for', 'moderate']),
    ]);
    expect(cause).toMatchObject({ id: 'a', status: 'likely' });
    expect(sentence).toMatch(/^Most likely/);
  });

  it('leaves an attempt that was established alone', () => {
    const attempt = { ...ATTEMPT, synAcks: 1 };
    const diagnosis = diagnoseAttempt([told('a', 'server-filter-in', ['for', 'conclusive'])], {
      attempt,
      handshake: { ...HANDSHAKE, outcome: 'established', stage: 'established', synRetransmissions: 0 },
      facts: { attempt: read(attempt) },
      hostName: 'web7',
      context: { name: 'capture', firstNs: 0n, lastNs: 1n, server: { attempts: 1, established: 1 } },
    });
    expect(diagnosis.cause).toBeNull();
  });

  it('makes a bug of one cause undetermined and judges the others', () => {
    const broken: Cause = {
      ...told('broken', 'server-ip-in'),
      assess: () => (undefined as unknown as { length: number }).length as never,
    };
    const [first, ...others] = judgeCauses([broken, told('a', 'server-ip-in', ['for', 'conclusive'])], {
      attempt: read(ATTEMPT),
    });
    expect(first).toMatchObject({ cause: { id: 'a' }, status: 'confirmed' });
    expect(others[0]).toMatchObject({ status: 'undetermined' });
    expect(others[0]?.reason).toContain('bug');
  });

  it('says why a cause cannot be judged, and what would help', () => {
    const facts: FactSet = {
      outgoingRoute: { unavailable: 'not-found', reason: 'there is no ip(8) here', hint: 'install iproute2' },
    };
    const { undetermined } = diagnose(facts);
    expect(undetermined).toContainEqual({
      id: 'no-return-route',
      reason: 'there is no ip(8) here',
      hint: 'install iproute2',
    });
    expect(notSeen(facts)).toEqual([{ reason: 'there is no ip(8) here', hint: 'install iproute2' }]);
  });

  it('never calls a host well of which the essential could not be read', () => {
    const supposed = { ...ATTEMPT, observed: false };
    expect(diagnose({}, [], supposed)).toMatchObject({ cause: null, incomplete: true, supposed: true });
    expect(diagnose({}, [], supposed).sentence).toContain('not everything could be read');
  });
});

describe('the case that started it', () => {
  const facts: FactSet = {
    outgoingRoute: read(NO_ROUTE_BACK),
    sockets: read({
      ...HEALTHY_LISTENER,
      matching: HEALTHY_LISTENER.matching.map((one) => ({ ...one, drops: 2, dropsDelta: 2 })),
    }),
    counters: read(exampleCounters({ TcpExtListenDrops: 2, Ip6OutNoRoutes: 2 })),
    sysctls: read({}),
  };

  it('is confirmed from a route lookup and two counters, with the queues ruled out', () => {
    const { cause, evidence, ruledOut, place } = diagnose(facts);
    expect(cause).toMatchObject({ id: 'no-return-route', status: 'confirmed' });
    expect(place).toBe('server');
    expect(evidence.map(({ statement }) => statement).join('\n')).toMatch(/ListenDrops \+2 and Ip6OutNoRoutes \+2/);
    expect(ruledOut.map(({ id }) => id)).toEqual(expect.arrayContaining(['accept-queue-full', 'syn-queue-full']));
  });

  it('is not confirmed by the same counters when there is a route', () => {
    expect(diagnose({ ...facts, outgoingRoute: read(ROUTE_BACK) }).cause?.id).not.toBe('no-return-route');
  });
});
