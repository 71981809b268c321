import type { CaptureReport, Diagnosis, Evidence, Group } from '../model/diagnosis.ts';
import { formatCount } from '../model/text.ts';
import { formatId } from './format.ts';
import { renderLadder } from './ladder.ts';
import { buildLadder } from './ladder-model.ts';
import { shortSource } from './source.ts';
import type { Span, Theme } from './style.ts';
import { renderFix, renderNextSteps } from './terminal-commands.ts';
import { renderProof } from './terminal-proof.ts';
import { type Item, renderItems, section } from './terminal-section.ts';
import { displayWidth } from './width.ts';
import { wrapHanging } from './wrap.ts';

interface Context {
  readonly group: Group;
  readonly report: CaptureReport;
  readonly theme: Theme;
  readonly columns: number;
}

/** Renders one attempt in full: ladder, where and why, evidence, what was ruled out, what to do. */
export function renderDiagnosis(
  diagnosis: Diagnosis,
  { group, report, theme, columns }: Context,
  { verbose }: { readonly verbose: number },
): Span[][][] {
  const supports = diagnosis.evidence.filter(({ bearing }) => bearing === 'supports');
  const contradicts = diagnosis.evidence.filter(({ bearing }) => bearing === 'contradicts');
  return [
    verbose >= 1 && diagnosis.sentence !== group.sentence && diagnosis.sentence !== report.headline
      ? wrapHanging([theme.span('  ')], [theme.span(diagnosis.sentence)], columns)
      : [],
    ladder(diagnosis, { group, report, theme, columns }),
    verdict(diagnosis, { group, report, theme, columns }),
    section(
      'Because',
      renderItems(
        supports.map((item) => evidenceItem(item, report, theme)),
        theme,
        columns,
      ),
      theme,
    ),
    section(
      'Against it',
      renderItems(
        contradicts.map((item) => evidenceItem(item, report, theme)),
        theme,
        columns,
      ),
      theme,
    ),
    section('Ruled out', ruledOut(diagnosis, verbose, theme, columns), theme),
    verbose >= 1 ? section('Also seen', findings(diagnosis, theme, columns), theme) : [],
    renderProof(diagnosis, verbose, theme, columns),
    section('Fix', renderFix(diagnosis.remedies, theme, columns), theme),
    section('Next', renderNextSteps(diagnosis.nextSteps, theme, columns), theme),
  ];
}

function ladder(diagnosis: Diagnosis, { group, report, theme, columns }: Context): Span[][] {
  if (diagnosis.handshake.segments.length === 0) return [];
  const lines = renderLadder(buildLadder(diagnosis, report.clocks), theme, columns);
  if (group.count < 2) return lines;
  return [[theme.span(`  1 of ${formatCount(group.count)} such attempts:`, 'dim')], ...lines];
}

/** The cause, or who is suspected; and between which captures it died. */
function verdict(diagnosis: Diagnosis, { group, report, theme, columns }: Context): Span[][] {
  const { cause, suspects, path } = diagnosis;
  const lines: Span[][] = [];
  if (cause !== null) {
    // The sentence mostly stands above already.
    const told = report.headline.includes(cause.sentence) || group.sentence.includes(cause.sentence);
    lines.push(
      ...wrapHanging(
        [theme.span('Cause     ', 'strong')],
        [
          theme.span(cause.title, 'strong'),
          theme.span(` (${formatId(cause.status)})${told ? '' : `. ${cause.sentence}`}`),
        ],
        columns,
      ),
    );
  } else if (suspects.length > 0) {
    const names = suspects.map(({ id, status }) => `${formatId(id)} (${formatId(status)})`).join(', ');
    lines.push(...wrapHanging([theme.span('Could be  ', 'strong')], [theme.span(names)], columns));
  }
  if (path !== undefined) {
    // What stands above already, as the sentence of a group of one, is not said again.
    const detail = path.sentence === group.sentence ? '' : ` ${path.sentence}`;
    const match = path.match === undefined ? [] : [theme.span(` Recognised by: ${path.match}.`, 'dim')];
    lines.push(
      ...wrapHanging(
        [theme.span('Where     ', 'strong')],
        [theme.span(formatId(path.location), 'strong'), theme.span(` (${path.confidence}).${detail}`), ...match],
        columns,
      ),
    );
  }
  return lines;
}

function evidenceItem({ statement, source, weight, bearing }: Evidence, report: CaptureReport, theme: Theme): Item {
  const strong = weight === 'conclusive' || weight === 'strong';
  return {
    mark: strong ? theme.glyphs.bullet : theme.glyphs.hollow,
    markStyle: bearing === 'contradicts' ? 'warn' : strong ? 'bad' : 'dim',
    text: [theme.span(statement)],
    source: shortSource(source, report),
  };
}

/** Without -v only so many causes are listed as ruled out: those that are easily taken for the cause stand first. */
const RULED_OUT_SHOWN = 5;

function ruledOut({ ruledOut: all }: Diagnosis, verbose: number, theme: Theme, columns: number): Span[][] {
  // Causes that the same number rules out are told once.
  const told = new Set<string>();
  const causes = all.filter(({ statement }) => !told.has(statement) && told.add(statement));
  const shown = verbose >= 1 ? causes : causes.slice(0, RULED_OUT_SHOWN);
  const names = shown.map(({ id }) => theme.span(formatId(id)));
  const widest = Math.max(0, ...names.map(({ text }) => displayWidth(text)));
  const aligned = widest <= Math.floor(columns * 0.34);
  const lines = shown.flatMap(({ statement }, index) => {
    const name = names[index] ?? theme.span('');
    const mark = theme.span(`  ${theme.glyphs.hollow} `, 'dim');
    if (!aligned) return wrapHanging([mark], [name, theme.span(`: ${statement}`, 'dim')], columns);
    const padding = theme.span(' '.repeat(widest - displayWidth(name.text) + 2));
    return wrapHanging([mark, name, padding], [theme.span(statement, 'dim')], columns);
  });
  const more = all.length - shown.length;
  if (more > 0 && shown.length > 0) lines.push([theme.span(`  ${theme.glyphs.ellipsis} and ${more} more (-v)`, 'dim')]);
  return lines;
}

/** What was found in the handshake and is not told as evidence already. */
function findings({ handshake, evidence }: Diagnosis, theme: Theme, columns: number): Span[][] {
  const told = new Set(evidence.map(({ statement }) => statement));
  const untold = handshake.findings.filter(({ statement }) => !told.has(statement));
  const items = untold.map(
    ({ statement, frames }): Item => ({
      mark: theme.glyphs.hollow,
      markStyle: 'dim',
      text: [theme.span(statement)],
      source: frames.map((frame) => `#${frame}`).join(' '),
    }),
  );
  return renderItems(items, theme, columns);
}
