import { mergeCaptures } from '../host/merge-captures.ts';
import type { CaptureReport } from '../model/diagnosis.ts';
import { annotations } from '../report/annotate.ts';

/** Writes the captures of a report into one pcapng file, with the verdicts as packet comments. */
export async function annotateCaptures(report: CaptureReport, path: string): Promise<void> {
  const comments = annotations(report);
  const inputs = report.captures.map((summary) => ({
    summary,
    offsetNs: report.clocks?.find(({ capture }) => capture === summary.name)?.offsetNs ?? 0n,
    comments: comments.get(summary.name) ?? new Map<number, readonly string[]>(),
  }));
  await mergeCaptures(inputs, path);
}
