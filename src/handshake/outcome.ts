import type { Outcome, Stage } from '../model/handshake.ts';
import {
  ROW_COUNTS,
  STATE_ACKED,
  STATE_ANSWER_MISSING,
  STATE_ANSWERED,
  STATE_CHALLENGED,
  STATE_CUT_OFF,
  STATE_DATA_CLIENT,
  STATE_ICMP,
  STATE_PROVED,
  STATE_REFUSED,
  STATE_REPEATED_AFTER_ACK,
  STATE_RST_AFTER_ACK,
  STATE_RST_CLIENT,
  STATE_RST_SERVER,
  STATE_SYN_MISSING,
  STATE_WRONG_ACK,
} from './attempt-table.ts';

/**
 * How an attempt ended, by its state flags. Proof of success comes first, then what the server did, then what is missing; an
 * attempt that the end of the capture cut off before it could be judged is `in-progress`.
 */
export function outcomeOf(state: number): Outcome {
  const has = (flag: number): boolean => (state & flag) !== 0;
  if (has(STATE_PROVED)) return 'established';
  if (has(STATE_ANSWERED)) return answeredOutcome(state);
  if (has(STATE_ANSWER_MISSING)) {
    // A RST shows that the packets of the server were captured, too: only its SYN-ACK is missing.
    return has(STATE_RST_SERVER) && !has(STATE_DATA_CLIENT) ? 'refused' : 'one-sided';
  }
  if (has(STATE_REFUSED)) return 'refused';
  if (has(STATE_ICMP)) return 'unreachable';
  if (has(STATE_WRONG_ACK | STATE_CHALLENGED | STATE_RST_CLIENT)) return 'abandoned';
  if (has(STATE_CUT_OFF)) return 'in-progress';
  return 'no-reply';
}

function answeredOutcome(state: number): Outcome {
  const has = (flag: number): boolean => (state & flag) !== 0;
  if (has(STATE_ACKED)) {
    if (has(STATE_RST_AFTER_ACK) && !has(STATE_DATA_CLIENT)) return 'refused';
    return has(STATE_REPEATED_AFTER_ACK) ? 'half-open' : 'established';
  }
  // A forged RST can overtake the SYN-ACK, which the client then resets because it has given up.
  if (has(STATE_RST_CLIENT)) return has(STATE_REFUSED) ? 'refused' : 'abandoned';
  if (has(STATE_RST_SERVER)) return 'refused';
  if (has(STATE_CUT_OFF)) return 'in-progress';
  return has(STATE_SYN_MISSING) ? 'one-sided' : 'half-open';
}

/** The last step that was reached: the one whose answer is missing. */
export function stageOf(state: number): Stage {
  const outcome = outcomeOf(state);
  if (outcome === 'established') return 'established';
  if ((state & (STATE_ACKED | STATE_ANSWER_MISSING)) !== 0) return 'ack';
  if (outcome === 'refused' && (state & STATE_REFUSED) !== 0) return 'syn';
  return (state & STATE_ANSWERED) !== 0 ? 'syn-ack' : 'syn';
}

/** True for outcomes that a report lists as failed. */
export function isFailure(outcome: Outcome): boolean {
  return outcome !== 'established' && outcome !== 'in-progress' && outcome !== 'one-sided';
}

/** How many SYNs of an attempt were captured, copies aside; at most 255. */
export function synCount(rows: Int32Array, base: number): number {
  return rows[base + ROW_COUNTS]! & 255;
}

/** How many SYN-ACKs of an attempt were captured, copies aside; at most 255. */
export function synAckCount(rows: Int32Array, base: number): number {
  return (rows[base + ROW_COUNTS]! >>> 8) & 255;
}
