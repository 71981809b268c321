import type { CauseEvidence } from '../model/cause.ts';
import type { EvidenceWeight, VerdictStatus } from '../model/diagnosis.ts';

/** How much one piece of evidence counts. Conclusive evidence decides by itself. */
const POINTS: Readonly<Record<EvidenceWeight, number>> = { conclusive: 12, strong: 4, moderate: 2, weak: 1 };
/** From so many points on a cause is likely. */
const LIKELY = 4;

/** What the evidence says of one cause. */
export interface Weighed {
  readonly status: Exclude<VerdictStatus, 'undetermined'>;
  /** Points for it less points against it; orders causes of the same status. */
  readonly score: number;
}

/**
 * Turns evidence into a status, the same way for all causes. A conclusive contradiction rules a cause out, whatever
 * supports it; only conclusive support confirms, and only when nothing strong speaks against it.
 */
export function weigh(evidence: readonly CauseEvidence[]): Weighed {
  const points = (bearing: CauseEvidence['bearing']): number =>
    evidence.reduce((sum, one) => sum + (one.bearing === bearing ? POINTS[one.weight] : 0), 0);
  const has = (bearing: CauseEvidence['bearing'], weight: EvidenceWeight): boolean =>
    evidence.some((one) => one.bearing === bearing && one.weight === weight);
  const supporting = points('supports');
  const score = supporting - points('contradicts');
  if (has('contradicts', 'conclusive')) return { status: 'ruled-out', score };
  if (has('supports', 'conclusive')) {
    return { status: has('contradicts', 'strong') ? 'likely' : 'confirmed', score };
  }
  if (has('contradicts', 'strong') && score <= 0) return { status: 'ruled-out', score };
  if (score >= LIKELY) return { status: 'likely', score };
  return { status: supporting > 0 && score > 0 ? 'possible' : 'not-indicated', score };
}
