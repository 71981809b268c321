import type { AttemptGroup, ClientCount } from '../handshake/tally.ts';
import type { Diagnosis } from '../model/diagnosis.ts';
import type { Handshake } from '../model/handshake.ts';
import { formatCount, formatDuration } from '../model/text.ts';
import { findingOf } from './judge-handshake.ts';

/** What a SYN flood was: how many attempts, from how many addresses, how fast. */
export function floodSentence({ count, clients, firstNs, lastNs }: AttemptGroup, to: string): string {
  const seconds = Math.max((lastNs - firstNs) / 1e9, 0.001);
  return `SYN flood on ${to}: ${formatCount(count)} attempts from ${formatClients(clients)} addresses in ${formatDuration(
    lastNs - firstNs,
  )} (${formatCount(Math.round(count / seconds))}/s), none completed or repeated.`;
}

/** What happened to all attempts of a group; `first` is one of them. */
export function groupSentence(
  { outcome, count }: Pick<AttemptGroup, 'outcome' | 'count'>,
  clients: ClientCount,
  to: string,
  first: Diagnosis | undefined,
): string {
  const from =
    clients.count === 1 && first !== undefined ? first.handshake.client.address : `${formatClients(clients)} clients`;
  return `${formatCount(count)} attempts from ${from} to ${to} ${predicate(outcome, first?.handshake)}`;
}

/** An estimate is told with the two digits that are sure. */
function formatClients({ count, isExact }: ClientCount): string {
  return isExact ? formatCount(count) : `about ${formatCount(Number(count.toPrecision(2)))}`;
}

function predicate(outcome: AttemptGroup['outcome'], example: Handshake | undefined): string {
  switch (outcome) {
    case 'no-reply':
      return 'got no reply at all.';
    case 'refused':
      if (example !== undefined && findingOf(example, 'reset-by-middlebox') !== undefined) {
        return 'were refused by something on the way, not by the server.';
      }
      if (example?.stage === 'ack') return "were reset right after the client's final ACK.";
      return example?.stage === 'syn-ack'
        ? 'were answered with a SYN-ACK and then reset by the server.'
        : 'were refused with a RST.';
    case 'unreachable': {
      const icmp = example?.segments.find((segment) => segment.icmp !== undefined)?.icmp;
      const from = icmp?.from === example?.server.address ? 'the server itself' : icmp?.from;
      return icmp === undefined ? 'were answered with ICMP errors.' : `got ICMP "${icmp.name}" from ${from}.`;
    }
    case 'half-open':
      if (example?.stage === 'ack' && example.synAckRetransmissions === 0) {
        return 'were answered with a SYN-ACK, and the data that followed never.';
      }
      return example?.stage === 'ack'
        ? 'were acknowledged by the client, but the server went on repeating its SYN-ACK.'
        : 'were answered with a SYN-ACK that the client never acknowledged.';
    case 'abandoned':
      if (example?.stage === 'syn-ack') return 'were reset by the client after the SYN-ACK.';
      return example?.segments.some(({ direction, icmp }) => direction === 'to-client' && icmp === undefined)
        ? 'got an answer that belongs to another connection.'
        : 'were given up by the client before any answer.';
    case 'one-sided':
      return 'show only one direction.';
    case 'in-progress':
      return 'were still waiting when the capture ended.';
    case 'established':
      return 'worked, but only after repeating.';
  }
}
