import { clockBasis, leastTrust, windowOf } from '../handshake/compare/coverage.ts';
import type { SightedSegment } from '../handshake/compare/sighting.ts';
import { formatQuantity } from '../model/text.ts';
import { absenceOf, answerTrust } from './path-reach.ts';
import { findAgain, toleranceNs } from './path-shared-packets.ts';
import type { PathPoint, PathStory } from './path-story.ts';
import {
  confidenceOf,
  frameList,
  fromTo,
  type PathFinding,
  serverOf,
  someOf,
  sourceOf,
  supports,
} from './path-words.ts';

/** The server answered: was the answer lost, rejected by the client, or the client's ACK lost or ignored? */
export function judgeAnswer(story: PathStory): PathFinding | undefined {
  const { near, far, last } = story;
  if (near.answers.length === 0) {
    if (near.wrongAnswers.length > 0) return wrongAnswer(story);
    return far === last && last.answers.length > 0 && last !== near ? answerLost(story) : undefined;
  }
  if (last === near || last.answers.length === 0) return undefined;
  if (isOtherHandshake(story)) return proxied(story);
  if (last.acks.length > 0) return ignoredAck(story);
  if (near.acks.length > 0) return ackLost(story);
  return rejected(story);
}

function answerLost(story: PathStory): PathFinding | undefined {
  const { near, last, points } = story;
  const nearest = points.find((point) => point.answers.length > 0)!;
  const before = points.slice(0, points.indexOf(nearest)).findLast(({ sighting }) => sighting !== undefined) ?? near;
  const absence = absenceOf(story, before, nearest, nearest.answers);
  const trust = leastTrust(absence.trust, answerTrust(story, before));
  if (trust === 'none') return undefined;
  const sent = last.answers.length;
  const passed = nearest === last ? '' : `, passed ${nearest.name} (${frameList(nearest.answers)})`;
  const several = sent > 1;
  return {
    location: 'answer-lost',
    sentence: `The server answered the ${near.syns.length > 1 ? 'SYNs' : 'SYN'} ${fromTo(story)}: ${formatQuantity(sent, 'SYN-ACK')} left ${last.name} (${frameList(last.answers)})${passed} and ${several ? 'none' : 'it never'} reached ${before.name}: lost on the way back.`,
    confidence: confidenceOf(trust),
    between: [before.name, nearest.name],
    shown: [
      { point: last, packets: last.answers },
      { point: near, packets: near.syns },
    ],
    evidence: [
      supports(`${formatQuantity(sent, 'SYN-ACK')} left the server's side`, sourceOf(last, last.answers), 'conclusive'),
      supports(`${formatQuantity(near.syns.length, 'SYN')} left and no SYN-ACK arrived`, sourceOf(before, before.syns)),
    ],
  };
}

function wrongAnswer(story: PathStory): PathFinding {
  const { near, last } = story;
  const answer = near.wrongAnswers[0]!.segment;
  const isn = near.sighting.handshake.clientIsn ?? 0;
  const reset = near.clientResets.length > 0 ? ` and answered with RST ${frameList(near.clientResets)}` : '';
  const made =
    last === near || last.sighting === undefined
      ? ''
      : last.answers.length > 0
        ? ` The server's own SYN-ACK (${frameList(last.answers)} in ${last.name}) was right: something in between changed it.`
        : last.wrongAnswers.length > 0
          ? ` It left the server like that (${frameList(last.wrongAnswers)} in ${last.name}): the server still knows an older connection of this port.`
          : ` It never left ${last.name}: something in between made it.`;
  const kind = answer.kind === 'syn-ack' ? 'SYN-ACK' : 'ACK';
  return {
    location: 'client-rejected-answer',
    sentence: `The client could not use the answer to its SYN ${fromTo(story)}: ${kind} #${answer.frame} in ${near.name} acknowledges ${answer.ack}, not ${(isn + 1) >>> 0}; the client rejected it${reset}.${made}`,
    confidence: last.wrongAnswers.length > 0 && last !== near ? 'certain' : 'likely',
    shown: [
      { point: near, packets: [...near.wrongAnswers, ...near.clientResets] },
      ...(last === near ? [] : [{ point: last, packets: [...last.wrongAnswers, ...last.answers] }]),
    ],
    evidence: [
      supports(
        `${kind} acknowledges ${answer.ack}; the SYN calls for ${(isn + 1) >>> 0}`,
        sourceOf(near, near.wrongAnswers),
        'conclusive',
      ),
      ...(last.wrongAnswers.length > 0 && last !== near
        ? [supports('it left the server like that', sourceOf(last, last.wrongAnswers))]
        : []),
    ],
  };
}

/** The SYN-ACK at the client is not the server's: it came before the server was even asked, and differs. */
function isOtherHandshake(story: PathStory): boolean {
  const { near, last, comparison } = story;
  const [a, b] = [near.answers[0]!, last.answers[0]!];
  if (a.segment.seq === b.segment.seq) return false;
  if (last.answers.some(({ segment }) => segment.tsval !== undefined && segment.tsval === a.segment.tsval))
    return false;
  const asked = last.syns[0];
  if (asked === undefined || clockBasis(comparison, last.capture) === 'none') return false;
  return a.ns < b.ns - toleranceNs(story, near, last) / 2 || a.ns < asked.ns;
}

function proxied(story: PathStory): PathFinding {
  const { near, last } = story;
  const between = `The handshake that the client completed was answered by something in between: SYN-ACK ${frameList(near.answers.slice(0, 1))} in ${near.name} never left the server.`;
  const outcome = last.acks.length > 0 ? 'went on repeating its SYN-ACK' : 'got no ACK for its SYN-ACK';
  return {
    location: last.acks.length > 0 ? 'server-silent' : 'final-ack-lost',
    sentence: `There are two handshakes ${fromTo(story)}. ${between} Its own attempt at the server (${frameList(last.syns)} in ${last.name}) ${outcome} ${frameList(last.answers)}.`,
    confidence: 'likely',
    between: [near.name, last.name],
    shown: [
      { point: near, packets: [...near.syns, ...near.answers] },
      { point: last, packets: [...last.syns, ...last.answers] },
    ],
    evidence: [supports('the SYN-ACKs have different sequence numbers', sourceOf(last, last.answers))],
  };
}

function ignoredAck(story: PathStory): PathFinding | undefined {
  const { near, last } = story;
  if (last.sighting?.handshake.outcome !== 'half-open') return undefined;
  const repeats = last.answers.filter(({ ns }) => ns > last.acks[0]!.ns);
  if (repeats.length === 0) return undefined;
  return {
    location: 'server-silent',
    sentence: `The ACK of the client ${fromTo(story)} reached ${last.name} (${frameList(last.acks)}), and the server went on repeating its SYN-ACK (${frameList(repeats)}): it ignored the ACK.`,
    confidence: 'certain',
    shown: [
      { point: last, packets: [...last.acks, ...repeats] },
      { point: near, packets: near.acks },
    ],
    evidence: [
      supports('the ACK arrived', sourceOf(last, last.acks), 'conclusive'),
      supports(`the SYN-ACK was repeated ${repeats.length} times after it`, sourceOf(last, repeats), 'conclusive'),
    ],
  };
}

function ackLost(story: PathStory): PathFinding | undefined {
  const { near, last, points } = story;
  const deepest = points.findLast(({ acks }) => acks.length > 0) ?? near;
  const next = points.slice(points.indexOf(deepest) + 1).find(({ sighting }) => sighting !== undefined) ?? last;
  const absence = absenceOf(story, next, deepest, deepest.acks);
  if (absence.trust === 'none') return undefined;
  const unseen = mayLackAcks(story, next) && last.answers.length === 1;
  const pure = near.acks.filter(({ segment }) => segment.kind === 'ack');
  const acks = pure.length > 0 ? pure : near.acks;
  const repeated =
    last.answers.length > 1 ? `; the server went on repeating its SYN-ACK (${frameList(last.answers)})` : '';
  return {
    location: 'final-ack-lost',
    sentence: `${someOf(acks.length, acks.length, 'ACK')} ${fromTo(story)} (${frameList(acks)} in ${near.name}) never reached ${next.name}${repeated}: the client believes that it is connected, the server does not.`,
    confidence: confidenceOf(leastTrust(absence.trust, unseen ? 'guess' : 'certain')),
    between: [deepest.name, next.name],
    shown: [
      { point: near, packets: [...near.answers.slice(0, 1), ...near.acks] },
      { point: last, packets: last.answers },
    ],
    evidence: [
      supports(`${formatQuantity(acks.length, 'ACK')} left the client's side`, sourceOf(near, acks), 'conclusive'),
      supports(
        `${formatQuantity(last.answers.length, 'SYN-ACK')} sent and no ACK arrived`,
        sourceOf(last, last.answers),
      ),
    ],
  };
}

/** A capture without any ACK may be filtered for SYNs. */
function mayLackAcks({ comparison }: PathStory, { capture }: PathPoint): boolean {
  return comparison.columns[capture]!.capture.complete === undefined && comparison.traits[capture]!.acknowledged === 0;
}

/** Time in which a client acknowledges. */
const ACK_WITHIN_NS = 200e6;

function rejected(story: PathStory): PathFinding | undefined {
  const { near, last, comparison } = story;
  const arrived = findAgain(story, near, near.answers, last, last.answers);
  const resets = near.clientResets;
  const answer = near.answers[0]!;
  const { lastNs } = windowOf(comparison, near.capture);
  const shown = [
    { point: near, packets: [...near.answers, ...resets] },
    { point: last, packets: last.answers },
  ];
  const came = `SYN-ACK ${frameList(near.answers)} of ${serverOf(near)} reached ${near.name}`;
  if (resets.length > 0) {
    return {
      location: 'client-rejected-answer',
      sentence: `${came}, and the client ${fromTo(story)
        .replace(/ to .*/, '')
        .replace('from ', '')} rejected it with RST ${frameList(resets)}.`,
      confidence: 'certain',
      shown,
      evidence: [
        supports('the SYN-ACK arrived', sourceOf(near, near.answers), 'conclusive'),
        supports('the client answered it with a RST', sourceOf(near, resets), 'conclusive'),
      ],
    };
  }
  if (answer.ns + ACK_WITHIN_NS > lastNs) return undefined;
  const asks = near.syns.filter(({ ns }) => ns > answer.ns);
  const repeats: readonly SightedSegment[] = asks.length > 0 ? asks : near.answers.slice(1);
  if (repeats.length === 0 && mayLackAcks(story, near)) return undefined;
  const proof = asks.length > 0 ? `asked again (${frameList(asks)})` : 'sent nothing';
  return {
    location: 'client-rejected-answer',
    sentence: `${came} and the client ${proof}: it ignored the answer (a filter or a bad checksum on the client).`,
    confidence: repeats.length > 0 && arrived.shared.length > 0 ? 'certain' : 'likely',
    shown,
    evidence: [
      supports(
        `${formatQuantity(near.answers.length, 'SYN-ACK')} arrived and no ACK left`,
        sourceOf(near, near.answers),
        'conclusive',
      ),
    ],
  };
}
