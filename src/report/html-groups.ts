import type { CaptureReport, Group } from '../model/diagnosis.ts';
import { formatEndpoint } from '../model/flow.ts';
import { formatQuantity } from '../model/text.ts';
import { formatOutcome, formatTimestamp } from './format.ts';
import { renderDiagnosisHtml } from './html-diagnosis.ts';
import { html, SafeHtml } from './html-template.ts';

/** Each card holds a drawing; a page with more of them is no longer read. */
const MAX_GROUPS = 100;

/** Renders the first group as an open card and the others as cards that open. */
export function renderGroupCards(report: CaptureReport): SafeHtml | undefined {
  const [lead, ...others] = report.groups;
  if (lead === undefined) return undefined;
  const shown = others.slice(0, MAX_GROUPS - 1);
  const more = others.length - shown.length;
  const sections = shown.map(
    (group) => html`<details class="card">
<summary><h2>${group.sentence}</h2> ${meta(group)}</summary>
<div>
${body(group, report)}
</div>
</details>
`,
  );
  return html`<article class="card">
<h2${report.groups.length === 1 ? new SafeHtml(' class="hidden"') : undefined}>${lead.sentence}</h2>
<p>${meta(lead)}</p>
${body(lead, report)}
</article>
${shown.length > 0 ? html`<h2 class="part">Also failed</h2>\n` : undefined}${sections}${
  more > 0 ? html`<p class="muted">${formatQuantity(more, 'more group')} not shown here.</p>` : undefined
}`;
}

function meta({ server, kind, outcome, count, clients, firstNs, lastNs }: Group): SafeHtml {
  const name =
    server.port === undefined ? server.address : formatEndpoint({ address: server.address, port: server.port });
  const what = kind === 'alike' ? formatOutcome(outcome) : kind === 'syn-flood' ? 'SYN flood' : 'port scan';
  const first = formatTimestamp(firstNs);
  const last = formatTimestamp(lastNs);
  const until = first.slice(0, 19) === last.slice(0, 19) ? '' : ` to ${last.slice(11, 19)}`;
  return html`<span class="meta"><span class="mono">${name}</span> · ${what} · ${formatQuantity(count, 'attempt')} from ${formatQuantity(
    clients,
    'client',
  )} · ${first.slice(0, 10)} ${first.slice(11, 19)}${until} UTC</span>`;
}

function body({ examples: [example], count }: Group, report: CaptureReport): SafeHtml | undefined {
  return example === undefined ? undefined : renderDiagnosisHtml(example, count, report);
}
