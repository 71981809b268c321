import type { CaptureReport } from '../model/diagnosis.ts';
import { formatDuration, formatQuantity } from '../model/text.ts';

/** One limit of what was seen, and what would lift it. */
export interface Limit {
  readonly statement: string;
  readonly hint?: string;
}

/** What could not be seen: of the first diagnosis, of the captures (named when there are several), of the whole. */
export function reportNotes(report: CaptureReport): Limit[] {
  const several = report.captures.length > 1;
  const limits: Limit[] = [
    ...(report.notSeen ?? report.groups[0]?.examples[0]?.undetermined ?? []).map(({ reason, hint }) =>
      limit(reason, hint),
    ),
    ...report.captures.flatMap(({ name, notes }) =>
      notes.map(({ statement, hint }) =>
        limit(several && !statement.includes(name) ? `${name}: ${statement}` : statement, hint),
      ),
    ),
    ...report.notes.map(({ statement, hint }) => limit(statement, hint)),
  ];
  const known = new Set<string>();
  return limits.filter(({ statement }) => {
    if (known.has(statement)) return false;
    known.add(statement);
    return true;
  });
}

/** One sentence for each capture: how many packets over which time. */
export function captureSentences({ captures }: CaptureReport): string[] {
  return captures.map(({ name, packets, firstNs, lastNs }) => {
    const span = firstNs === undefined || lastNs === undefined ? '' : ` in ${formatDuration(Number(lastNs - firstNs))}`;
    return `${name === '-' ? 'standard input' : name}: ${formatQuantity(packets, 'packet')}${span}.`;
  });
}

function limit(statement: string, hint: string | undefined): Limit {
  return hint === undefined ? { statement } : { statement, hint };
}
