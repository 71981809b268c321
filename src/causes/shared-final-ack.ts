import type { Attempt, Sighting } from '../model/facts/attempt.ts';
import type { Segment } from '../model/handshake.ts';

/** What happened behind the first SYN-ACK of an attempt. */
export interface AfterSynAck {
  /** ACKs and data of the client. */
  readonly acks: number;
  /** SYN-ACKs that were repeated although the client had acknowledged. */
  readonly synAcksAfterAck: number;
  /** SYNs of the client behind the first SYN-ACK: it has not got it. */
  readonly synsAfterSynAck: number;
  /** RSTs of the server behind an ACK, and of the client. */
  readonly serverResets: number;
  readonly clientResets: number;
}

/** Looks at the segments of an attempt behind its first SYN-ACK; at the sightings where the tracker kept none. */
export function afterSynAck(attempt: Attempt): AfterSynAck {
  const segments = attempt.handshake?.segments ?? [];
  const first = segments.findIndex(({ kind, direction }) => kind === 'syn-ack' && direction === 'to-client');
  const behind = first < 0 ? [] : segments.slice(first + 1);
  const ack = behind.findIndex(isAck);
  const count = (list: readonly Segment[], kind: Segment['kind'], direction: Segment['direction']): number =>
    list.filter((segment) => segment.kind === kind && segment.direction === direction).length;
  // An ACK that does not acknowledge the SYN-ACK is no part of the handshake, and was at this host all the same.
  const arriving = attempt.side === 'server' ? 'in' : 'out';
  return {
    acks: Math.max(behind.filter(isAck).length, attempt.synAcks > 0 ? sighted(attempt, 'ack', arriving) : 0),
    synAcksAfterAck: ack < 0 ? 0 : count(behind.slice(ack + 1), 'syn-ack', 'to-client'),
    synsAfterSynAck: count(behind, 'syn', 'to-server'),
    serverResets: count(behind, 'rst', 'to-client'),
    clientResets: count(behind, 'rst', 'to-server'),
  };
}

/** Packets of a kind that crossed interfaces other than lo in one direction. */
export function sighted(
  { sightings }: Attempt,
  segment: Sighting['segment'],
  direction: Sighting['direction'],
): number {
  return sightings
    .filter((one) => one.segment === segment && one.direction === direction && one.device !== 'lo')
    .reduce((sum, { count }) => sum + count, 0);
}

/** Whether this is the server's view of an attempt whose SYN was answered. */
export function answeredHere({ side, observed, synAcks }: Attempt): boolean {
  return side === 'server' && observed && synAcks > 0;
}

/** Whether this is the view of a client whose connect() succeeded, and whose server goes on repeating its SYN-ACK. */
export function serverMissesAck(attempt: Attempt): boolean {
  const { side, connect } = attempt;
  return (
    side === 'client' &&
    connect !== undefined &&
    connect.errno === undefined &&
    afterSynAck(attempt).synAcksAfterAck > 0
  );
}

function isAck({ kind, direction }: Segment): boolean {
  return direction === 'to-server' && (kind === 'ack' || kind === 'data' || kind === 'fin');
}
