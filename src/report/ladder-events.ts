import type { ClockRelation, Diagnosis } from '../model/diagnosis.ts';
import type { Handshake, Segment } from '../model/handshake.ts';

/** One capture's view of the attempt that a ladder shows. */
export interface LadderVantage {
  /** Name of the capture; absent when there is only one. */
  readonly capture?: string;
  /** Null when the attempt was not found there. */
  readonly handshake: Handshake | null;
  /** Added to the capture's times to get those of the first capture. */
  readonly offsetNs: bigint;
}

/** One packet on its way, with what each vantage saw of it. */
export interface LadderEvent {
  /** The packet as the vantage nearest to its sender saw it. */
  segment: Segment;
  /** Time at which it was first seen, by the first capture's clock. */
  timeNs: bigint;
  /** Per vantage, in order: the packet there, or undefined. */
  readonly seen: (Segment | undefined)[];
}

/** Two sightings further apart than this are two packets. */
const SAME_PACKET_NS = 400_000_000n;

/** The vantages of a diagnosis from client to server, with the correction of each clock. */
export function ladderVantages(diagnosis: Diagnosis, clocks: readonly ClockRelation[]): LadderVantage[] {
  if (diagnosis.vantages === undefined || diagnosis.vantages.length < 2) {
    return [{ handshake: diagnosis.handshake, offsetNs: 0n }];
  }
  const first = diagnosis.vantages[0]?.handshake ?? null;
  return diagnosis.vantages.map(({ capture, handshake }, index) => ({
    capture,
    handshake,
    offsetNs: index === 0 ? 0n : clockOffset(capture, handshake, first, clocks),
  }));
}

/** Joins what the vantages saw into one list of packets, in an order that contradicts no vantage. */
export function ladderEvents(vantages: readonly LadderVantage[]): LadderEvent[] {
  const events: LadderEvent[] = [];
  vantages.forEach(({ handshake, offsetNs }, vantage) => {
    const segments = handshake?.segments ?? [];
    const known = events.slice();
    const matches = matchSegments(known, segments, vantage, offsetNs);
    segments.forEach((segment, index) => {
      const timeNs = segment.timeNs + offsetNs;
      const match = matches[index];
      if (match === undefined) {
        const seen: (Segment | undefined)[] = vantages.map(() => undefined);
        seen[vantage] = segment;
        events.push({ segment, timeNs, seen });
        return;
      }
      match.seen[vantage] = segment;
      if (segment.direction === 'to-client') {
        match.segment = segment;
        match.timeNs = timeNs;
      }
    });
  });
  return inOrder(events, vantages.length);
}

/** For each segment the event that is the same packet: by what routers leave alone first, then by time. */
function matchSegments(
  events: readonly LadderEvent[],
  segments: readonly Segment[],
  vantage: number,
  offsetNs: bigint,
): (LadderEvent | undefined)[] {
  const taken = new Set<LadderEvent>();
  const matches = segments.map((segment) => {
    const match = events.find((event) => !taken.has(event) && sameFingerprint(lastSeen(event, vantage), segment));
    if (match !== undefined) taken.add(match);
    return match;
  });
  const trustTimestamps = matches.some((match) => match?.segment.tsval !== undefined);
  segments.forEach((segment, index) => {
    if (matches[index] !== undefined) return;
    let best: LadderEvent | undefined;
    let bestNs = SAME_PACKET_NS;
    for (const event of events) {
      if (taken.has(event) || !sameKind(event.segment, segment)) continue;
      if (trustTimestamps && segment.tsval !== undefined && event.segment.tsval !== undefined) continue;
      const apartNs = absolute(event.timeNs - segment.timeNs - offsetNs);
      if (apartNs < bestNs) {
        best = event;
        bestNs = apartNs;
      }
    }
    if (best === undefined) return;
    taken.add(best);
    matches[index] = best;
  });
  return matches;
}

function lastSeen(event: LadderEvent, before: number): Segment {
  for (let index = before - 1; index >= 0; index -= 1) {
    const segment = event.seen[index];
    if (segment !== undefined) return segment;
  }
  return event.segment;
}

function sameKind(one: Segment, other: Segment): boolean {
  return (
    one.kind === other.kind &&
    one.direction === other.direction &&
    one.payloadBytes === other.payloadBytes &&
    one.icmp?.type === other.icmp?.type &&
    one.icmp?.code === other.icmp?.code
  );
}

function sameFingerprint(one: Segment, other: Segment): boolean {
  if (!sameKind(one, other)) return false;
  const byTimestamp = one.tsval !== undefined && one.tsval === other.tsval;
  const bothIds = one.ipId !== undefined && other.ipId !== undefined && one.ipId !== 0 && other.ipId !== 0;
  if (bothIds && one.ipId !== other.ipId) return false;
  return byTimestamp || (bothIds && one.tsval === undefined && other.tsval === undefined);
}

/** Merges by time, but never puts a packet before one that any vantage saw earlier. */
function inOrder(events: readonly LadderEvent[], vantages: number): LadderEvent[] {
  const queues: LadderEvent[][] = [];
  for (let vantage = 0; vantage < vantages; vantage += 1) {
    const queue = events.filter((event) => event.seen[vantage] !== undefined);
    queues.push(queue.sort((a, b) => frameAt(a, vantage) - frameAt(b, vantage)));
  }
  const waiting = [...events].sort((a, b) => Number(a.timeNs - b.timeNs));
  const ordered: LadderEvent[] = [];
  while (waiting.length > 0) {
    const ready = waiting.findIndex((event) =>
      event.seen.every((segment, vantage) => segment === undefined || queues[vantage]?.[0] === event),
    );
    const [next] = waiting.splice(Math.max(0, ready), 1);
    if (next === undefined) break;
    for (const queue of queues) {
      const at = queue.indexOf(next);
      if (at >= 0) queue.splice(at, 1);
    }
    ordered.push(next);
  }
  return ordered;
}

function frameAt(event: LadderEvent, vantage: number): number {
  return event.seen[vantage]?.frame ?? 0;
}

/** The offset that was estimated, else the one that lays the first common packets over each other. */
function clockOffset(
  capture: string,
  handshake: Handshake | null,
  first: Handshake | null,
  clocks: readonly ClockRelation[],
): bigint {
  const known = clocks.find((clock) => clock.capture === capture && clock.confidence !== 'none');
  if (known !== undefined) return known.offsetNs;
  if (handshake === null || first === null) return 0n;
  for (const segment of handshake.segments) {
    const same = first.segments.find((candidate) => sameFingerprint(candidate, segment));
    if (same !== undefined) return same.timeNs - segment.timeNs;
  }
  return first.startedAtNs - handshake.startedAtNs;
}

function absolute(value: bigint): bigint {
  return value < 0n ? -value : value;
}
