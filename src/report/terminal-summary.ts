import type { CaptureReport } from '../model/diagnosis.ts';
import { captureSentences, reportNotes } from './notes.ts';
import type { Span, Theme } from './style.ts';
import { summarySentence } from './summary.ts';
import { section } from './terminal-section.ts';
import { wrapHanging } from './wrap.ts';

/** Renders the numbers over everything, the captures, and how their clocks relate. */
export function renderSummary(report: CaptureReport, theme: Theme, columns: number): Span[][] {
  const sentences = [
    ...(report.summary.handshakes === 0 && report.host !== undefined ? [] : [summarySentence(report)]),
    ...captureSentences(report),
    ...(report.clocks ?? []).map((clock) => clock.statement),
  ];
  return sentences.flatMap((sentence) => wrapHanging([], [theme.span(sentence, 'dim')], columns));
}

/** Renders what limits the view: of the first diagnosis, of each capture, of the whole. */
export function renderNotes(report: CaptureReport, theme: Theme, columns: number): Span[][] {
  const lines = reportNotes(report).flatMap(({ statement, hint }) =>
    wrapHanging(
      [theme.span(`  ${theme.glyphs.hollow} `, 'warn')],
      [theme.span(statement), ...(hint === undefined ? [] : [theme.span(` ${theme.glyphs.hint} ${hint}`, 'dim')])],
      columns,
    ),
  );
  return section('Not seen', lines, theme);
}
