import type { ClockRelation, Diagnosis } from '../model/diagnosis.ts';
import { formatEndpoint } from '../model/flow.ts';
import type { Handshake, Segment } from '../model/handshake.ts';
import { formatCount } from '../model/text.ts';
import { type LadderEvent, type LadderVantage, ladderEvents, ladderVantages } from './ladder-events.ts';
import { isUnanswered } from './ladder-unanswered.ts';

/** A vertical line of the drawing: one end of the connection, or a point of capture between them. */
interface Lane {
  readonly role: 'client' | 'capture' | 'server';
  /** Endpoint, or name of the capture. */
  readonly name: string;
}

/** A packet of the drawing. Positions count lanes from 0 at the client; halves lie between two lanes. */
export interface LadderArrow {
  readonly row: 'arrow';
  /** Time since the first packet, by the first capture's clock. */
  readonly sinceStartNs: number;
  readonly label: string;
  readonly from: number;
  readonly to: number;
  /** How it ends: at its target, at its target but not answered, on the way, or unknown. */
  readonly end: 'arrived' | 'unanswered' | 'lost' | 'unknown';
  /** Frame number at each capture lane, or the only frame number. */
  readonly frames: readonly { readonly lane: number; readonly frame: number }[];
  /** Written behind the end of an arrow that was not answered. */
  readonly remark?: string;
  /** What does not fit on an arrow: name of an ICMP error, address of a router. */
  readonly detail?: string;
  readonly tone: 'plain' | 'good' | 'bad';
}

/** A line that stands for packets that are left out. */
export interface LadderGap {
  readonly row: 'gap';
  readonly packets: number;
}

/** A ladder diagram, ready to be drawn as text or as SVG. */
export interface Ladder {
  readonly lanes: readonly Lane[];
  readonly rows: readonly (LadderArrow | LadderGap)[];
  /** Digits behind the point that tell the times of the rows apart, in seconds. */
  readonly decimals: number;
  /** Sentences about addresses that differ between the captures. */
  readonly footnotes: readonly string[];
}

/** More packets than this are left out in the middle. */
const MAX_ROWS = 14;
const HEAD_ROWS = 7;

/** Lays out the ladder of one attempt: from one capture, or across all captures in corrected time. */
export function buildLadder(diagnosis: Diagnosis, clocks: readonly ClockRelation[] = []): Ladder {
  const vantages = ladderVantages(diagnosis, clocks);
  const captures = vantages.length > 1 ? vantages.length : 0;
  const events = ladderEvents(vantages);
  const startNs = events[0]?.timeNs ?? 0n;
  let previousNs = 0;
  let remarked = false;
  const rows = events.map((event, index): LadderArrow => {
    const place = captures === 0 ? placeAlone(event, diagnosis.handshake) : placeAmong(event, vantages, diagnosis);
    // The estimate of a clock may be off by more than a packet takes: never let time run backwards for that.
    const sinceStartNs = Math.max(previousNs, Number(event.timeNs - startNs));
    previousNs = sinceStartNs;
    const unanswered = place.end === 'arrived' && isUnanswered(events, index, diagnosis.handshake.outcome);
    const remark = unanswered && !remarked ? remarkOn(event.segment) : undefined;
    if (remark !== undefined) remarked = true;
    const detail = detailOf(event.segment, place.midway);
    return {
      row: 'arrow',
      sinceStartNs,
      label: labelOf(event.segment),
      from: place.from,
      to: place.to,
      end: unanswered ? 'unanswered' : place.end,
      frames: event.seen.flatMap((segment, vantage) =>
        segment === undefined ? [] : [{ lane: captures === 0 ? 0 : vantage + 1, frame: segment.frame }],
      ),
      ...(remark === undefined ? {} : { remark }),
      ...(detail === undefined ? {} : { detail }),
      tone: toneOf(event.segment, place.end),
    };
  });
  const { client, server } = diagnosis.handshake;
  return {
    lanes: [
      { role: 'client', name: formatEndpoint(client) },
      ...(captures === 0 ? [] : vantages.map(({ capture = '' }): Lane => ({ role: 'capture', name: capture }))),
      { role: 'server', name: formatEndpoint(server) },
    ],
    rows: elide(
      rows,
      vantages.reduce((sum, { handshake }) => Math.max(sum, handshake?.omittedSegments ?? 0), 0),
    ),
    decimals: decimalsFor(rows),
    footnotes: captures === 0 ? [] : translations(diagnosis.handshake, vantages),
  };
}

interface Place {
  readonly from: number;
  readonly to: number;
  readonly end: 'arrived' | 'lost' | 'unknown';
  /** Sent by something between the two ends. */
  readonly midway: boolean;
}

/** One capture shows neither where it was made nor where a packet went: arrows go all the way, but for middleboxes. */
function placeAlone({ segment }: LadderEvent, handshake: Handshake): Place {
  const midway = isForeign(segment, handshake) || isMiddleboxReset(segment, handshake);
  const toServer = segment.direction === 'to-server';
  return { from: midway ? 0.5 : toServer ? 0 : 1, to: toServer ? 1 : 0, end: 'arrived', midway };
}

/** Several captures show between which two of them a packet began or ended. */
function placeAmong({ segment, seen }: LadderEvent, vantages: readonly LadderVantage[], diagnosis: Diagnosis): Place {
  const toServer = segment.direction === 'to-server';
  const lanes = seen.flatMap((sighting, vantage) => (sighting === undefined ? [] : [vantage + 1]));
  const low = Math.min(...lanes);
  const high = Math.max(...lanes);
  const last = vantages.length + 1;
  const first = toServer ? low : high;
  const start = toServer ? 0 : last;
  const step = toServer ? 1 : -1;
  const nearest = toServer ? vantages[0] : vantages.at(-1);
  const atEdge = first === start + step;
  const foreign = isForeign(segment, nearest?.handshake ?? diagnosis.handshake);
  // A SYN that only later captures show was missed by the first one; an answer was made up on the way.
  const missed = !atEdge && toServer && segment.kind !== 'rst' && segment.kind !== 'icmp';
  const midway = (!atEdge && !missed) || foreign;
  const reached = toServer ? high : low;
  const target = toServer ? last : 0;
  const unmatched = diagnosis.path?.location === 'unmatched';
  const complete = reached === target - step;
  return {
    from: midway ? first - step / 2 : start,
    to: complete ? target : reached + step / 2,
    end: complete ? 'arrived' : unmatched ? 'unknown' : 'lost',
    midway,
  };
}

/** Whether an ICMP error came from neither end. */
function isForeign(segment: Segment, handshake: Handshake): boolean {
  if (segment.icmp === undefined) return false;
  const sender = segment.direction === 'to-client' ? handshake.server : handshake.client;
  return segment.icmp.from !== sender.address;
}

function isMiddleboxReset(segment: Segment, handshake: Handshake): boolean {
  return (
    segment.kind === 'rst' &&
    handshake.findings.some(({ id, frames }) => id === 'reset-by-middlebox' && frames.includes(segment.frame))
  );
}

function labelOf(segment: Segment): string {
  const again = segment.repeat > 0 ? ' again' : '';
  switch (segment.kind) {
    case 'syn':
    case 'syn-ack':
    case 'ack':
    case 'fin':
    case 'rst':
    case 'icmp':
      return segment.kind.toUpperCase() + again;
    case 'data':
      return `data ${formatCount(segment.payloadBytes)} B${again}`;
    case 'other':
      return 'TCP';
  }
}

/** What is said beside the first cross. */
function remarkOn({ kind, direction }: Segment): string | undefined {
  if (direction === 'to-client') return undefined;
  return kind === 'ack' ? 'not taken' : 'no answer';
}

function detailOf(segment: Segment, midway: boolean): string | undefined {
  if (segment.icmp === undefined) {
    return midway ? `not sent by the ${segment.direction === 'to-client' ? 'server' : 'client'}` : undefined;
  }
  const mtu = segment.icmp.mtuBytes === undefined ? '' : ` (MTU ${formatCount(segment.icmp.mtuBytes)})`;
  return `${segment.icmp.from}: ${segment.icmp.name}${mtu}`;
}

function toneOf(segment: Segment, end: Place['end']): LadderArrow['tone'] {
  if (end === 'lost' || segment.kind === 'rst' || segment.kind === 'icmp') return 'bad';
  return segment.kind === 'syn-ack' || segment.kind === 'ack' ? 'good' : 'plain';
}

function elide(rows: readonly LadderArrow[], omitted: number): (LadderArrow | LadderGap)[] {
  const tooMany = rows.length > MAX_ROWS;
  if (!tooMany && omitted === 0) return [...rows];
  const head = tooMany ? HEAD_ROWS : Math.ceil(rows.length / 2);
  const tail = tooMany ? rows.length - (MAX_ROWS - HEAD_ROWS - 1) : head;
  return [...rows.slice(0, head), { row: 'gap', packets: tail - head + omitted }, ...rows.slice(tail)];
}

function decimalsFor(rows: readonly LadderArrow[]): number {
  let smallest = Number.POSITIVE_INFINITY;
  rows.forEach((row, index) => {
    const gap = row.sinceStartNs - (rows[index - 1]?.sinceStartNs ?? 0);
    if (gap > 0) smallest = Math.min(smallest, gap);
  });
  if (smallest >= 10_000_000) return 2;
  return smallest >= 500_000 ? 3 : smallest >= 50_000 ? 4 : 6;
}

function translations({ client, server }: Handshake, vantages: readonly LadderVantage[]): string[] {
  return vantages.flatMap(({ capture, handshake }) => {
    if (handshake === null) return [`${capture} does not show this attempt.`];
    const there = { client: formatEndpoint(handshake.client), server: formatEndpoint(handshake.server) };
    const parts: string[] = [];
    if (there.client !== formatEndpoint(client)) parts.push(`the client is ${there.client}`);
    if (there.server !== formatEndpoint(server)) parts.push(`the server is ${there.server}`);
    return parts.length === 0 ? [] : [`In ${capture} ${parts.join(' and ')}.`];
  });
}
