import { describe, expect, it } from 'vitest';
import { compareTracked } from '../handshake/compare/comparison.ts';
import type { TrackedCapture } from '../handshake/compare/tracked-capture.ts';
import type { Cause, CauseEvidence, PathStep } from '../model/cause.ts';
import type { Diagnosis } from '../model/diagnosis.ts';
import type { Attempt, Side } from '../model/facts/attempt.ts';
import type { Handshake } from '../model/handshake.ts';
import { type AttemptCase, diagnoseAttempt } from './diagnose-attempt.ts';
import { type EndView, joinAttempt } from './join-attempt.ts';
import type { RouterFinding } from './join-router.ts';
import { judgePath } from './judge-path.ts';
import { type PathStory, pathStory } from './path-story.ts';
import { FAILED, Recorder } from './testing/path-recorder.ts';

/** A cause that one side names with this certainty, whatever the facts are. */
function cause(id: string, step: PathStep, side: Side, weight: CauseEvidence['weight']): Cause {
  return {
    id,
    title: id,
    place: step.startsWith('path') ? 'path' : side,
    step,
    sides: [side],
    needs: ['attempt'],
    assess: ({ attempt }) =>
      attempt.side === side ? [{ statement: `${id} it is`, bearing: 'supports', weight, from: 'attempt' }] : [],
    sentence: () => `This host has ${id}`,
    explanation: '',
    scenario: { impossible: '' },
    examples: [],
    references: [],
  };
}

const NO_ROUTE = cause('no-return-route', 'server-reply-route', 'server', 'conclusive');
const OUTPUT_DROP = cause('client-output-drop', 'client-filter', 'client', 'conclusive');
const XDP = cause('xdp-drop', 'server-xdp', 'server', 'strong');
const LOST_BACK = cause('return-path-lost', 'path-back', 'server', 'strong');
const TRIES = [8.1, 9.1, 11.1];

/** Captures that missed nothing, with nothing else in them: nothing tells how their clocks relate. */
function story(client: Recorder, server: Recorder, ahead = 0n): PathStory {
  const whole = (capture: TrackedCapture): TrackedCapture => ({
    ...capture,
    lastNs: capture.lastNs + 2_000_000_000n,
    complete: 'certain',
  });
  server.syn({ at: 8, port: 1, isn: 1 });
  const far = whole(server.capture());
  const shifted = { ...far, baseNs: far.baseNs + ahead, firstNs: far.firstNs + ahead, lastNs: far.lastNs + ahead };
  const comparison = compareTracked([whole(client.capture()), shifted], true);
  return pathStory(comparison, 0)!;
}

function recorders(): [Recorder, Recorder] {
  const [client, server] = [new Recorder({ name: 'a', delay: 0 }), new Recorder({ name: 'web7', delay: 0.01 })];
  for (const at of TRIES) client.syn(FAILED, at);
  return [client, server];
}

function view(
  side: Side,
  name: string,
  causes: readonly Cause[],
  handshake: Handshake,
  more: Partial<Attempt> = {},
): EndView {
  const attempt: Attempt = {
    client: handshake.client,
    server: handshake.server,
    side,
    observed: true,
    captured: true,
    family: 4,
    syns: 3,
    synAcks: 0,
    sightings: [],
    icmpErrors: [],
    lastedMs: 3000,
    ...more,
  };
  const given: AttemptCase = {
    attempt,
    handshake,
    facts: { attempt: { value: attempt, source: 'capture' } },
    hostName: name,
    context: { name: 'capture', firstNs: 0n, lastNs: 0n, server: { attempts: 1, established: 0 } },
  };
  return { side, name, given, alone: diagnoseAttempt(causes, given) };
}

function joined(
  path: PathStory,
  causes: readonly Cause[],
  routers: readonly RouterFinding[] = [],
  more: Partial<Attempt> = {},
): Diagnosis {
  const { handshake } = path.near.sighting;
  return joinAttempt(causes, {
    story: path,
    path: judgePath(path),
    client: view('client', 'a', causes, handshake),
    server: view('server', 'web7', causes, handshake, more),
    routers,
  });
}

describe('where the attempt died decides who is believed', () => {
  it('the server, when the SYN reached it; what the client took for the cause is ruled out by the packets', () => {
    const [client, server] = recorders();
    for (const at of TRIES) server.syn(FAILED, at);
    const diagnosis = joined(story(client, server), [OUTPUT_DROP, NO_ROUTE]);
    expect(diagnosis).toMatchObject({
      cause: { id: 'no-return-route', status: 'confirmed' },
      path: { location: 'server-silent' },
      place: 'server',
      sentence: '3 SYNs reached web7 (#2, #3 and #4) and no SYN-ACK left: web7 has no-return-route.',
      ruledOut: [{ id: 'client-output-drop', statement: '3 SYNs reached web7 (#2, #3 and #4) and no SYN-ACK left' }],
    });
  });

  it.each([
    0n,
    3_600_000_000_000n,
    -90_000_000_000n,
  ])('the way, when the SYN never came, whatever the clocks say (%s ns)', (ahead) => {
    const diagnosis = joined(story(...recorders(), ahead), [NO_ROUTE]);
    expect(diagnosis).toMatchObject({
      cause: null,
      path: { location: 'lost-before-server', confidence: 'certain', between: ['a', 'web7'] },
      place: 'path',
    });
    expect(diagnosis.ruledOut.map(({ id }) => id)).toEqual(['no-return-route']);
  });

  it('the server again, for what takes packets before its capture sees them', () => {
    expect(joined(story(...recorders()), [NO_ROUTE, XDP]).cause).toMatchObject({ id: 'xdp-drop' });
  });

  it('the router, when it kept the packet: before anything that is only likely', () => {
    const router: RouterFinding = {
      name: 'a',
      packet: 'syn',
      cause: { id: 'router-no-route', status: 'confirmed', title: '', sentence: 'fw1 has no route' },
      evidence: [],
      remedies: [],
    };
    expect(joined(story(...recorders()), [XDP], [router])).toMatchObject({
      cause: { id: 'router-no-route' },
      place: 'path',
      suspects: [{ id: 'xdp-drop' }],
      sentence: '3 SYNs came to a (#1, #2 and #3) and none left it: fw1 has no route.',
    });
  });

  it('makes certain what both captures show', () => {
    const [client, server] = recorders();
    for (const at of TRIES) server.syn(FAILED, at).synAck(FAILED, at);
    const path = story(client, server);
    expect(view('server', 'web7', [LOST_BACK], path.near.sighting.handshake, { synAcks: 3 }).alone.cause?.status).toBe(
      'likely',
    );
    expect(joined(path, [LOST_BACK], [], { synAcks: 3 })).toMatchObject({
      cause: { id: 'return-path-lost', status: 'confirmed' },
      path: { location: 'answer-lost', between: ['a', 'web7'] },
    });
  });

  it('is never sure of a server that captured nothing', () => {
    const handshake = story(...recorders()).near.sighting.handshake;
    const server = view('server', 'web7', [NO_ROUTE], handshake, { observed: false, captured: false, syns: 0 });
    expect(server.alone.cause?.status).toBe('confirmed');
    expect(
      joinAttempt([NO_ROUTE], { server, client: view('client', 'a', [NO_ROUTE], handshake), routers: [] }),
    ).toMatchObject({
      cause: { id: 'no-return-route', status: 'likely' },
      sentence: 'Most likely web7 has no-return-route.',
    });
  });
});
