import { OUTCOMES, type Outcome, type Stage } from '../model/handshake.ts';
import {
  ROW_COUNTS,
  STATE_ACKED,
  STATE_ANSWER_MISSING,
  STATE_ANSWERED,
  STATE_CHALLENGED,
  STATE_CUT_OFF,
  STATE_DATA_CLIENT,
  STATE_DATA_UNHEARD,
  STATE_ICMP,
  STATE_PROVED,
  STATE_REFUSED,
  STATE_REPEATED_AFTER_ACK,
  STATE_RST_AFTER_ACK,
  STATE_RST_CLIENT,
  STATE_RST_SERVER,
  STATE_SYN_MISSING,
  STATE_WRONG_ACK,
} from './attempt-layout.ts';

/** An outcome, and what the state of an attempt must have, and must not have, for it. */
interface OutcomeRule {
  readonly outcome: Outcome;
  readonly all: number;
  readonly none: number;
}

/**
 * The first that fits counts, and the last one always does. Proof of success comes first, then what the server did, then what is
 * missing.
 */
const RULES: readonly OutcomeRule[] = [
  { outcome: 'established', all: STATE_PROVED, none: 0 },
  { outcome: 'refused', all: STATE_ANSWERED | STATE_ACKED | STATE_RST_AFTER_ACK, none: STATE_DATA_CLIENT },
  { outcome: 'half-open', all: STATE_ANSWERED | STATE_ACKED | STATE_REPEATED_AFTER_ACK, none: 0 },
  { outcome: 'half-open', all: STATE_ANSWERED | STATE_ACKED | STATE_DATA_UNHEARD, none: 0 },
  { outcome: 'established', all: STATE_ANSWERED | STATE_ACKED, none: 0 },
  // A forged RST can overtake the SYN-ACK, which the client then resets because it has given up.
  { outcome: 'refused', all: STATE_ANSWERED | STATE_RST_CLIENT | STATE_REFUSED, none: 0 },
  { outcome: 'abandoned', all: STATE_ANSWERED | STATE_RST_CLIENT, none: 0 },
  { outcome: 'refused', all: STATE_ANSWERED | STATE_RST_SERVER, none: 0 },
  { outcome: 'in-progress', all: STATE_ANSWERED | STATE_CUT_OFF, none: 0 },
  { outcome: 'one-sided', all: STATE_ANSWERED | STATE_SYN_MISSING, none: 0 },
  { outcome: 'half-open', all: STATE_ANSWERED, none: 0 },
  // A RST shows that the packets of the server were captured, too: only its SYN-ACK is missing.
  { outcome: 'refused', all: STATE_ANSWER_MISSING | STATE_RST_SERVER, none: STATE_DATA_CLIENT },
  { outcome: 'one-sided', all: STATE_ANSWER_MISSING, none: 0 },
  { outcome: 'refused', all: STATE_REFUSED, none: 0 },
  { outcome: 'unreachable', all: STATE_ICMP, none: 0 },
  { outcome: 'abandoned', all: STATE_WRONG_ACK, none: 0 },
  { outcome: 'abandoned', all: STATE_CHALLENGED, none: 0 },
  { outcome: 'abandoned', all: STATE_RST_CLIENT, none: 0 },
  // The end of the capture came before the attempt could be judged.
  { outcome: 'in-progress', all: STATE_CUT_OFF, none: 0 },
  { outcome: 'no-reply', all: 0, none: 0 },
];

/** Words of a rule in {@link OUTCOME_RULES}. */
const RULE = 3;

/** Rules that give an outcome by the state flags of an attempt, three words each: flags that must be there, flags that must not, the outcome. */
export const OUTCOME_RULES: Int32Array = Int32Array.from(
  RULES.flatMap(({ outcome, all, none }) => [all, none, OUTCOMES.indexOf(outcome)]),
);

/** How an attempt ended, by its state flags. It is asked of every attempt. */
export function outcomeOf(state: number): Outcome {
  let rule = 0;
  while ((state & OUTCOME_RULES[rule]!) !== OUTCOME_RULES[rule] || (state & OUTCOME_RULES[rule + 1]!) !== 0)
    rule += RULE;
  return OUTCOMES[OUTCOME_RULES[rule + 2]!]!;
}

/** The last step that was reached: the one whose answer is missing. */
export function stageOf(state: number): Stage {
  const outcome = outcomeOf(state);
  if (outcome === 'established') return 'established';
  if ((state & (STATE_ACKED | STATE_ANSWER_MISSING)) !== 0) return 'ack';
  if (outcome === 'refused' && (state & STATE_REFUSED) !== 0) return 'syn';
  return (state & STATE_ANSWERED) !== 0 ? 'syn-ack' : 'syn';
}

const FAILURES: ReadonlySet<Outcome> = new Set(['no-reply', 'refused', 'unreachable', 'abandoned', 'half-open']);

/** True for outcomes that a report lists as failed. */
export function isFailure(outcome: Outcome): boolean {
  return FAILURES.has(outcome);
}

/** How many SYNs of an attempt were captured, copies aside; at most 255. */
export function synCount(rows: Int32Array, base: number): number {
  return rows[base + ROW_COUNTS]! & 255;
}

/** How many SYN-ACKs of an attempt were captured, copies aside; at most 255. */
export function synAckCount(rows: Int32Array, base: number): number {
  return (rows[base + ROW_COUNTS]! >>> 8) & 255;
}
