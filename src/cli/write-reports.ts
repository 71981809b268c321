import type { CaptureReport } from '../model/diagnosis.ts';
import { renderJson } from '../report/json.ts';
import { renderTerminal } from '../report/terminal.ts';
import type { CaptureCommandOptions } from './capture-options.ts';
import { type OutputBuffer, outputStyle } from './output.ts';
import { writeWhole } from './output-files.ts';

/** Prints a report as text or JSON, and writes the files that were asked for. */
export async function writeReports(
  report: CaptureReport,
  { json = false, html, annotate, verbose }: Pick<CaptureCommandOptions, 'json' | 'html' | 'annotate' | 'verbose'>,
  output: OutputBuffer,
): Promise<void> {
  output.write(json ? renderJson(report) : renderTerminal(report, { ...outputStyle(), verbose }));
  output.flush();
  if (html !== undefined) {
    const { renderHtml } = await import('../report/html.ts');
    writeWhole(html, renderHtml(report));
  }
  if (annotate !== undefined) {
    const { annotateCaptures } = await import('./annotate.ts');
    await annotateCaptures(report, annotate);
  }
}
