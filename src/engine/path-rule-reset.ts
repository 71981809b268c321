import { hopsOf } from '../handshake/compare/point-traits.ts';
import type { Evidence } from '../model/diagnosis.ts';
import { absenceOf, beyondFar, hopsToServer } from './path-reach.ts';
import type { PathStory } from './path-story.ts';
import {
  confidenceOf,
  contradicts,
  frameList,
  fromTo,
  type PathFinding,
  serverOf,
  sourceOf,
  supports,
} from './path-words.ts';

/** A RST ended it: whose? */
export function judgeReset(story: PathStory): PathFinding | undefined {
  const { near, last, points } = story;
  const nearRefused =
    near.sighting.handshake.outcome === 'refused' || (near.resets.length > 0 && !near.sighting.acknowledged);
  if (nearRefused && near.resets.length > 0) {
    const deepest = points.findLast(({ resets }) => resets.length > 0)!;
    return deepest === last ? byServer(story) : byMiddlebox(story, deepest.name);
  }
  if (last !== near && last.resets.length > 0 && last.sighting?.handshake.outcome === 'refused') return byServer(story);
  return towardsServer(story);
}

function byServer(story: PathStory): PathFinding {
  const { near, last, points } = story;
  const hops = hopsToServer(story, last);
  const lost = near.resets.length === 0;
  const after = last.acks.length > 0 ? ' after the handshake was complete on the wire' : '';
  const left = `RST ${frameList(last.resets)} left ${last.name}`;
  const arrived = lost
    ? `, but never reached ${near.name}`
    : last === near
      ? ''
      : ` and is ${frameList(near.resets)} in ${near.name}`;
  return {
    location: 'refused-by-server',
    sentence: `${serverOf(near)} refused the SYN ${fromTo(story).replace(/ to .*/, '')}${after}: ${left}${arrived}.`,
    confidence: last === near ? 'guess' : hops !== undefined && hops > 1 ? 'likely' : 'certain',
    shown: points.filter(({ resets }) => resets.length > 0).map((point) => ({ point, packets: point.resets })),
    evidence: [
      supports(
        `the RST left the server's side (TTL ${last.resets[0]!.segment.ttl})`,
        sourceOf(last, last.resets),
        'conclusive',
      ),
      ...(lost ? [] : [supports('the client received it', sourceOf(near, near.resets))]),
    ],
  };
}

function byMiddlebox(story: PathStory, deepest: string): PathFinding | undefined {
  const { near, last } = story;
  const [seen, name] = [last.sighting !== undefined, last.name];
  const beyond = beyondFar(story);
  const trust = seen ? absenceOf(story, last, near, near.resets).trust : (beyond?.absence.trust ?? 'none');
  if (trust === 'none') return undefined;
  const evidence: Evidence[] = [
    supports(`a RST in the name of ${serverOf(near)} arrived`, sourceOf(near, near.resets)),
  ];
  const rst = near.resets[0]!.segment;
  let fate: string;
  if (!seen) {
    fate = `the SYN (${frameList(near.syns)}) never reached ${(beyond?.point ?? last).name}`;
    evidence.push(supports('the SYN is not in this capture', (beyond?.point ?? last).name));
  } else if (last.answers.length > 0) {
    fate = `the server had answered with SYN-ACK ${frameList(last.answers)} in ${name} and sent no RST`;
    evidence.push(supports('the server sent a SYN-ACK and no RST', sourceOf(last, last.answers), 'conclusive'));
  } else {
    fate = `the SYN reached ${name} (${frameList(last.syns)}), and no RST left there`;
    evidence.push(supports('the SYN arrived and no RST left', sourceOf(last, last.syns)));
  }
  const answer = near.answers[0]?.segment;
  if (answer !== undefined && Math.abs(hopsOf(answer.ttl) - hopsOf(rst.ttl)) > 1) {
    evidence.push(supports(`TTL ${rst.ttl}, where the SYN-ACK has ${answer.ttl}`, sourceOf(near, near.resets)));
  } else if (answer !== undefined) {
    evidence.push(
      contradicts(`TTL ${rst.ttl}, about as the SYN-ACK (${answer.ttl})`, sourceOf(near, near.resets), 'weak'),
    );
  }
  return {
    location: 'refused-by-middlebox',
    sentence: `Something in between refused the SYN ${fromTo(story)}: RST ${frameList(near.resets)} in ${near.name} (TTL ${rst.ttl}) did not come from the server; ${fate}.`,
    confidence: confidenceOf(trust),
    between: [deepest, (seen ? last : (beyond?.point ?? last)).name],
    shown: [
      { point: near, packets: near.resets },
      { point: near, packets: near.syns },
      ...(seen ? [{ point: last, packets: [...last.syns, ...last.answers] }] : []),
    ],
    evidence,
  };
}

/** The server received a RST that the client never sent. */
function towardsServer(story: PathStory): PathFinding | undefined {
  const { near, last } = story;
  if (last === near || last.sighting?.handshake.outcome !== 'abandoned') return undefined;
  if (last.clientResets.length === 0 || near.clientResets.length > 0 || near.sighting.proved) return undefined;
  const { trust } = absenceOf(story, near, last, last.clientResets);
  if (trust === 'none') return undefined;
  return {
    location: 'refused-by-middlebox',
    sentence: `Something in between ended the attempt ${fromTo(story)}: RST ${frameList(last.clientResets)} arrived at ${last.name} in the name of the client, and ${near.name} shows that the client sent none.`,
    confidence: confidenceOf(trust),
    between: [near.name, last.name],
    shown: [
      { point: last, packets: last.clientResets },
      { point: near, packets: near.syns },
    ],
    evidence: [
      supports('a RST in the name of the client arrived', sourceOf(last, last.clientResets)),
      supports('the client sent no RST', sourceOf(near, near.syns)),
    ],
  };
}
