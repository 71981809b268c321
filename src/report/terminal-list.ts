import type { CaptureReport } from '../model/diagnosis.ts';
import { formatEndpoint } from '../model/flow.ts';
import { formatQuantity } from '../model/text.ts';
import { formatOutcome, formatTimestamp } from './format.ts';
import type { Span, Theme } from './style.ts';
import { section } from './terminal-section.ts';
import { wrapHanging } from './wrap.ts';

/** Renders every attempt of a report, one by one, in their order. */
export function renderDiagnosisList(report: CaptureReport, theme: Theme, columns: number): Span[][] {
  const arrow = theme.span(' → ', 'dim');
  const lines = report.diagnoses.flatMap(({ handshake, sentence }) => {
    const time = formatTimestamp(handshake.startedAtNs).slice(11, 23);
    const ends = [
      theme.span(formatEndpoint(handshake.client)),
      arrow,
      theme.span(`${formatEndpoint(handshake.server)} `, 'strong'),
      theme.span(formatOutcome(handshake.outcome), handshake.outcome === 'established' ? 'good' : 'bad'),
    ];
    return [
      ...wrapHanging([theme.span(`  ${time}  `, 'dim')], ends, columns),
      ...wrapHanging([theme.span(' '.repeat(16))], [theme.span(sentence, 'dim')], columns),
    ];
  });
  if (report.omittedDiagnoses > 0) {
    const more = formatQuantity(report.omittedDiagnoses, 'more attempt');
    lines.push(
      ...wrapHanging(
        [theme.span('  ')],
        [theme.span(`${theme.glyphs.ellipsis} ${more}; --limit sets how many are listed`, 'dim')],
        columns,
      ),
    );
  }
  return section('Every attempt (UTC)', lines, theme);
}
