import type { CaptureReport, Diagnosis, Evidence } from '../model/diagnosis.ts';
import { quoteCommand } from '../model/shell-quote.ts';
import { formatQuantity } from '../model/text.ts';
import { formatId } from './format.ts';
import { renderProofHtml } from './html-proof.ts';
import { type HtmlPart, html, type SafeHtml } from './html-template.ts';
import { buildLadder, type Ladder } from './ladder-model.ts';
import { laneLetter, renderLadderSvg } from './ladder-svg.ts';
import { shortSource } from './source.ts';

/** Renders one attempt in full: ladder, where and why, evidence, what was ruled out, what to do. */
export function renderDiagnosisHtml(diagnosis: Diagnosis, count: number, report: CaptureReport): SafeHtml {
  const supports = diagnosis.evidence.filter(({ bearing }) => bearing === 'supports');
  const contradicts = diagnosis.evidence.filter(({ bearing }) => bearing === 'contradicts');
  return html`${ladderFigure(buildLadder(diagnosis, report.clocks), count)}
${verdict(diagnosis)}
${part('Because', supports.length > 0 && html`<ul class="evidence">${supports.map((item) => evidence(item, report))}</ul>`)}
${part('Against it', contradicts.length > 0 && html`<ul class="evidence">${contradicts.map((item) => evidence(item, report))}</ul>`)}
${part('Ruled out', diagnosis.ruledOut.length > 0 && facts(diagnosis.ruledOut.map(({ id, statement }) => [formatId(id), statement])))}
${renderProofHtml(diagnosis)}
${part('Fix', diagnosis.remedies.length > 0 && diagnosis.remedies.map(({ title, risk, commands }) => html`<p>${title} <span class="muted">(${risk} risk)</span></p>${commands.map(command)}`))}
${part('Next', diagnosis.nextSteps.length > 0 && html`<ol class="steps">${diagnosis.nextSteps.map((step) => html`<li>${step.statement}${step.command && command(quoteCommand(step.command))}</li>`)}</ol>`)}`;
}

function part(title: string, content: HtmlPart): SafeHtml | undefined {
  return content === false ? undefined : html`<h3>${title}</h3>\n${content}`;
}

function command(text: string): SafeHtml {
  return html`<pre><code>${text}</code></pre>`;
}

function facts(pairs: readonly (readonly [string, HtmlPart])[]): SafeHtml {
  return html`<dl class="facts">${pairs.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}

function evidence({ statement, source, weight, bearing }: Evidence, report: CaptureReport): SafeHtml {
  const heavy = weight === 'conclusive' || weight === 'strong' ? 'heavy' : 'light';
  return html`<li class="${bearing === 'contradicts' ? 'against' : heavy}"><span>${statement}</span> <span class="source">${shortSource(source, report)}</span></li>`;
}

function verdict({ cause, suspects, path }: Diagnosis): SafeHtml | undefined {
  const pairs: [string, HtmlPart][] = [];
  if (cause !== null) pairs.push(['Cause', html`<b>${cause.title}</b> (${formatId(cause.status)}). ${cause.sentence}`]);
  else if (suspects.length > 0) {
    pairs.push(['Could be', suspects.map(({ id, status }) => `${formatId(id)} (${formatId(status)})`).join(', ')]);
  }
  if (path !== undefined) {
    const match = path.match === undefined ? '' : html` <span class="muted">Recognised by: ${path.match}.</span>`;
    pairs.push(['Where', html`<b>${formatId(path.location)}</b> (${path.confidence}). ${path.sentence}${match}`]);
  }
  return pairs.length === 0 ? undefined : html`<div class="verdict">${facts(pairs)}</div>`;
}

function ladderFigure(ladder: Ladder, count: number): SafeHtml {
  const compared = ladder.lanes.length > 2;
  const legend = ladder.lanes.flatMap(({ role, name }, lane) =>
    role === 'capture' ? [html`<li><b>${laneLetter(lane)}</b> ${name}</li>`] : [],
  );
  const notes = [
    ...(count > 1 ? [`1 of ${formatQuantity(count, 'such attempt')}.`] : []),
    ...ladder.rows.flatMap((row) =>
      row.row === 'arrow' && row.detail !== undefined
        ? [`${row.label} #${row.frames.map(({ frame }) => frame).join(', #')}: ${row.detail}.`]
        : [],
    ),
    ...ladder.footnotes,
  ];
  return html`<figure>
<div class="ends"><span>client <b>${ladder.lanes[0]?.name}</b></span><span>server <b>${ladder.lanes.at(-1)?.name}</b></span></div>
${compared ? html`<ul class="legend">${legend}</ul>` : undefined}
<div class="drawing">${renderLadderSvg(ladder)}</div>
${notes.length > 0 ? html`<figcaption>${notes.map((note) => html`<p>${note}</p>`)}</figcaption>` : undefined}
</figure>`;
}
