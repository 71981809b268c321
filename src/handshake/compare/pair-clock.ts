import { ROW, ROW_STATE, STATE_ANSWERED } from '../attempt-layout.ts';
import { eventNs, eventSeq } from '../attempt-table.ts';
import { synAckCount, synCount } from '../outcome.ts';
import { type AttemptColumns, eventTsval, firstSyn, firstSynAck, followingSyn, hasTsval } from './attempt-columns.ts';
import { type ClockModel, fitClock, fitOneWay, SAME_CLOCK } from './clock-model.ts';

/** So many matched attempts are enough to know the clocks. */
const MAX_SAMPLES = 12_000;

/** What the packets that two captures share say of their clocks and of their order. */
export interface PairClock {
  /** How far the clock of the second capture is ahead of the first's, both shifted to the same base. */
  readonly model: ClockModel;
  /** Median of round trip at the first point less round trip at the second: positive when the first is nearer the client. */
  readonly roundTripNs: number | undefined;
  readonly bothWays: number;
}

/**
 * Reads the relation of two clocks from matched attempts. `rowOfB` leads from rows of `a` to rows of `b`; times by the clock
 * of `b` are in float nanoseconds since the base of the first capture.
 */
export function pairClock(a: AttemptColumns, b: AttemptColumns, rowOfB: Int32Array): PairClock {
  let pairs = 0;
  for (let row = 0; row < rowOfB.length; row++) if (rowOfB[row]! >= 0) pairs++;
  const stride = Math.max(1, Math.ceil(pairs / MAX_SAMPLES));
  const room = Math.ceil(pairs / stride);
  const timeNs = new Float64Array(room);
  const aheadNs = new Float64Array(room);
  const roundTripNs = new Float64Array(room);
  const forward = new Float64Array(room);
  const reverse = new Float64Array(room);
  let [both, onlyForward, onlyReverse, nth] = [0, 0, 0, 0];
  for (let rowA = 0; rowA < rowOfB.length; rowA++) {
    const rowB = rowOfB[rowA]!;
    if (rowB < 0 || nth++ % stride !== 0) continue;
    const there = synDifference(a, rowA, b, rowB);
    const back = synAckDifference(a, rowA, b, rowB);
    if (there !== undefined && back !== undefined) {
      timeNs[both] = b.firstNs[rowB]! + b.shiftNs;
      aheadNs[both] = (there + back) / 2;
      roundTripNs[both++] = there - back;
    } else if (there !== undefined) forward[onlyForward++] = there;
    else if (back !== undefined) reverse[onlyReverse++] = back;
  }
  if (both > 0) {
    const samples = {
      timeNs: timeNs.slice(0, both),
      aheadNs: aheadNs.slice(0, both),
      roundTripNs: roundTripNs.slice(0, both),
    };
    const sorted = samples.roundTripNs.slice().sort();
    return { model: fitClock(samples), roundTripNs: sorted[both >> 1]!, bothWays: both };
  }
  const model =
    onlyForward > 0
      ? fitOneWay(forward.subarray(0, onlyForward), 1)
      : onlyReverse > 0
        ? fitOneWay(reverse.subarray(0, onlyReverse), -1)
        : SAME_CLOCK;
  return { model, roundTripNs: undefined, bothWays: 0 };
}

/** Time at `b` less time at `a` of a SYN that both saw. */
function synDifference(a: AttemptColumns, rowA: number, b: AttemptColumns, rowB: number): number | undefined {
  const tableA = a.capture.table;
  const tableB = b.capture.table;
  const difference = b.shiftNs - a.shiftNs;
  let stamped = false;
  for (let x = firstSyn(tableA, rowA); x !== 0; x = followingSyn(tableA, rowA, x)) {
    for (let y = firstSyn(tableB, rowB); y !== 0; y = followingSyn(tableB, rowB, y)) {
      if (!hasTsval(tableA, x) || !hasTsval(tableB, y)) continue;
      stamped = true;
      if (eventTsval(tableA, x) === eventTsval(tableB, y)) return eventNs(tableB, y) - eventNs(tableA, x) + difference;
    }
  }
  const syns = synCount(tableA.rows, rowA * ROW);
  if (syns === 0 || syns !== synCount(tableB.rows, rowB * ROW) || (stamped && syns > 1)) return undefined;
  return eventNs(tableB, firstSyn(tableB, rowB)) - eventNs(tableA, firstSyn(tableA, rowA)) + difference;
}

/** The same of the first SYN-ACK, when it is the same one at both. */
function synAckDifference(a: AttemptColumns, rowA: number, b: AttemptColumns, rowB: number): number | undefined {
  const tableA = a.capture.table;
  const tableB = b.capture.table;
  const answered = tableA.rows[rowA * ROW + ROW_STATE]! & tableB.rows[rowB * ROW + ROW_STATE]! & STATE_ANSWERED;
  if (answered === 0) return undefined;
  const x = firstSynAck(tableA, rowA);
  const y = firstSynAck(tableB, rowB);
  if (x === 0 || y === 0) return undefined;
  if (hasTsval(tableA, x) && hasTsval(tableB, y)) {
    if (eventTsval(tableA, x) !== eventTsval(tableB, y)) return undefined;
  } else if (eventSeq(tableA, rowA, x) !== eventSeq(tableB, rowB, y)) return undefined;
  else if (synAckCount(tableA.rows, rowA * ROW) !== synAckCount(tableB.rows, rowB * ROW)) return undefined;
  return eventNs(tableB, y) - eventNs(tableA, x) + b.shiftNs - a.shiftNs;
}
