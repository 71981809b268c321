import { TCP_ACK } from '../../formats/wire/tcp.ts';
import {
  EVENT,
  EVENT_INFO,
  KIND_RST,
  ROW,
  ROW_SERVER_ISN,
  ROW_STATE,
  STATE_ANSWERED,
  STATE_CHALLENGED,
  STATE_ICMP,
  STATE_PROVED,
  STATE_REFUSED,
  STATE_REPEATED_AFTER_ACK,
  STATE_RST_CLIENT,
  STATE_RST_SERVER,
  STATE_WRONG_ACK,
} from '../../handshake/attempt-layout.ts';
import { type AttemptTable, eventAfter, eventSeq, firstEvent } from '../../handshake/attempt-table.ts';
import { synAckCount } from '../../handshake/outcome.ts';

/** How an attempt stands when it is looked at. */
export type AttemptState = 'silent' | 'answered' | 'refused' | 'unreachable' | 'half-open' | 'rejected';

/**
 * How an attempt stands. The final ACK is not captured as a rule: a SYN-ACK that is not repeated counts as acknowledged, and a RST after it
 * ends a connection unless it has the sequence numbers of one that refuses the handshake.
 */
export function stateAt(table: AttemptTable, row: number): AttemptState {
  const { rows } = table;
  const base = row * ROW;
  const state = rows[base + ROW_STATE]!;
  if ((state & STATE_PROVED) !== 0) return 'answered';
  if ((state & STATE_ANSWERED) !== 0) {
    if ((state & STATE_RST_SERVER) !== 0 && refusesHandshake(table, row)) return 'refused';
    // The client took it back itself: a scan, a health check, a program that gave up. The server did its part.
    if ((state & STATE_RST_CLIENT) !== 0) return 'answered';
    const answers = synAckCount(rows, base);
    const ignored = answers > 2 || (answers > 1 && (state & STATE_REPEATED_AFTER_ACK) !== 0);
    return ignored && (state & STATE_RST_SERVER) === 0 ? 'half-open' : 'answered';
  }
  if ((state & STATE_REFUSED) !== 0) return 'refused';
  if ((state & STATE_ICMP) !== 0) return 'unreachable';
  if ((state & (STATE_WRONG_ACK | STATE_CHALLENGED)) !== 0) return 'rejected';
  return 'silent';
}

/**
 * Whether a RST of the server after its SYN-ACK refuses the final ACK: without ACK, right behind the SYN-ACK (RFC 9293 section 3.10.7.4,
 * tcp_abort_on_overflow). A program that closes its connection sends one with ACK.
 */
function refusesHandshake(table: AttemptTable, row: number): boolean {
  const { rows, events } = table;
  const next = (rows[row * ROW + ROW_SERVER_ISN]! + 1) | 0;
  for (let event = firstEvent(table, row); event !== 0; event = eventAfter(table, row, event)) {
    const info = events[event * EVENT + EVENT_INFO]!;
    if ((info & 15) !== KIND_RST || (info & 16) !== 0) continue;
    const flags = (info >>> 16) & 0xff;
    if ((flags & TCP_ACK) === 0 && (eventSeq(table, row, event) | 0) === next) return true;
  }
  return false;
}
