import { ROW, ROW_PORTS } from '../attempt-layout.ts';
import { type Comparison, referenceNs } from './comparison.ts';

/** A load balancer connects to a server within this time after it was asked. */
const ASKED_WITHIN_NS = 500e6;
const MOST_STEPS = 2000;

/**
 * Finds an attempt of a capture that no other capture has, and that began about when another was seen at `ns` (on the clock of
 * the first capture): it may be the other half of a connection that a proxy or load balancer split. One to the same port is
 * preferred; undefined when there is none, or more than one.
 */
export function strangerAt(comparison: Comparison, capture: number, ns: number, port: number): number | undefined {
  const { firstNs, rows, primary, count } = comparison.columns[capture]!;
  const paired = comparison.matches.flatMap(({ a, b, rowOfA, rowOfB }) => {
    if (a === comparison.columns[capture]) return [rowOfB];
    return b === comparison.columns[capture] ? [rowOfA] : [];
  });
  let low = 0;
  let high = count;
  // Rows are numbered as attempts begin.
  while (low < high) {
    const middle = (low + high) >> 1;
    if (referenceNs(comparison, capture, firstNs[middle]!) < ns) low = middle + 1;
    else high = middle;
  }
  const candidates: number[] = [];
  for (let row = low; row < Math.min(count, low + MOST_STEPS); row++) {
    if (referenceNs(comparison, capture, firstNs[row]!) > ns + ASKED_WITHIN_NS) break;
    if (primary[row] === row && paired.every((partner) => partner[row]! < 0)) candidates.push(row);
  }
  const same = candidates.filter((row) => (rows[row * ROW + ROW_PORTS]! & 0xffff) === port);
  const best = same.length > 0 ? same : candidates;
  return best.length === 1 ? best[0] : undefined;
}
