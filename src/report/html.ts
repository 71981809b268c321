import type { CaptureReport } from '../model/diagnosis.ts';
import { OUTCOMES } from '../model/handshake.ts';
import { formatCount } from '../model/text.ts';
import { formatOutcome } from './format.ts';
import { renderGroupCards } from './html-groups.ts';
import { SCRIPT, SCRIPT_HASH } from './html-script.ts';
import { STYLE, STYLE_HASH } from './html-style.ts';
import { renderAttemptTable } from './html-table.ts';
import { html, SafeHtml } from './html-template.ts';
import { captureSentences, reportNotes } from './notes.ts';

const POLICY = `default-src 'none'; style-src '${STYLE_HASH}'; script-src '${SCRIPT_HASH}'; base-uri 'none'; form-action 'none'`;

/**
 * Renders a report as one HTML file that needs nothing else: no network, no other file, and no script to be read. Its
 * content security policy allows the style sheet and the script of this file by their hashes, and nothing more.
 */
export function renderHtml(report: CaptureReport): string {
  const state = report.summary.failed > 0 ? 'failed' : report.summary.handshakes > 0 ? 'fine' : 'empty';
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${new SafeHtml(POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<title>${report.headline}</title>
<style>${new SafeHtml(STYLE)}</style>
</head>
<body>
<main class="${state}">
<p class="over">synscope ${report.command} ${report.captures.map(({ name }) => name).join(' ')}</p>
<h1>${report.headline}</h1>
${numbers(report)}
${renderGroupCards(report)}
${limits(report)}
${renderAttemptTable(report)}
${footer(report)}
</main>
<script>${new SafeHtml(SCRIPT)}</script>
</body>
</html>
`.text;
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
  const notes = reportNotes(report);
  if (notes.length === 0) return undefined;
  const items = notes.map(
    ({ statement, hint }) =>
      html`<li>${statement}${hint === undefined ? '' : html` <span class="muted">→ ${hint}</span>`}</li>\n`,
  );
  return html`<section aria-labelledby="not-seen">
<h2 class="part" id="not-seen">Not seen</h2>
<ul class="steps">
${items}</ul>
</section>`;
}

function footer(report: CaptureReport): SafeHtml {
  const sentences = [...captureSentences(report), ...(report.clocks ?? []).map(({ statement }) => statement)];
  return html`<footer>
${sentences.map((sentence) => html`<p>${sentence}</p>\n`)}</footer>`;
}
