import { trackCapture } from '../collect/track-capture.ts';
import type { AttemptFilter } from '../engine/attempt-filter.ts';
import { compareCaptures } from '../engine/compare-captures.ts';
import type { TrackedCapture } from '../handshake/compare/tracked-capture.ts';
import type { CaptureSummary } from '../model/capture.ts';
import { captureLabels } from '../model/capture-labels.ts';
import type { CaptureReport } from '../model/diagnosis.ts';
import { jsonStream } from '../report/json.ts';
import type { CaptureCommandOptions } from './capture-options.ts';
import { OutputBuffer } from './output.ts';
import { startProgress } from './progress.ts';
import { writeReports } from './write-reports.ts';

/** A page or a list is bounded unless the user says otherwise; JSON is not. */
const DEFAULT_LIST_LIMIT = 2000;

interface CompareReportOptions extends CaptureCommandOptions {
  readonly filter: AttemptFilter;
  readonly signal: AbortSignal;
}

/** Compares captures, prints the report in the form that was asked for, and returns it. */
export async function compareReport(paths: readonly string[], options: CompareReportOptions): Promise<CaptureReport> {
  const summaries: CaptureSummary[] = [];
  const tracked: TrackedCapture[] = [];
  for (const [index, name] of captureLabels(paths).entries()) {
    const { summary, capture } = await track(paths[index] as string, name, options.signal);
    summaries.push(summary);
    tracked.push(capture);
  }
  const { json = false, html, annotate, verbose } = options;
  const output = new OutputBuffer();
  const keep = html !== undefined || annotate !== undefined || verbose >= 2;
  const limit = options.limit ?? (json ? Number.POSITIVE_INFINITY : keep ? DEFAULT_LIST_LIMIT : 0);
  const shown = { limit, all: options.all ?? false, filter: options.filter };
  if (json && !keep) {
    const stream = jsonStream((text) => output.write(text));
    stream.begin('compare');
    const report = asReport(compareCaptures(tracked, { ...shown, onDiagnosis: stream.diagnosis }), summaries);
    stream.end(report);
    await output.flush();
    return report;
  }
  const report = asReport(compareCaptures(tracked, shown), summaries);
  await writeReports(report, options, output);
  return report;
}

function asReport(comparison: ReturnType<typeof compareCaptures>, captures: readonly CaptureSummary[]): CaptureReport {
  return { ...comparison, command: 'compare', captures };
}

async function track(
  path: string,
  name: string,
  signal: AbortSignal,
): Promise<{ summary: CaptureSummary; capture: TrackedCapture }> {
  const progress = startProgress(path === '-' ? 'standard input' : name);
  const { summary, tracker, baseNs } = await trackCapture(path, {
    signal,
    keep: true,
    onProgress: progress.update,
  }).finally(progress.end);
  const snapLengths = summary.interfaces.map(({ snapLength }) => snapLength).filter((bytes) => bytes > 0);
  const { firstNs = baseNs, lastNs = baseNs } = summary;
  const snapLength = snapLengths.length === 0 ? 0 : Math.min(...snapLengths);
  return {
    summary: { ...summary, name, path },
    capture: { name, path, table: tracker.table, baseNs, firstNs, lastNs, snapLength },
  };
}
