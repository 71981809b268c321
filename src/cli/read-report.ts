import { trackCapture } from '../collect/track-capture.ts';
import { type AttemptFilter, compileFilter, nothingPasses } from '../engine/attempt-filter.ts';
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
  let stream: JsonStream | undefined;
  if (json && !keep) stream = jsonStream((text) => output.write(text));
  const collector = new CaptureCollector({
    name,
    path,
    all: options.all ?? false,
    failedOnly: options.failed ?? false,
    limit: json || keep ? options.limit : 0,
    ...(stream === undefined ? {} : { onDiagnosis: stream.diagnosis }),
  });
  let begun = false;
  let filtered = 0;
  let filter: ReturnType<typeof compileFilter>;
  const progress = startProgress(path === '-' ? 'standard input' : name);
  const { summary } = await trackCapture(
    path,
    { signal: options.signal, onProgress: progress.update },
    ({ table }, row, baseNs, firstNs) => {
      if (!begun) {
        begun = true;
        filter = compileFilter(options.filter, table, firstNs);
        stream?.begin('read');
      }
      if (filter === undefined || filter(row, baseNs)) collector.close(table, row, baseNs);
      else filtered++;
    },
  ).finally(progress.end);
  const whole = collector.report([{ ...summary, name, path }], []);
  const report =
    filtered > 0 && whole.summary.handshakes === 0
      ? { ...whole, headline: nothingPasses(options.filter, [name], filtered) }
      : whole;
  if (stream === undefined) {
    await writeReports(report, options, output);
  } else {
    if (!begun) stream.begin('read');
    stream.end(report);
    await output.flush();
  }
  return report;
}
