import type { Outcome, Segment } from '../model/handshake.ts';
import type { LadderEvent } from './ladder-events.ts';

/**
 * Whether the packets after an event show that it got no answer: its sender repeats it, or nothing follows although an
 * answer was due. An ACK is due none; it counts as not heard when the server repeats its SYN-ACK.
 */
export function isUnanswered(events: readonly LadderEvent[], index: number, outcome: Outcome): boolean {
  const segment = events[index]?.segment;
  if (segment === undefined) return false;
  const later = events.slice(index + 1).map((event) => event.segment);
  const reply = later.find((other) => other.direction !== segment.direction && answers(other, segment));
  if (segment.kind === 'ack') {
    const next = later.find((other) => other.direction !== segment.direction);
    return next?.kind === 'syn-ack' && next.repeat > 0;
  }
  if (segment.kind !== 'syn' && segment.kind !== 'syn-ack' && segment.kind !== 'data') return false;
  const again = later.find((other) => other.kind === segment.kind && other.direction === segment.direction);
  const repeated = again !== undefined && (segment.kind !== 'data' || again.repeat > segment.repeat);
  if (reply === undefined) return repeated || (outcome !== 'in-progress' && outcome !== 'established');
  return repeated && later.indexOf(again) < later.indexOf(reply);
}

/** A repeated SYN-ACK is no answer to data: the server still waits for the final ACK. */
function answers(reply: Segment, segment: Segment): boolean {
  return segment.kind !== 'data' || reply.kind !== 'syn-ack';
}
