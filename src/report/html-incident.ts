import { renderGroupCards } from './html-groups.ts';
import { renderHtmlList, renderHtmlPage } from './html-page.ts';
import { html } from './html-template.ts';
import { type IncidentSamples, incidentReport } from './incident-report.ts';
import { changeTime, formatMoment, incidentFacts, repairOutcome } from './incident-text.ts';

/** Renders an incident as one HTML file, see {@link renderHtmlPage}. */
export function renderIncidentHtml(subject: IncidentSamples): string {
  const { incident } = subject;
  const changes = incident.changes.map(
    ({ atNs, text }) => html`<li><span class="muted">${changeTime(atNs, incident)}</span> ${text}</li>\n`,
  );
  const repairs = incident.repairs.map(
    (repair) =>
      html`<li><span class="muted">${formatMoment(repair.atNs)} UTC</span> ${repair.title}: ${repairOutcome(repair)}. ${repair.statement}</li>\n`,
  );
  return renderHtmlPage({
    headline: incident.sentence,
    over: `synscope show ${incident.id}`,
    state: incident.state === 'open' ? 'failed' : 'fine',
    content: html`${incidentFacts(incident).map((sentence) => html`<p>${sentence}</p>\n`)}
${renderGroupCards(incidentReport(subject))}
${renderHtmlList('What changed', changes)}
${renderHtmlList('Repairs', repairs)}`,
  });
}
