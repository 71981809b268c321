import type { CaptureReport } from '../model/diagnosis.ts';
import { OUTCOMES } from '../model/handshake.ts';
import { formatCount } from '../model/text.ts';
import { formatOutcome } from './format.ts';
import { renderGroupCards } from './html-groups.ts';
import { renderHtmlList, renderHtmlPage } from './html-page.ts';
import { renderAttemptTable } from './html-table.ts';
import { html, type SafeHtml } from './html-template.ts';
import { captureSentences, reportNotes } from './notes.ts';

/** Renders a report as one HTML file, see {@link renderHtmlPage}. */
export function renderHtml(report: CaptureReport): string {
  return renderHtmlPage({
    headline: report.headline,
    over: `synscope ${report.command} ${report.captures.map(({ name }) => name).join(' ')}`,
    state: report.summary.failed > 0 ? 'failed' : report.summary.handshakes > 0 ? 'fine' : 'empty',
    content: html`${numbers(report)}
${renderGroupCards(report)}
${limits(report)}
${renderAttemptTable(report)}
${footer(report)}`,
  });
}

function numbers({ summary }: CaptureReport): SafeHtml {
  const outcomes = OUTCOMES.flatMap((outcome) => {
    const count = summary.outcomes[outcome] ?? 0;
    return count === 0 ? [] : [number(count, formatOutcome(outcome))];
  });
  return html`<dl class="numbers">
${number(summary.handshakes, summary.handshakes === 1 ? 'handshake' : 'handshakes')}
${number(summary.failed, 'failed', summary.failed > 0 ? 'bad' : '')}
${outcomes}
${summary.late > 0 ? number(summary.late, 'after a repeated SYN') : undefined}
</dl>`;
}

function number(count: number, name: string, tone: string = ''): SafeHtml {
  return html`<div class="${tone}"><dt>${name}</dt><dd>${formatCount(count)}</dd></div>\n`;
}

function limits(report: CaptureReport): SafeHtml | undefined {
  const items = reportNotes(report).map(
    ({ statement, hint }) =>
      html`<li>${statement}${hint === undefined ? '' : html` <span class="muted">→ ${hint}</span>`}</li>\n`,
  );
  return renderHtmlList('Not seen', items);
}

function footer(report: CaptureReport): SafeHtml {
  const sentences = [...captureSentences(report), ...(report.clocks ?? []).map(({ statement }) => statement)];
  return html`<footer>
${sentences.map((sentence) => html`<p>${sentence}</p>\n`)}</footer>`;
}
