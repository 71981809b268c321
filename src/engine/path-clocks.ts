import { type Comparison, referenceNs } from '../handshake/compare/comparison.ts';
import { clockBasis, uncertaintyNs } from '../handshake/compare/coverage.ts';
import type { ClockRelation } from '../model/diagnosis.ts';
import { formatDuration, formatQuantity } from '../model/text.ts';

/** How the clock of each capture but the first relates to that of the first, in the order of the user. */
export function clockRelations(comparison: Comparison): ClockRelation[] {
  return comparison.columns.slice(1).map((_, i) => clockRelation(comparison, i + 1));
}

function clockRelation(comparison: Comparison, capture: number): ClockRelation {
  const { columns, clocks } = comparison;
  const { capture: tracked, shiftNs } = columns[capture]!;
  const { model } = clocks[capture]!;
  const beginNs = Number(tracked.firstNs - tracked.baseNs);
  const offset = referenceNs(comparison, capture, beginNs) - beginNs - shiftNs;
  const unsure = uncertaintyNs(comparison, capture);
  const basis = clockBasis(comparison, capture);
  const steps = model.segments.length - 1;
  const confidence =
    basis === 'none' ? 'none' : basis === 'one-way' || model.samples < 3 ? 'likely' : steps > 0 ? 'likely' : 'certain';
  return {
    capture: tracked.name,
    offsetNs: BigInt(Math.round(offset)),
    uncertaintyNs: BigInt(Math.round(unsure)),
    ...(model.driftPpm === undefined ? {} : { driftPpm: model.driftPpm }),
    samples: model.samples,
    confidence,
    statement: statementOf(comparison, capture, { offset, unsure, basis, steps }),
  };
}

function statementOf(
  { columns, clocks }: Comparison,
  capture: number,
  { offset, unsure, basis, steps }: { offset: number; unsure: number; basis: string; steps: number },
): string {
  const name = columns[capture]!.capture.name;
  const first = columns[0]!.capture.name;
  if (basis === 'none') {
    return `No packet is in both ${first} and ${name}: their clocks are taken for the same, which nothing confirms.`;
  }
  const { model } = clocks[capture]!;
  const ahead = -offset;
  const side =
    Math.abs(ahead) < 1000
      ? `agrees with that of ${first}`
      : `is ${formatDuration(Math.abs(ahead))} ${ahead > 0 ? 'ahead of' : 'behind'} that of ${first}`;
  const parts = [
    `The clock of ${name} ${side} (±${formatDuration(unsure)}, from ${formatQuantity(model.samples, 'attempt')})`,
  ];
  if (model.driftPpm !== undefined) {
    parts.push(`it runs ${Math.abs(model.driftPpm).toFixed(1)} ppm ${model.driftPpm > 0 ? 'fast' : 'slow'}`);
  }
  if (steps > 0) parts.push(`it was set ${formatQuantity(steps, 'time')} in between`);
  if (basis === 'one-way')
    parts.push('only packets of one direction were seen at both, so the way itself is part of it');
  return `${parts.join('; ')}.`;
}
