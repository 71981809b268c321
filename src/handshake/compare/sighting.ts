import type { Handshake, Segment } from '../../model/handshake.ts';
import { ROW, ROW_STATE, STATE_ACKED, STATE_ANSWERED, STATE_PROVED } from '../attempt-layout.ts';
import { materialize } from '../materialize.ts';
import { type Comparison, referenceNs } from './comparison.ts';

/** A packet with its time on the clock of the first capture. */
export interface SightedSegment {
  readonly segment: Segment;
  /** Float nanoseconds since the base of the first capture, by its clock. */
  readonly ns: number;
}

/** One attempt as one capture shows it. */
export interface Sighting {
  readonly capture: number;
  readonly handshake: Handshake;
  /** The attempt once more, before or after the capturing host translated addresses. */
  readonly others: readonly Handshake[];
  /** Packets of all of them, each once, in order of time. */
  readonly segments: readonly SightedSegment[];
  readonly answered: boolean;
  readonly acknowledged: boolean;
  /** The server went on with the connection. */
  readonly proved: boolean;
}

/** The same packet before and after translation lies closer together than any retransmission. */
const COPY_WITHIN_NS = 100e6;

/** Makes the sighting of a story at a capture; undefined when that capture does not have it. */
export function sightingOf(comparison: Comparison, capture: number, story: number): Sighting | undefined {
  const primary = comparison.rowOf[capture]![story]!;
  if (primary < 0) return undefined;
  const { capture: tracked, nextCopy, rows } = comparison.columns[capture]!;
  const handshakes: Handshake[] = [];
  let state = 0;
  for (let row = primary; row >= 0; row = nextCopy[row]!) {
    handshakes.push(materialize(tracked.table, row, tracked.baseNs));
    state |= rows[row * ROW + ROW_STATE]!;
  }
  const handshake = handshakes[0] as Handshake;
  const others = handshakes.slice(1);
  const segments: SightedSegment[] = [];
  for (const one of handshakes) {
    for (const segment of one.segments) {
      const ns = referenceNs(comparison, capture, Number(segment.timeNs - tracked.baseNs));
      if (one === handshake || !segments.some((known) => isSame(known, segment, ns))) segments.push({ segment, ns });
    }
  }
  if (others.length > 0) segments.sort((a, b) => a.ns - b.ns);
  return {
    capture,
    handshake,
    others,
    segments,
    answered: (state & STATE_ANSWERED) !== 0,
    acknowledged: (state & STATE_ACKED) !== 0,
    proved: (state & STATE_PROVED) !== 0,
  };
}

function isSame(known: SightedSegment, segment: Segment, ns: number): boolean {
  const { kind, direction, seq, tsval } = known.segment;
  return (
    kind === segment.kind &&
    direction === segment.direction &&
    seq === segment.seq &&
    tsval === segment.tsval &&
    Math.abs(known.ns - ns) <= COPY_WITHIN_NS
  );
}
