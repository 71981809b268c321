import type { Comparison } from '../handshake/compare/comparison.ts';
import { clockBasis, windowOf } from '../handshake/compare/coverage.ts';
import { BASIS_ISN } from '../handshake/compare/match-basis.ts';
import type { Note } from '../model/capture.ts';
import { formatCount, formatDuration, formatList, formatQuantity } from '../model/text.ts';

/** What limits or colours a comparison. */
export function pathNotes(comparison: Comparison, otherClients: number): Note[] {
  const { columns, order, reordered, copies, basisOf } = comparison;
  const names = columns.map(({ capture }) => capture.name);
  const notes: Note[] = [];
  const last = names[order.at(-1)!]!;
  if (order.some((capture, i) => capture !== i)) {
    const sorted = order.map((capture) => names[capture]!);
    const why = reordered.length === 0 ? '' : ` (${formatList([...new Set(reordered)])})`;
    notes.push({
      code: 'captures-reordered',
      statement: `From the client to the server the order is ${formatList(sorted)}, not as given${why}.`,
    });
  }
  for (let k = 1; k < columns.length; k++) {
    if (comparison.matches.some(({ a, b, matched }) => matched > 0 && (b === columns[k] || a === columns[k]))) continue;
    notes.push({
      code: 'nothing-in-common',
      statement: `${names[k]} has no attempt in common with the other captures.`,
      hint: 'Check interface, filter and time of the captures; behind a proxy the two sides are different connections.',
    });
  }
  const gap = commonWindow(comparison);
  if (gap <= 0) {
    notes.push({
      code: 'no-common-time',
      statement: `The captures do not overlap in time: ${formatDuration(-gap)} lie between them.`,
      hint: 'Capture at both points at the same time.',
    });
  }
  const rewritten = basisOf.reduce(
    (sum, basis) => sum + basis.filter((code) => code > BASIS_ISN && code !== 4).length,
    0,
  );
  if (rewritten > 0) {
    notes.push({
      code: 'isn-rewritten',
      statement: `Something on the way rewrites sequence numbers: ${formatQuantity(rewritten, 'attempt')} could only be recognised by timestamps, addresses, options and time.`,
    });
  }
  copies.forEach((count, k) => {
    if (count === 0) return;
    notes.push({
      code: 'translated-copies',
      statement: `${names[k]} shows ${formatQuantity(count, 'attempt')} twice, before and after address translation; each counts once.`,
    });
  });
  if (otherClients > 0) {
    notes.push({
      code: 'other-clients',
      statement: `${formatCount(otherClients)} attempts are only in ${last}: of other clients, or of a proxy or load balancer; they were not compared.`,
    });
  }
  for (let k = 1; k < columns.length; k++) {
    const steps = comparison.clocks[k]!.model.segments.length - 1;
    if (clockBasis(comparison, k) === 'none' || steps === 0) continue;
    notes.push({ code: 'clock-step', statement: `The clock of ${names[k]} was set while it captured.` });
  }
  return notes;
}

function commonWindow(comparison: Comparison): number {
  const windows = comparison.columns.map((_, capture) => windowOf(comparison, capture));
  return Math.min(...windows.map(({ lastNs }) => lastNs)) - Math.max(...windows.map(({ firstNs }) => firstNs));
}
