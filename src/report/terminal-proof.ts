import type { Diagnosis } from '../model/diagnosis.ts';
import type { Proof } from '../model/proof.ts';
import { changeText, triedText } from '../model/proof-words.ts';
import { formatDuration, formatQuantity } from '../model/text.ts';
import type { Span, Theme } from './style.ts';
import { section } from './terminal-section.ts';
import { wrapHanging } from './wrap.ts';

/** Without -v so many of each are shown. */
const SHOWN = 4;

/** What a copy of the host showed beyond the evidence: other ways to an answer, what was assumed, what the copy lacks. */
export function renderProof({ proof, remedies }: Diagnosis, verbose: number, theme: Theme, columns: number): Span[][] {
  if (proof === undefined) return [];
  const item = (text: string): Span[][] =>
    wrapHanging([theme.span(`  ${theme.glyphs.hollow} `, 'dim')], [theme.span(text, 'dim')], columns);
  const list = (texts: readonly string[]): Span[][] => {
    const shown = verbose > 0 ? texts : texts.slice(0, SHOWN);
    const more = texts.length - shown.length;
    return [
      ...shown.flatMap(item),
      ...(more > 0 ? [[theme.span(`  ${theme.glyphs.ellipsis} and ${more} more (-v)`, 'dim')]] : []),
    ];
  };
  const others = proof.alternatives.map((set) => set.map(changeText).join('; and '));
  return [
    ...section(
      proof.outcome === 'proven' ? 'It is answered as well when' : 'It would be answered when',
      list(others),
      theme,
    ),
    ...section('Tried on a copy', list(triedTexts(proof, remedies)), theme),
    ...section(
      'The copy',
      [
        ...item(
          `${formatQuantity(proof.replays, 'SYN')} sent to copies in ${formatDuration(proof.elapsedMs * 1e6)}; the host itself was only read`,
        ),
        ...list(proof.assumptions),
      ],
      theme,
    ),
    ...section('Not in the copy', list(proof.notCopied), theme),
  ];
}

/** What became of each repair that was tried, by its title. */
export function triedTexts({ remedies: tried = [] }: Proof, offered: Diagnosis['remedies']): string[] {
  return tried.map((one) => `${offered.find(({ id }) => id === one.id)?.title ?? one.id}: ${triedText(one)}`);
}
