import { synSchedule } from '../handshake/schedule.ts';
import type { Finding, Handshake, Segment } from '../model/handshake.ts';
import { formatDuration, formatList, formatQuantity } from '../model/text.ts';
import type { CaptureContext } from './capture-context.ts';
import { resetOrigin } from './reset-origin.ts';

/** An attempt that begins so soon after the capture may have begun before it. */
const EDGE_NS = 3_000_000_000n;

/** Everything noteworthy in one handshake, each with the packets that show it. */
export function findingsOf(handshake: Handshake, context: CaptureContext): Finding[] {
  const findings = [
    late(handshake),
    schedule(handshake),
    wrongAcknowledgement(handshake),
    challengeAck(handshake),
    resetOrigin(handshake, context.server),
    resetAfterEstablished(handshake),
    simultaneousOpen(handshake),
    fastOpen(handshake),
    answerChanged(handshake),
    beganLate(handshake, context),
    endedEarly(handshake, context),
    duplicates(handshake),
    segmentCut(handshake),
    tunnelled(handshake),
  ];
  return findings.filter((finding) => finding !== undefined);
}

function late(handshake: Handshake): Finding | undefined {
  const { outcome, synRetransmissions, synAckRetransmissions, establishedAfterNs } = handshake;
  const repeats = synRetransmissions + synAckRetransmissions;
  if (outcome !== 'established' || repeats === 0) return undefined;
  const after = establishedAfterNs === undefined ? '' : ` after ${formatDuration(establishedAfterNs)}`;
  return {
    id: 'late',
    statement: `it worked only${after}: ${formatList(repeated(handshake))}`,
    frames: framesOf(handshake, (segment) => segment.kind === 'syn' || segment.kind === 'syn-ack'),
  };
}

/** `the SYN was sent 3 times`, `the SYN-ACK was sent twice`: whatever was sent more than once. */
export function repeated({ synRetransmissions, synAckRetransmissions }: Handshake): string[] {
  const sent = (what: string, repeats: number): string[] =>
    repeats === 0 ? [] : [`the ${what} was sent ${repeats === 1 ? 'twice' : `${repeats + 1} times`}`];
  return [...sent('SYN', synRetransmissions), ...sent('SYN-ACK', synAckRetransmissions)];
}

/** Whether this is the client's acknowledgement of a SYN-ACK. */
export function acknowledges({ kind, direction }: Segment): boolean {
  return direction === 'to-server' && (kind === 'ack' || kind === 'data' || kind === 'fin');
}

function schedule(handshake: Handshake): Finding | undefined {
  const { gapsNs, system } = synSchedule(handshake);
  if (gapsNs.length === 0) return undefined;
  const gaps = gapsNs.map((gap) => formatDuration(Math.round(gap / 1e7) * 1e7));
  const like = system === undefined ? '' : `, as ${system} does`;
  return {
    id: 'syn-schedule',
    statement: `the SYN was repeated after ${formatList(gaps)}${like}`,
    frames: framesOf(handshake, (segment) => segment.kind === 'syn' && segment.direction === 'to-server'),
  };
}

function wrongAcknowledgement(handshake: Handshake): Finding | undefined {
  const { clientIsn } = handshake;
  const wrong = handshake.segments.find(
    (segment) =>
      segment.kind === 'syn-ack' &&
      segment.direction === 'to-client' &&
      clientIsn !== undefined &&
      !answers(segment, clientIsn, handshake),
  );
  if (wrong === undefined || clientIsn === undefined) return undefined;
  return {
    id: 'wrong-acknowledgement',
    statement: `the SYN-ACK acknowledges ${wrong.ack} where the SYN needs ${(clientIsn + 1) >>> 0}: it answers another SYN`,
    frames: [wrong.frame],
  };
}

function answers(segment: Segment, clientIsn: number, handshake: Handshake): boolean {
  const ahead = (segment.ack - clientIsn) | 0;
  const data = handshake.segments.find((other) => other.kind === 'syn')?.payloadBytes ?? 0;
  return ahead >= 1 && ahead <= 1 + data;
}

function challengeAck(handshake: Handshake): Finding | undefined {
  if (handshake.clientIsn === undefined) return undefined;
  const challenge = handshake.segments.find((segment) => segment.kind === 'ack' && segment.direction === 'to-client');
  if (challenge === undefined) return undefined;
  return {
    id: 'challenge-ack',
    statement: `instead of a SYN-ACK the server sent an ACK for ${challenge.ack}, not ${
      (handshake.clientIsn + 1) >>> 0
    }: it still holds an older connection of these ports (RFC 5961 section 4)`,
    frames: [challenge.frame],
  };
}

function resetAfterEstablished(handshake: Handshake): Finding | undefined {
  if (handshake.outcome !== 'established') return undefined;
  const { segments } = handshake;
  const acknowledged = segments.findIndex(acknowledges);
  const reset = segments.find(
    ({ kind, direction }, i) => kind === 'rst' && direction === 'to-client' && i > acknowledged && acknowledged >= 0,
  );
  if (reset === undefined) return undefined;
  return {
    id: 'reset-after-established',
    statement: 'the server reset the connection right after the handshake, before it sent anything else',
    frames: [reset.frame],
  };
}

function simultaneousOpen(handshake: Handshake): Finding | undefined {
  const crossing = handshake.segments.find((segment) => segment.kind === 'syn' && segment.direction === 'to-client');
  if (crossing === undefined) return undefined;
  return {
    id: 'simultaneous-open',
    statement: 'both sides sent a SYN: a simultaneous open (RFC 9293 section 3.5)',
    frames: framesOf(handshake, (segment) => segment.kind === 'syn'),
  };
}

function fastOpen(handshake: Handshake): Finding | undefined {
  const asked = handshake.clientOptions?.fastOpen;
  if (asked === undefined) return undefined;
  const syn = handshake.segments.find((segment) => segment.kind === 'syn');
  const data = syn?.payloadBytes ?? 0;
  const carried = data === 0 ? '' : ` and ${formatQuantity(data, 'byte')} of data`;
  return {
    id: 'fast-open',
    statement: `the SYN ${asked === 'cookie' ? 'carries' : 'asks for'} a Fast Open cookie${carried} (RFC 7413); some middleboxes drop such SYNs`,
    frames: syn === undefined ? [] : [syn.frame],
  };
}

function answerChanged(handshake: Handshake): Finding | undefined {
  const answers = handshake.segments.filter(
    (segment) => segment.kind === 'syn-ack' && segment.direction === 'to-client',
  );
  const other = answers.find((answer) => answer.seq !== answers[0]?.seq);
  if (other === undefined || answers[0] === undefined) return undefined;
  return {
    id: 'answer-changed',
    statement: `two SYN-ACKs begin at different sequence numbers (${answers[0].seq} and ${other.seq}): two answerers, SYN cookies, or a first request that had expired`,
    frames: [answers[0].frame, other.frame],
  };
}

function beganLate(handshake: Handshake, { firstNs }: CaptureContext): Finding | undefined {
  const first = handshake.segments[0];
  const synSeen = handshake.segments.some((segment) => segment.kind === 'syn' && segment.direction === 'to-server');
  if (first === undefined || synSeen) return undefined;
  const atStart = first.timeNs - firstNs < EDGE_NS;
  return {
    id: 'capture-began-late',
    statement: atStart
      ? 'the capture began in the middle of this handshake: its SYN is not in it'
      : "the client's packets are missing: only one direction was captured, or it took another path",
    frames: [first.frame],
  };
}

function endedEarly(handshake: Handshake, { lastNs }: CaptureContext): Finding | undefined {
  if (handshake.outcome !== 'in-progress') return undefined;
  // Attempts are judged as they end, and then the end of the capture may not be known yet.
  const leftNs = Number(lastNs - handshake.endedAtNs);
  return {
    id: 'capture-ended-early',
    statement: `the capture ends ${leftNs > 0 ? formatDuration(leftNs) : 'soon'} after the last packet, too soon to judge`,
    frames: [],
  };
}

function duplicates(handshake: Handshake): Finding | undefined {
  const copied = handshake.segments.filter((segment) => segment.copies > 0);
  if (copied.length === 0) return undefined;
  const most = Math.max(...copied.map((segment) => segment.copies));
  return {
    id: 'duplicates',
    statement: `the capture holds each packet up to ${most + 1} times (several interfaces, or a mirror port); each counts once`,
    frames: copied.slice(0, 3).map((segment) => segment.frame),
  };
}

function segmentCut(handshake: Handshake): Finding | undefined {
  const { clientOptions, serverOptions, segments } = handshake;
  const kinds = [
    ...(clientOptions?.cut ? (['syn'] as const) : []),
    ...(serverOptions?.cut ? (['syn-ack'] as const) : []),
  ];
  if (kinds.length === 0) return undefined;
  const names = kinds.map((kind) => (kind === 'syn' ? 'the SYN' : 'the SYN-ACK'));
  return {
    id: 'segment-cut',
    statement: `the capture cut off TCP options of ${formatList(names)}: what they are is unknown`,
    frames: kinds.flatMap((kind) => segments.find((segment) => segment.kind === kind)?.frame ?? []),
  };
}

function tunnelled({ encapsulation }: Handshake): Finding | undefined {
  if (encapsulation.length === 0) return undefined;
  return { id: 'tunnelled', statement: `inside ${encapsulation.join(', ')}`, frames: [] };
}

function framesOf({ segments }: Handshake, which: (segment: Segment) => boolean): number[] {
  return segments.filter(which).map((segment) => segment.frame);
}
