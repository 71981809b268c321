import { windowOf } from '../handshake/compare/coverage.ts';
import { formatEndpoint, formatHost } from '../model/flow.ts';
import { formatQuantity } from '../model/text.ts';
import { absenceOf } from './path-reach.ts';
import type { PathPoint, PathStory } from './path-story.ts';
import { frameList, fromTo, type PathFinding, sourceOf, supports } from './path-words.ts';

/** Not enough was seen to say where it died; says why. */
export function judgeUnmatched(story: PathStory): PathFinding {
  const { near, points } = story;
  const blind = points.find((point) => point !== near && point.sighting === undefined);
  const packets = near.syns.length > 0 ? near.syns : near.sighting.segments;
  const what = `the attempt ${fromTo(story)} (${frameList(packets)} in ${near.name})`;
  const why = blind === undefined ? inconclusive(story) : whyBlind(story, blind);
  return {
    location: 'unmatched',
    sentence: `Cannot say where ${what} died: ${why}.`,
    confidence: 'guess',
    shown: [{ point: near, packets }],
    evidence: [supports(`outcome here: ${near.sighting.handshake.outcome}`, sourceOf(near, packets), 'weak')],
  };
}

function whyBlind(story: PathStory, point: PathPoint): string {
  const { comparison, near } = story;
  const { server } = near.sighting.handshake;
  const packets = near.syns.length > 0 ? near.syns : near.sighting.segments;
  const absence = absenceOf(story, point, near, packets);
  const shares = comparison.traits[point.capture]!.sharedClients.size;
  switch (absence.reason) {
    case 'nothing-shared':
      return `${point.name} holds nothing of ${formatHost(server.address)} and no attempt in common with ${near.name}: another interface or filter, another time, or addresses and sequence numbers that are rewritten on the way`;
    case 'server-unknown':
      return `${point.name} shares ${formatQuantity(shares, 'client')} with other captures but holds nothing of ${formatEndpoint(server)}: a filter, or another way`;
    case 'outside-window': {
      const window = windowOf(comparison, point.capture);
      const last = packets.at(-1)!.ns;
      if (packets[0]!.ns > window.lastNs) return `${point.name} had ended before it began`;
      if (last < window.firstNs) return `${point.name} began after it`;
      return `it lies at the edge of the time that both captures cover`;
    }
    default:
      return `${point.name} does not show it`;
  }
}

function inconclusive({ near, last, comparison }: PathStory): string {
  const one = [near, last].find(({ capture }) => comparison.traits[capture]!.answered === 0);
  if (one !== undefined) return `${one.name} shows only one direction`;
  if (near.answers.length > 0 && comparison.traits[near.capture]!.acknowledged === 0) {
    return `${near.name} holds no ACK of any attempt, so it may be filtered for SYNs`;
  }
  const ended = last.sighting?.handshake.outcome === 'in-progress' ? last.name : near.name;
  return `${ended} does not cover enough of it to tell`;
}
