import { leastTrust } from '../handshake/compare/coverage.ts';
import { strangerAt } from '../handshake/compare/stranger.ts';
import { materialize } from '../handshake/materialize.ts';
import type { Evidence } from '../model/diagnosis.ts';
import { formatEndpoint } from '../model/flow.ts';
import { formatQuantity } from '../model/text.ts';
import { beyondFar, coveredBy, mayHideIcmp } from './path-reach.ts';
import type { PathPoint, PathStory } from './path-story.ts';
import { confidenceOf, frameList, fromTo, type PathFinding, someOf, sourceOf, supports } from './path-words.ts';

/** The SYNs did not come as far as the next point that would have shown them. */
export function judgeLoss(story: PathStory): PathFinding | undefined {
  const { near, far, last } = story;
  if (far === last || far.syns.length === 0) return undefined;
  const beyond = beyondFar(story);
  if (beyond === undefined) return undefined;
  if (near.answers.length > 0) return answeredInBetween(story, beyond.point);
  const { point, absence } = beyond;
  const expected = coveredBy(story, point, far, far.syns);
  const [count, all] = [expected.length, far.syns.length];
  const which = someOf(count, all, 'SYN');
  const left =
    count === 1
      ? `(${frameList(expected)} in ${far.name}) never arrived in`
      : `left ${far.name} (${frameList(expected)}) and none arrived in`;
  const edge = count < all ? ' (the others lie outside of the time that both captures cover)' : '';
  const again =
    far === near
      ? ''
      : `, although ${formatQuantity(near.syns.length, 'SYN')} left ${near.name} (${frameList(near.syns)})`;
  const evidence: Evidence[] = [
    supports(`${formatQuantity(all, 'SYN')} left`, sourceOf(far, far.syns)),
    supports(whyTrusted(absence.reason), point.name, absence.trust === 'certain' ? 'strong' : 'moderate'),
  ];
  const trust = mayHideIcmp(story, near) ? leastTrust(absence.trust, 'likely') : absence.trust;
  return {
    location: 'lost-before-server',
    sentence: `${which} ${fromTo(story)} ${left} ${point.name}${again}: lost in between${edge}.`,
    confidence: confidenceOf(trust),
    between: [far.name, point.name],
    shown: [{ point: far, packets: far.syns }, ...(far === near ? [] : [{ point: near, packets: near.syns }])],
    evidence,
  };
}

function whyTrusted(reason: string | undefined): string {
  switch (reason) {
    case 'clock':
      return 'it holds traffic of this server; how its clock relates is not known well';
    case 'unshared':
      return 'it holds traffic of this server, though none that the other capture has too';
    case 'other-clients':
      return 'it holds traffic of this server, though only of one other client';
    case 'capture-loss':
      return 'it holds traffic of this server, though it missed some packets';
    case 'complete':
      return 'it was captured there all the time, on every interface, and none of them came';
    case 'rewritten':
      return 'sequence numbers are rewritten on the way, so the attempt may be there unrecognised';
    default:
      return 'it holds other attempts to this server and was capturing at the time';
  }
}

/** The client got a SYN-ACK although nothing came to the server: two handshakes. */
function answeredInBetween(story: PathStory, point: PathPoint): PathFinding {
  const { near, far } = story;
  const beyond = point.name;
  const other = otherHalf(story, point);
  const answer = frameList(near.answers.slice(0, 1));
  return {
    location: 'unmatched',
    sentence: `Something in between (a proxy, a load balancer) answered the SYN ${fromTo(story)}: SYN-ACK ${answer} in ${near.name} belongs to a handshake that is not in ${beyond}, so what happened behind it is not told by this attempt.${other}`,
    confidence: 'likely',
    between: [far.name, beyond],
    shown: [{ point: near, packets: [...near.syns.slice(0, 1), ...near.answers.slice(0, 1)] }],
    evidence: [
      supports('a SYN-ACK arrived', sourceOf(near, near.answers)),
      supports('the SYN is not in this capture', beyond),
    ],
  };
}

/** The connection that a proxy may have made for this attempt: only time and port speak for it. */
function otherHalf({ comparison, near }: PathStory, point: PathPoint): string {
  const first = near.syns[0];
  if (first === undefined) return '';
  const row = strangerAt(comparison, point.capture, first.ns, near.sighting.handshake.server.port);
  if (row === undefined) return '';
  const { capture } = comparison.columns[point.capture]!;
  const { client, server, segments, outcome } = materialize(capture.table, row, capture.baseNs);
  return ` By time alone its other half may be #${segments[0]?.frame ?? '?'} in ${point.name}, from ${formatEndpoint(client)} to ${formatEndpoint(server)} (${outcome}).`;
}
