import { absenceOf, beyondFar } from './path-reach.ts';
import type { PathPoint, PathStory } from './path-story.ts';
import { confidenceOf, frameList, fromTo, type PathFinding, serverOf, sourceOf, supports } from './path-words.ts';

/** An ICMP error answered the SYN: by the server's host, or by a router. */
export function judgeIcmp(story: PathStory): PathFinding | undefined {
  const { near, last, points } = story;
  if (near.answers.length > 0 || near.sighting.handshake.outcome === 'refused') return undefined;
  const deepest = points.findLast(({ icmps }) => icmps.length > 0);
  const error = (near.icmps[0] ?? deepest?.icmps[0])?.segment.icmp;
  if (deepest === undefined || error === undefined) return undefined;
  if (near.icmps.length === 0 && deepest.answers.length > 0) return undefined;
  if (!points.some(({ sighting }) => sighting?.handshake.outcome === 'unreachable')) return undefined;
  const source = deepest.icmps[0]!.segment.icmp!.from;
  const claimsServer = isServer(deepest, source) || isServer(near, error.from);
  const name = `"${error.name}" (ICMP${error.version === 6 ? 'v6' : ''} type ${error.type} code ${error.code})`;
  const frames = frameList(near.icmps.length > 0 ? near.icmps : deepest.icmps);
  const where = near.icmps.length > 0 ? near.name : deepest.name;
  const shown = points.filter(({ icmps }) => icmps.length > 0).map((point) => ({ point, packets: point.icmps }));
  const evidence = shown.map(({ point, packets }) =>
    supports(
      `ICMP error from ${packets[0]!.segment.icmp!.from}: ${error.name}`,
      sourceOf(point, packets),
      'conclusive',
    ),
  );
  const lost = near.icmps.length === 0 ? `; it never reached ${near.name}` : '';
  const asked = `SYN ${fromTo(story)}`;
  if (deepest === last) {
    const sent = isJustSent(last, source);
    if (isServer(last, source) || sent) {
      const self = isServer(last, source) ? `The server ${source}` : `The server's host (${source})`;
      return {
        location: 'icmp-from-server',
        sentence: `${self} answered the ${asked} with ICMP ${name}: ${frames} in ${where} left it in ${frameList(last.icmps)} of ${last.name}${lost}.`,
        confidence: sent || isServer(last, source) ? 'certain' : 'likely',
        shown,
        evidence,
      };
    }
    return {
      location: 'icmp-from-router',
      sentence: `The router ${source}, behind ${last.name}, answered the ${asked} with ICMP ${name} (${frames} in ${where})${lost}.`,
      confidence: 'likely',
      shown,
      evidence,
    };
  }
  const beyond = beyondFar(story);
  const seenByLast = last.sighting !== undefined;
  const trust = seenByLast ? absenceOf(story, last, deepest, deepest.icmps).trust : (beyond?.absence.trust ?? 'none');
  if (claimsServer && trust === 'none') {
    return {
      location: 'icmp-from-server',
      sentence: `${serverOf(near)} itself answered the ${asked} with ICMP ${name} (${frames} in ${where}); ${last.name} cannot confirm it.`,
      confidence: 'likely',
      shown,
      evidence,
    };
  }
  const who = claimsServer ? `Something in between, in the name of ${error.from},` : `The router ${error.from}`;
  const proof =
    trust === 'none'
      ? ''
      : seenByLast
        ? `, although the SYN reached ${last.name} (${frameList(last.syns)}) and no such error left there`
        : `, and the SYN never reached ${(beyond?.point ?? last).name}`;
  return {
    location: 'icmp-from-router',
    sentence: `${who} answered the ${asked} with ICMP ${name} (${frames} in ${where})${proof}.`,
    confidence:
      trust === 'none' ? 'likely' : claimsServer ? (trust === 'certain' ? 'likely' : 'guess') : confidenceOf(trust),
    ...(trust === 'none' ? {} : { between: [deepest.name, (beyond?.point ?? last).name] as const }),
    shown,
    evidence,
  };
}

function isServer({ sighting }: PathPoint, address: string): boolean {
  if (sighting === undefined) return false;
  return [sighting.handshake, ...sighting.others].some(({ server }) => server.address === address);
}

/** Whether the error left the very host that captured it. */
function isJustSent({ icmps }: PathPoint, from: string): boolean {
  return icmps.some(
    ({ segment }) => segment.icmp?.from === from && segment.seen === 'outgoing' && [64, 128, 255].includes(segment.ttl),
  );
}
