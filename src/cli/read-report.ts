import { trackCapture } from '../collect/track-capture.ts';
import type { AttemptFilter } from '../engine/attempt-filter.ts';
import { CaptureCollector } from '../engine/capture-collector.ts';
import { captureLabels } from '../model/capture-labels.ts';
import type { CaptureReport } from '../model/diagnosis.ts';
import { type JsonStream, jsonStream } from '../report/json.ts';
import type { CaptureCommandOptions } from './capture-options.ts';
import { OutputBuffer } from './output.ts';
import { startProgress } from './progress.ts';
import { writeReports } from './write-reports.ts';

interface ReadReportOptions extends Omit<CaptureCommandOptions, 'limit'> {
  readonly filter: AttemptFilter;
  readonly limit: number;
  readonly signal: AbortSignal;
}

/** Reads one capture, prints the report in the form that was asked for, and returns it. */
export async function readReport(path: string, options: ReadReportOptions): Promise<CaptureReport> {
  const [name = path] = captureLabels([path]);
  const output = new OutputBuffer();
  const { json = false, html, annotate, verbose } = options;
  const keep = html !== undefined || annotate !== undefined || verbose >= 2;
  const stream = json && !keep ? lateStream(jsonStream((text) => output.write(text))) : undefined;
  const collector = new CaptureCollector({
    name,
    path,
    filter: options.filter,
    all: options.all ?? false,
    failedOnly: options.failed ?? false,
    limit: json || keep ? options.limit : 0,
    ...(stream === undefined ? {} : { onDiagnosis: stream.diagnosis }),
  });
  const progress = startProgress(path === '-' ? 'standard input' : name);
  const input = { signal: options.signal, onProgress: progress.update };
  const { summary, tracker, baseNs } = await trackCapture(path, input, collector).finally(progress.end);
  const report = collector.report(tracker, baseNs, [{ ...summary, name, path }], []);
  if (stream === undefined) {
    await writeReports(report, options, output);
  } else {
    stream.end(report);
    output.flush();
  }
  return report;
}

/** A stream that begins with the first thing that it is given, so that nothing is written of a capture that cannot be read. */
function lateStream(stream: JsonStream): Omit<JsonStream, 'begin'> {
  let begun = false;
  const begin = (): void => {
    if (!begun) stream.begin('read');
    begun = true;
  };
  return {
    diagnosis(diagnosis) {
      begin();
      stream.diagnosis(diagnosis);
    },
    end(report) {
      begin();
      stream.end(report);
    },
  };
}
