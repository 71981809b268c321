import type { Diagnosis } from '../model/diagnosis.ts';
import { changeText } from '../model/proof-words.ts';
import { formatDuration, formatQuantity } from '../model/text.ts';
import { type HtmlPart, html, type SafeHtml } from './html-template.ts';
import { triedTexts } from './terminal-proof.ts';

/** What a copy of the host showed beyond the evidence. */
export function renderProofHtml({ proof, remedies }: Diagnosis): SafeHtml | undefined {
  if (proof === undefined) return undefined;
  const others = proof.alternatives.map((set) => set.map(changeText).join('; and '));
  return html`${list(proof.outcome === 'proven' ? 'It is answered as well when' : 'It would be answered when', others)}
${list('Tried on a copy', triedTexts(proof, remedies))}
${list('The copy', [`${formatQuantity(proof.replays, 'SYN')} sent to copies in ${formatDuration(proof.elapsedMs * 1e6)}; the host itself was only read`, ...proof.assumptions])}
${list('Not in the copy', proof.notCopied)}`;
}

function list(title: string, texts: readonly string[]): HtmlPart {
  return texts.length === 0
    ? undefined
    : html`<h3>${title}</h3>\n<ul class="evidence">${texts.map((text) => html`<li class="light"><span>${text}</span></li>`)}</ul>`;
}
