import type { CaptureReport } from '../model/diagnosis.ts';
import { OUTCOMES } from '../model/handshake.ts';
import { formatCount, formatQuantity } from '../model/text.ts';
import { formatOutcome } from './format.ts';

/** The numbers over everything in one sentence. */
export function summarySentence({ summary }: CaptureReport): string {
  const { handshakes, failed, outcomes, late } = summary;
  const parts = OUTCOMES.flatMap((outcome) => {
    const count = outcomes[outcome] ?? 0;
    if (count === 0) return [];
    const delayed = outcome === 'established' && late > 0 ? ` (${formatCount(late)} after a repeated SYN)` : '';
    return [`${formatCount(count)} ${formatOutcome(outcome)}${delayed}`];
  });
  const list = parts.length === 0 ? '' : `: ${parts.join(', ')}`;
  return `${formatQuantity(handshakes, 'handshake')}, ${formatCount(failed)} failed${list}.`;
}
