import { uncertaintyNs, usualDelayNs } from '../handshake/compare/coverage.ts';
import type { SightedSegment } from '../handshake/compare/sighting.ts';
import type { PathPoint, PathStory } from './path-story.ts';

/** Beyond the uncertainty of the clocks: what queues may add. */
const SLACK_NS = 100e6;

/** Which packets of one point were also seen at another. */
export interface SharedPackets {
  readonly shared: readonly SightedSegment[];
  /** Seen at the first point only. */
  readonly missing: readonly SightedSegment[];
}

/**
 * Finds packets again at another point: by TSval where both have one, since every retransmission has its own, otherwise by
 * time, and without clocks by order.
 */
export function findAgain(
  story: PathStory,
  from: PathPoint,
  packets: readonly SightedSegment[],
  at: PathPoint,
  candidates: readonly SightedSegment[],
): SharedPackets {
  const shared: SightedSegment[] = [];
  const missing: SightedSegment[] = [];
  const free = new Set(candidates);
  const tolerance = toleranceNs(story, from, at);
  const late: SightedSegment[] = [];
  for (const packet of packets) {
    const stamped = packet.segment.tsval;
    const twin = stamped === undefined ? undefined : [...free].find(({ segment }) => segment.tsval === stamped);
    if (twin === undefined) late.push(packet);
    else {
      free.delete(twin);
      shared.push(packet);
    }
  }
  const restamped = shared.length > 0;
  for (const packet of late) {
    const twin = nearest(packet, free, tolerance, restamped);
    if (twin === undefined) missing.push(packet);
    else {
      free.delete(twin);
      shared.push(packet);
    }
  }
  shared.sort((a, b) => a.ns - b.ns);
  return { shared, missing };
}

/** How far apart the times of one packet at two points may be. */
export function toleranceNs({ comparison }: PathStory, a: PathPoint, b: PathPoint): number {
  const unsure = uncertaintyNs(comparison, a.capture) + uncertaintyNs(comparison, b.capture);
  return SLACK_NS + unsure + usualDelayNs(comparison, a.capture) + usualDelayNs(comparison, b.capture);
}

/** Where timestamps prove to survive, a packet with another timestamp is another packet. */
function nearest(
  packet: SightedSegment,
  candidates: ReadonlySet<SightedSegment>,
  toleranceNs: number,
  stampsSurvive: boolean,
): SightedSegment | undefined {
  let best: SightedSegment | undefined;
  for (const candidate of candidates) {
    if (stampsSurvive && packet.segment.tsval !== undefined && candidate.segment.tsval !== undefined) continue;
    const distance = Math.abs(candidate.ns - packet.ns);
    if (distance <= toleranceNs && (best === undefined || distance < Math.abs(best.ns - packet.ns))) best = candidate;
  }
  return best;
}
