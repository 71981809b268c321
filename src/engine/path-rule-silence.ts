import { leastTrust, type Trust, windowOf } from '../handshake/compare/coverage.ts';
import type { Evidence } from '../model/diagnosis.ts';
import { formatQuantity } from '../model/text.ts';
import { answerTrust, coveredBy, hopsToServer, mayHideIcmp } from './path-reach.ts';
import { findAgain } from './path-shared-packets.ts';
import type { PathPoint, PathStory } from './path-story.ts';
import { confidenceOf, frameList, fromTo, type PathFinding, someOf, sourceOf, supports } from './path-words.ts';

/** A server that answers does so within this time; later a client asks again. */
const ANSWER_WITHIN_NS = 200e6;

/** The SYN reached the last point, and nothing valid came out there. */
export function judgeSilence(story: PathStory): PathFinding | undefined {
  const { near, far, last } = story;
  if (far !== last || last.answers.length > 0 || last.syns.length === 0) return undefined;
  if (near === last) return undefined;
  if (last.wrongAnswers.length > 0 && near.wrongAnswers.length === 0 && near.answers.length === 0) {
    return wrongAnswerLost(story);
  }
  if (near.wrongAnswers.length > 0 && near.answers.length === 0) return undefined;
  const found = findAgain(story, near, near.syns, last, last.syns);
  const missing = coveredBy(story, last, near, found.missing);
  const total = last.syns.length + missing.length;
  const reached = last.syns.length;
  const proxied = near.answers.length > 0;
  const hops = hopsToServer(story, last) ?? 0;
  const who =
    hops > 0
      ? `the server, or one of the ${formatQuantity(hops, 'hop')} before it, stayed silent`
      : 'the server stayed silent';
  const lost =
    missing.length > 0 && reached < total
      ? ` The other ${missing.length === 1 ? 'one was' : `${missing.length} were`} lost before it (${frameList(missing)} in ${near.name}).`
      : '';
  const between = proxied
    ? ` The handshake that the client completed was answered by something in between: SYN-ACK ${frameList(near.answers.slice(0, 1))} in ${near.name} never left the server.`
    : '';
  const came = `${someOf(reached, total, 'SYN')} ${fromTo(story)} reached ${last.name} (${frameList(last.syns)})`;
  const evidence: Evidence[] = [
    supports(`${formatQuantity(near.syns.length, 'SYN')} left the client's side`, sourceOf(near, near.syns)),
    supports(
      `${formatQuantity(reached, 'SYN')} arrived, and no SYN-ACK, RST or ICMP error left`,
      sourceOf(last, last.syns),
    ),
  ];
  if (answerTrust(story, last) === 'none') return undefined;
  const trust = leastTrust(proxied ? 'likely' : 'certain', silenceTrust(story, hops));
  return {
    location: 'server-silent',
    sentence: `${came} and no SYN-ACK left: ${who}.${lost}${between}`,
    confidence: confidenceOf(trust),
    shown: [
      { point: last, packets: last.syns },
      { point: near, packets: [...near.syns, ...near.answers] },
    ],
    evidence,
  };
}

function silenceTrust(story: PathStory, hops: number): Trust {
  const { comparison, last, near } = story;
  const { lastNs } = windowOf(comparison, last.capture);
  const waited = last.syns.some(({ ns }) => ns + ANSWER_WITHIN_NS <= lastNs);
  let trust = answerTrust(story, last);
  if (!waited) trust = leastTrust(trust, 'guess');
  if (hops > 1) trust = leastTrust(trust, 'likely');
  if (mayHideIcmp(story, last) || mayHideIcmp(story, near)) trust = leastTrust(trust, 'likely');
  if (comparison.traits[last.capture]!.lossRate ** last.syns.length > 1e-3) trust = leastTrust(trust, 'likely');
  return trust;
}

function wrongAnswerLost(story: PathStory): PathFinding {
  const { near, last } = story;
  const answer = frameList(last.wrongAnswers);
  return {
    location: 'answer-lost',
    sentence: `The server answered the SYN ${fromTo(story)} for another connection that it still knows (${answer} in ${last.name}), and that answer never reached ${near.name}.`,
    confidence: 'likely',
    between: betweenOf(near, last),
    shown: [
      { point: last, packets: last.wrongAnswers },
      { point: near, packets: near.syns },
    ],
    evidence: [
      supports('the answer acknowledges something that the client did not send', sourceOf(last, last.wrongAnswers)),
    ],
  };
}

function betweenOf(a: PathPoint, b: PathPoint): readonly [string, string] {
  return [a.name, b.name];
}
