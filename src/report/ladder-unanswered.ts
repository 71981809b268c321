import type { Outcome } from '../model/handshake.ts';
import type { LadderEvent } from './ladder-events.ts';

/**
 * Whether the packets after an event show that it got no answer: its sender repeats it, or nothing follows although an
 * answer was due. An ACK is due none; it counts as not heard when the server repeats its SYN-ACK.
 */
export function isUnanswered(events: readonly LadderEvent[], index: number, outcome: Outcome): boolean {
  const segment = events[index]?.segment;
  if (segment === undefined) return false;
  const later = events.slice(index + 1).map((event) => event.segment);
  const reply = later.find((other) => other.direction !== segment.direction);
  switch (segment.kind) {
    case 'ack':
      return reply?.kind === 'syn-ack' && reply.repeat > 0;
    case 'syn':
    case 'syn-ack':
    case 'data':
      break;
    default:
      return false;
  }
  const again = later.find((other) => other.kind === segment.kind && other.direction === segment.direction);
  if (reply === undefined) return again !== undefined || (outcome !== 'in-progress' && outcome !== 'established');
  if (segment.kind === 'data')
    return again !== undefined && again.repeat > 0 && later.indexOf(again) < later.indexOf(reply);
  return again !== undefined && later.indexOf(again) < later.indexOf(reply);
}
