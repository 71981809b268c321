import { statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { type ComparedInput, trackForComparison } from '../collect/track-for-comparison.ts';
import { trackInThread } from '../collect/track-in-thread.ts';
import type { AttemptFilter } from '../engine/attempt-filter.ts';
import { compareCaptures } from '../engine/compare-captures.ts';
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
  const inputs = await trackAll(paths, options.signal);
  const summaries = inputs.map(({ summary }) => summary);
  const tracked = inputs.map(({ capture }) => capture);
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
    output.flush();
    return report;
  }
  const report = asReport(compareCaptures(tracked, shown), summaries);
  await writeReports(report, options, output);
  return report;
}

function asReport(comparison: ReturnType<typeof compareCaptures>, captures: readonly CaptureSummary[]): CaptureReport {
  return { ...comparison, command: 'compare', captures };
}

/**
 * From so many bytes in all on, reading side by side outweighs that each thread compiles the code anew: two captures of 1 GB took
 * 0.78 of the time and 1.08 of the CPU, two of 250 MB took longer than one after the other.
 */
const THREADS_FROM_BYTES = 1e9;

async function trackAll(paths: readonly string[], signal: AbortSignal): Promise<ComparedInput[]> {
  const labels = captureLabels(paths);
  const sizes = paths
    .map((path) => statSync(path, { throwIfNoEntry: false }))
    .map((stat) => (stat?.isFile() ? stat.size : 0));
  const threads = sizes.reduce((sum, size) => sum + size, 0) >= THREADS_FROM_BYTES && availableParallelism() > 1;
  const inputs: ComparedInput[] = [];
  if (threads) {
    const progress = startProgress(`${paths.length} captures`);
    const read = paths.map(() => 0);
    const total = sizes.every((size) => size > 0) ? sizes.reduce((sum, size) => sum + size, 0) : undefined;
    const tracking = paths.map((path, index) => {
      const onProgress = (bytesRead: number): void => {
        read[index] = bytesRead;
        progress.update(
          read.reduce((sum, bytes) => sum + bytes, 0),
          total,
        );
      };
      const name = labels[index] as string;
      // A pipe stays with this thread: it comes at its own pace.
      return sizes[index] === 0
        ? trackForComparison(path, name, { signal, onProgress })
        : trackInThread(path, name, { signal, onProgress });
    });
    return Promise.all(tracking).finally(progress.end);
  }
  for (const [index, path] of paths.entries()) {
    const progress = startProgress(path === '-' ? 'standard input' : (labels[index] as string));
    const options = { signal, onProgress: progress.update };
    inputs.push(await trackForComparison(path, labels[index] as string, options).finally(progress.end));
  }
  return inputs;
}
