import type { CaptureReport, Diagnosis } from '../model/diagnosis.ts';
import { formatEndpoint } from '../model/flow.ts';
import { formatCount } from '../model/text.ts';
import { formatId, formatOutcome, formatTimestamp } from './format.ts';
import { html, type SafeHtml } from './html-template.ts';

/** More rows make a page slow; the JSON has them all. */
const MAX_ROWS = 2000;

/** Renders the attempts one by one as a table, the first {@link MAX_ROWS} of them. */
export function renderAttemptTable(report: CaptureReport): SafeHtml | undefined {
  const { diagnoses, omittedDiagnoses } = report;
  if (diagnoses.length === 0) return undefined;
  const shown = diagnoses.slice(0, MAX_ROWS);
  const left = diagnoses.length - shown.length + omittedDiagnoses;
  const withCapture = shown.some(({ capture }) => capture !== undefined);
  const withPlace = shown.some(({ path, cause }) => path !== undefined || cause !== null);
  const names = [
    'Time (UTC)',
    ...(withCapture ? ['Capture'] : []),
    'Client',
    'Server',
    'Outcome',
    ...(withPlace ? ['Why'] : []),
    'In a sentence',
  ];
  return html`<section aria-labelledby="attempts">
<h2 class="part" id="attempts">Every attempt</h2>
${left > 0 ? html`<p class="muted">The first ${formatCount(shown.length)} are listed; ${formatCount(left)} more are left out.</p>` : undefined}
<div class="scroll">
<table class="attempts">
<thead><tr>${names.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>
${shown.map((diagnosis) => row(diagnosis, withCapture, withPlace))}</tbody>
</table>
</div>
</section>`;
}

function row(diagnosis: Diagnosis, withCapture: boolean, withPlace: boolean): SafeHtml {
  const { handshake, cause, path, capture, sentence } = diagnosis;
  const why = cause === null ? (path === undefined ? '' : formatId(path.location)) : formatId(cause.id);
  const tone = handshake.outcome === 'established' ? 'good' : 'bad';
  const time = formatTimestamp(handshake.startedAtNs);
  return html`<tr><td class="short" data-name="Time"><time datetime="${time}">${time.slice(11, 23)}</time></td>${
    withCapture ? html`<td class="mono" data-name="Capture">${capture}</td>` : undefined
  }<td class="mono" data-name="Client">${formatEndpoint(handshake.client)}</td><td class="mono" data-name="Server">${formatEndpoint(
    handshake.server,
  )}</td><td class="short ${tone}" data-name="Outcome">${formatOutcome(handshake.outcome)}</td>${
    withPlace ? html`<td data-name="Why">${why}</td>` : undefined
  }<td data-name="Verdict">${sentence}</td></tr>
`;
}
