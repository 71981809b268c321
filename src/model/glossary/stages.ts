import type { Stage } from '../handshake.ts';
import type { Explanation } from './entry.ts';

/** What the steps of a handshake mean. */
export const STAGES: Readonly<Record<Stage, Explanation>> = {
  syn: {
    title: 'the SYN waits for an answer',
    meaning: 'The client has asked for a connection, and no acceptable SYN-ACK is in the capture.',
    wire: 'SYN from the client, possibly repeated. The client is in SYN-SENT.',
    application: 'connect() blocks, or has returned EINPROGRESS.',
    causes: [
      'the SYN was lost or dropped before the server',
      'the server dropped it or could not answer',
      'the answer was lost on the way back',
      'it was refused',
    ],
    checks: [{ statement: 'On the client, attempts that wait:', command: "ss -tan state syn-sent 'dport = :PORT'" }],
    seeAlso: ['no-reply', 'refused', 'unreachable', 'term:SYN'],
    references: ['RFC 9293 section 3.3.2 (SYN-SENT)'],
  },
  'syn-ack': {
    title: 'the SYN-ACK waits for the final ACK',
    meaning: 'The server has answered, and the ACK that completes the handshake is not in the capture.',
    wire: 'SYN, SYN-ACK, possibly both repeated. The server is in SYN-RECEIVED.',
    application:
      'When the SYN-ACK reached the client, connect() has returned 0 although the server has not accepted anything.',
    causes: [
      'the SYN-ACK was lost on the way to the client',
      'the client dropped or rejected it (local firewall, reverse path filter, wrong acknowledgement)',
      'the ACK was lost',
      'the client never existed (forged SYN)',
    ],
    checks: [{ statement: 'On the server, attempts that wait:', command: "ss -tan state syn-recv 'sport = :PORT'" }],
    seeAlso: ['outcome:half-open', 'answer-lost', 'client-rejected-answer', 'term:SYN-ACK'],
    references: ['RFC 9293 section 3.3.2 (SYN-RECEIVED)'],
  },
  ack: {
    title: 'the final ACK was sent, and the server does not act on it',
    meaning:
      'The client has completed its side of the handshake; the server repeats its SYN-ACK, resets, or its packets were not captured.',
    wire: 'SYN, SYN-ACK, ACK, then SYN-ACK again or RST; or SYN and ACK without the answer between them.',
    application:
      'connect() has returned 0; data that the client sends is not acknowledged, or the next read fails with ECONNRESET.',
    causes: [
      'the accept queue was full when the ACK came',
      'the ACK was lost after the point of capture',
      'TCP_DEFER_ACCEPT: the server waits for data',
      'tcp_abort_on_overflow, an invalid SYN cookie, or a listener that was closed (RST)',
    ],
    checks: [
      { statement: 'On the server:', command: "ss -ltn 'sport = :PORT'; ss -tan state syn-recv 'sport = :PORT'" },
    ],
    seeAlso: ['outcome:half-open', 'final-ack-lost', 'ListenOverflows', 'TCPDeferAcceptDrop'],
    references: ['tcp_check_req() in net/ipv4/tcp_minisocks.c'],
  },
  established: {
    title: 'all three steps are done',
    meaning: 'The handshake completed; what fails now is not the handshake.',
    wire: 'SYN, SYN-ACK, ACK.',
    application: 'connect() has returned 0, and accept() can return on the server.',
    seeAlso: ['outcome:established', 'accept-queue', 'reset-after-established'],
    references: ['RFC 9293 section 3.3.2 (ESTABLISHED)'],
  },
};
