import type { Trust } from '../handshake/compare/coverage.ts';
import type { SightedSegment } from '../handshake/compare/sighting.ts';
import type { Evidence } from '../model/diagnosis.ts';
import { formatEndpoint } from '../model/flow.ts';
import type { FrameReference, PathLocation, PathVerdict } from '../model/path.ts';
import { formatFrames, formatQuantity } from '../model/text.ts';
import type { PathPoint, PathStory } from './path-story.ts';

/** A verdict in the making: what a rule found, before matching and clocks limit its confidence. */
export interface PathFinding {
  readonly location: PathLocation;
  readonly sentence: string;
  readonly confidence: PathVerdict['confidence'];
  readonly between?: readonly [string, string];
  /** The packets that show it, those of the sentence first. */
  readonly shown: readonly PointPackets[];
  readonly evidence: readonly Evidence[];
}

/** Packets of one point. */
export interface PointPackets {
  readonly point: PathPoint;
  readonly packets: readonly SightedSegment[];
}

/** The frame numbers of packets, for a sentence. */
export function frameList(packets: readonly SightedSegment[]): string {
  return formatFrames(packets.map(({ segment }) => segment.frame));
}

/** `All 4 SYNs`, `Both SYNs`, `The SYN`, `1 of 4 SYNs`. */
export function someOf(count: number, of: number, noun: string): string {
  if (count < of) return `${count} of ${formatQuantity(of, noun)}`;
  if (of === 1) return `The ${noun}`;
  return of === 2 ? `Both ${noun}s` : `All ${of} ${noun}s`;
}

/** `from 10.0.0.1:50204 to 10.0.0.5:443`, as the client's side has it. */
export function fromTo({ near }: PathStory): string {
  return `from ${formatEndpoint(near.sighting.handshake.client)} to ${serverOf(near)}`;
}

/** The server as a point has it. */
export function serverOf({ sighting }: PathPoint): string {
  return sighting === undefined ? 'the server' : formatEndpoint(sighting.handshake.server);
}

/** Where a packet is: `client.pcap #12`. */
export function sourceOf(point: PathPoint, packets: readonly SightedSegment[] = []): string {
  return packets.length === 0 ? point.name : `${point.name} ${frameList(packets)}`;
}

/** Evidence for a verdict. */
export function supports(statement: string, source: string, weight: Evidence['weight'] = 'strong'): Evidence {
  return { statement, bearing: 'supports', weight, source };
}

/** Evidence against a verdict. */
export function contradicts(statement: string, source: string, weight: Evidence['weight'] = 'moderate'): Evidence {
  return { statement, bearing: 'contradicts', weight, source };
}

/** References to packets for a verdict, at most eight a capture. */
export function referencesTo(shown: readonly PointPackets[]): FrameReference[] {
  return shown.flatMap(({ point, packets }) =>
    packets.slice(0, 8).map(({ segment }) => ({ capture: point.name, frame: segment.frame })),
  );
}

/** A trust as a confidence: none is still a guess. */
export function confidenceOf(trust: Trust): PathVerdict['confidence'] {
  return trust === 'none' ? 'guess' : trust;
}
