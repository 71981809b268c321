import { ROW, ROW_COUNTS, ROW_SERVER, ROW_STATE } from '../handshake/attempt-table.ts';
import { type Comparison, referenceNs } from '../handshake/compare/comparison.ts';
import { covers } from '../handshake/compare/coverage.ts';
import { hashAddress, mix } from '../handshake/compare/hash-chains.ts';

/**
 * Hash of everything about an attempt that decides a verdict, but its packets: which captures have it, its state and its counts
 * there, how it was recognised, its server, and which captures cover its beginning and its end.
 */
export function signatureOf(comparison: Comparison, story: number): number {
  const { columns, order, rowOf, basisOf } = comparison;
  const near = order.find((capture) => rowOf[capture]![story]! >= 0)!;
  const nearRow = rowOf[near]![story]!;
  const { firstNs, lastNs } = columns[near]!;
  const begin = referenceNs(comparison, near, firstNs[nearRow]!);
  const end = referenceNs(comparison, near, lastNs[nearRow]!);
  let hash = hashAddress(columns[near]!.rows, nearRow * ROW + ROW_SERVER);
  for (const capture of order) {
    const row = rowOf[capture]![story]!;
    const { rows } = columns[capture]!;
    if (row >= 0) hash = mix(hash ^ rows[row * ROW + ROW_STATE]!) ^ rows[row * ROW + ROW_COUNTS]!;
    const covered =
      (covers(comparison, capture, begin, near) ? 1 : 0) + (covers(comparison, capture, end, near) ? 2 : 0);
    hash = mix(hash + covered * 31 + basisOf[capture]![story]! * 7 + (row < 0 ? 1 : 0));
  }
  return hash;
}
