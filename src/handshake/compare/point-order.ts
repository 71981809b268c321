import { ROW } from '../attempt-layout.ts';
import { synAckCount, synCount } from '../outcome.ts';
import { eventTtl, firstSyn, firstSynAck } from './attempt-columns.ts';
import type { PairMatch } from './pair-match.ts';
import type { PointTraits } from './point-traits.ts';

/** Round trips that differ by less say nothing of the order. */
const LEAST_ROUND_TRIP_NS = 20e3;
const SAMPLES = 4000;

/** How the order of two points was told: what speaks, in words. */
export interface OrderVote {
  /** Positive when the first of the pair is nearer the client. */
  readonly vote: number;
  readonly reasons: readonly string[];
}

/** What a pair of captures says of which is nearer the client. */
export function orderVote(match: PairMatch, nameA: string, nameB: string): OrderVote {
  const { a, b, rowOfB, clock } = match;
  const stride = Math.max(1, Math.floor(match.matched / SAMPLES));
  let [ttl, asked, answered, nth] = [0, 0, 0, 0];
  for (let rowA = 0; rowA < a.count; rowA++) {
    const rowB = rowOfB[rowA]!;
    if (rowB < 0 || nth++ % stride !== 0) continue;
    const tableA = a.capture.table;
    const tableB = b.capture.table;
    const synA = firstSyn(tableA, rowA);
    const synB = firstSyn(tableB, rowB);
    if (synA !== 0 && synB !== 0) ttl += Math.sign(eventTtl(tableA, synA) - eventTtl(tableB, synB));
    const answerA = firstSynAck(tableA, rowA);
    const answerB = firstSynAck(tableB, rowB);
    if (answerA !== 0 && answerB !== 0) ttl += Math.sign(eventTtl(tableB, answerB) - eventTtl(tableA, answerA));
    asked += Math.sign(synCount(a.rows, rowA * ROW) - synCount(b.rows, rowB * ROW));
    answered += Math.sign(synAckCount(b.rows, rowB * ROW) - synAckCount(a.rows, rowA * ROW));
  }
  const reasons: string[] = [];
  let vote = 0;
  const add = (value: number, weight: number, reason: (near: string, far: string) => string): void => {
    if (value === 0) return;
    vote += Math.sign(value) * weight;
    reasons.push(value > 0 ? reason(nameA, nameB) : reason(nameB, nameA));
  };
  const roundTrip = clock.roundTripNs ?? 0;
  if (Math.abs(roundTrip) >= LEAST_ROUND_TRIP_NS) {
    add(roundTrip, 4, (near, far) => `answers take longer to reach ${near} than ${far}`);
  }
  add(ttl, 3, (near, far) => `the TTL of SYNs is higher in ${near} than in ${far}`);
  add(asked, 1, (near, far) => `${near} holds SYNs that ${far} does not`);
  add(answered, 1, (near, far) => `${far} holds SYN-ACKs that ${near} does not`);
  return { vote, reasons };
}

/** The same from the captures one by one, for captures that share nothing: whose SYNs, and whose SYN-ACKs, were just sent? */
export function orderVoteOfTraits(a: PointTraits, b: PointTraits, nameA: string, nameB: string): OrderVote {
  const side = ({ hopsFromClient, hopsFromServer }: PointTraits): number => {
    if (hopsFromClient === 0 && hopsFromServer !== 0) return -1;
    return hopsFromServer === 0 && hopsFromClient !== 0 ? 1 : 0;
  };
  const vote = side(b) - side(a);
  if (Math.abs(vote) < 2) return { vote: 0, reasons: [] };
  const [near, far] = vote > 0 ? [nameA, nameB] : [nameB, nameA];
  return { vote, reasons: [`SYNs in ${near} and SYN-ACKs in ${far} have the TTL they were sent with`] };
}
