import { type Absence, absenceAt, covers, type Trust } from '../handshake/compare/coverage.ts';
import type { SightedSegment } from '../handshake/compare/sighting.ts';
import type { PathPoint, PathStory } from './path-story.ts';

/** The next point towards the server that would have shown packets that the farthest point saw. */
export interface Beyond {
  readonly point: PathPoint;
  readonly absence: Absence;
}

/** The next point behind the farthest that saw the SYN and can be relied on; undefined when there is none. */
export function beyondFar(story: PathStory): Beyond | undefined {
  const { points, far } = story;
  for (const point of points.slice(points.indexOf(far) + 1)) {
    const absence = absenceOf(story, point, far, far.syns);
    if (absence.trust !== 'none') return { point, absence };
  }
  return undefined;
}

/** Whether `point` would have shown `packets`, which `from` saw. */
export function absenceOf(
  { comparison, story }: PathStory,
  point: PathPoint,
  from: PathPoint,
  packets: readonly SightedSegment[],
): Absence {
  const times = packets.map(({ ns }) => ns);
  return absenceAt(comparison, point.capture, from.capture, story, times);
}

/** Those of `packets`, seen at `from`, that passed `point` while it captured. */
export function coveredBy(
  { comparison }: PathStory,
  point: PathPoint,
  from: PathPoint,
  packets: readonly SightedSegment[],
): readonly SightedSegment[] {
  return packets.filter(({ ns }) => covers(comparison, point.capture, ns, from.capture));
}

/** Whether what a capture does not show of a server was not there: does it show answers at all, and all of them? */
export function answerTrust({ comparison }: PathStory, point: PathPoint): Trust {
  const { complete } = comparison.columns[point.capture]!.capture;
  if (complete !== undefined) return complete;
  const { answered, missedAnswers } = comparison.traits[point.capture]!;
  if (answered === 0) return missedAnswers > 0 ? 'none' : 'likely';
  if (missedAnswers * 5 > answered) return 'guess';
  return missedAnswers * 200 > answered ? 'likely' : 'certain';
}

/** Routers between a point and the server, when TTLs show it. */
export function hopsToServer({ comparison }: PathStory, point: PathPoint): number | undefined {
  return comparison.traits[point.capture]!.hopsFromServer;
}

const ETHERNET_TAGGED = 18;
/** IPv6 header, ICMPv6 header, quoted IPv6 header, quoted ports and sequence number. */
const ICMPV6_QUOTE = 40 + 8 + 40 + 8;
const ICMPV4_QUOTE = 20 + 8 + 20 + 8;

/** Whether an ICMP error could be in a capture without being recognised: its quote was cut. */
export function mayHideIcmp({ comparison, near }: PathStory, point: PathPoint): boolean {
  const snap = comparison.columns[point.capture]!.capture.snapLength ?? 0;
  if (snap === 0) return false;
  const ipv6 = near.sighting.handshake.server.address.includes(':');
  return snap < ETHERNET_TAGGED + (ipv6 ? ICMPV6_QUOTE : ICMPV4_QUOTE);
}
