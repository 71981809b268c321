import { renderGroupCards } from './html-groups.ts';
import { SCRIPT, SCRIPT_HASH } from './html-script.ts';
import { STYLE, STYLE_HASH } from './html-style.ts';
import { html, SafeHtml } from './html-template.ts';
import { type IncidentSamples, incidentReport } from './incident-report.ts';
import { changeTime, formatMoment, incidentFacts, repairOutcome } from './incident-text.ts';

const POLICY = `default-src 'none'; style-src '${STYLE_HASH}'; script-src '${SCRIPT_HASH}'; base-uri 'none'; form-action 'none'`;

/** Renders an incident as one HTML file that needs nothing else. */
export function renderIncidentHtml(subject: IncidentSamples): string {
  const { incident } = subject;
  const report = incidentReport(subject);
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${new SafeHtml(POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<title>${incident.sentence}</title>
<style>${new SafeHtml(STYLE)}</style>
</head>
<body>
<main class="${incident.state === 'open' ? 'failed' : 'fine'}">
<p class="over">synscope show ${incident.id}</p>
<h1>${incident.sentence}</h1>
${incidentFacts(incident).map((sentence) => html`<p>${sentence}</p>\n`)}
${renderGroupCards(report)}
${list(
  'What changed',
  incident.changes.map(
    ({ atNs, text }) => html`<li><span class="muted">${changeTime(atNs, incident)}</span> ${text}</li>\n`,
  ),
)}
${list(
  'Repairs',
  incident.repairs.map(
    (repair) =>
      html`<li><span class="muted">${formatMoment(repair.atNs)} UTC</span> ${repair.title}: ${repairOutcome(repair)}. ${repair.statement}</li>\n`,
  ),
)}
</main>
<script>${new SafeHtml(SCRIPT)}</script>
</body>
</html>
`.text;
}

function list(title: string, items: readonly SafeHtml[]): SafeHtml | undefined {
  if (items.length === 0) return undefined;
  return html`<section>
<h2 class="part">${title}</h2>
<ul class="steps">
${items}</ul>
</section>`;
}
