import type { Comparison } from '../handshake/compare/comparison.ts';
import { type SightedSegment, type Sighting, sightingOf } from '../handshake/compare/sighting.ts';

/** What one capture shows of one attempt, sorted by the part that the packets play. */
export interface PathPoint {
  readonly capture: number;
  readonly name: string;
  /** For commands. */
  readonly path: string;
  readonly sighting: Sighting | undefined;
  readonly syns: readonly SightedSegment[];
  /** SYN-ACKs that acknowledge the SYN. */
  readonly answers: readonly SightedSegment[];
  /** SYN-ACKs and ACKs that acknowledge something else. */
  readonly wrongAnswers: readonly SightedSegment[];
  readonly resets: readonly SightedSegment[];
  readonly clientResets: readonly SightedSegment[];
  readonly icmps: readonly SightedSegment[];
  /** Segments of the client that acknowledge a SYN-ACK. */
  readonly acks: readonly SightedSegment[];
}

/** One attempt at all capture points, from the client to the server. */
export interface PathStory {
  readonly comparison: Comparison;
  readonly story: number;
  readonly points: readonly PathPoint[];
  /** The first point that has the attempt: the client's side of the story. */
  readonly near: PathPoint & { readonly sighting: Sighting };
  /** The last point that has a SYN of it. */
  readonly far: PathPoint & { readonly sighting: Sighting };
  /** The last point of all: the nearest to the server. */
  readonly last: PathPoint;
}

/** Gathers one attempt from all captures; undefined when the attempt is in none. */
export function pathStory(comparison: Comparison, story: number): PathStory | undefined {
  const points = comparison.order.map((capture) => pathPoint(comparison, capture, story));
  const near = points.find(isSeen);
  if (near === undefined) return undefined;
  const far = points.filter(isSeen).findLast(({ syns }) => syns.length > 0) ?? near;
  return { comparison, story, points, near, far, last: points.at(-1)! };
}

function isSeen(point: PathPoint): point is PathPoint & { readonly sighting: Sighting } {
  return point.sighting !== undefined;
}

function pathPoint(comparison: Comparison, capture: number, story: number): PathPoint {
  const sighting = sightingOf(comparison, capture, story);
  const point = {
    capture,
    name: comparison.columns[capture]!.capture.name,
    path: comparison.columns[capture]!.capture.path ?? comparison.columns[capture]!.capture.name,
    sighting,
    syns: [] as SightedSegment[],
    answers: [] as SightedSegment[],
    wrongAnswers: [] as SightedSegment[],
    resets: [] as SightedSegment[],
    clientResets: [] as SightedSegment[],
    icmps: [] as SightedSegment[],
    acks: [] as SightedSegment[],
  };
  if (sighting === undefined) return point;
  const isn = sighting.handshake.clientIsn;
  const wanted = isn === undefined ? undefined : (isn + 1) >>> 0;
  for (const sighted of sighting.segments) {
    const { kind, direction, ack } = sighted.segment;
    if (direction === 'to-server') {
      if (kind === 'syn') point.syns.push(sighted);
      else if (kind === 'rst') point.clientResets.push(sighted);
      else if (sighting.acknowledged && kind !== 'other' && kind !== 'icmp') point.acks.push(sighted);
    } else if (kind === 'syn-ack') {
      if (wanted === undefined || ack === wanted) point.answers.push(sighted);
      else point.wrongAnswers.push(sighted);
    } else if (kind === 'rst') point.resets.push(sighted);
    else if (kind === 'icmp') point.icmps.push(sighted);
    else if ((kind === 'ack' || kind === 'other') && !sighting.answered && !sighting.proved)
      point.wrongAnswers.push(sighted);
  }
  return point;
}
