import { type IncidentSamples, incidentReport } from './incident-report.ts';
import { changeTime, formatMoment, incidentFacts, repairOutcome } from './incident-text.ts';
import { createTheme, type Span, type Theme } from './style.ts';
import type { TerminalOptions } from './terminal.ts';
import { renderDiagnosis } from './terminal-diagnosis.ts';
import { section } from './terminal-section.ts';
import { displayWidth } from './width.ts';
import { wrapHanging } from './wrap.ts';

const MIN_COLUMNS = 40;
const MAX_COLUMNS = 120;

/** Renders one incident: verdict, when and whom, a sample with its evidence, what changed before, what was repaired. */
export function renderIncident(subject: IncidentSamples, options: TerminalOptions): string {
  const theme = createTheme(options);
  const columns = Math.max(MIN_COLUMNS, Math.min(MAX_COLUMNS, options.columns));
  const { incident, samples } = subject;
  const report = incidentReport(subject);
  const [group] = report.groups;
  const shown = options.verbose >= 1 ? samples : samples.slice(0, 1);
  const blocks: Span[][][] = [
    headline(subject, theme, columns),
    incidentFacts(incident).flatMap((sentence) =>
      wrapHanging([theme.span('  ')], [theme.span(sentence, 'dim')], columns),
    ),
    ...(group === undefined
      ? [wrapHanging([theme.span('  ')], [theme.span('No attempt of it was kept.', 'dim')], columns)]
      : shown.flatMap((sample) => renderDiagnosis(sample, { group, report, theme, columns }, options))),
    section('What changed', changes(subject, theme, columns), theme),
    section('Repairs', repairs(subject, theme, columns), theme),
  ];
  return blocks
    .filter((block) => block.length > 0)
    .map((block) => block.map((line) => `${theme.paint(line)}\n`).join(''))
    .join('\n');
}

function headline({ incident: { state, kind, sentence } }: IncidentSamples, theme: Theme, columns: number): Span[][] {
  const { glyphs } = theme;
  if (state === 'closed')
    return wrapHanging([theme.span(`${glyphs.hollow} `)], [theme.span(sentence, 'strong')], columns);
  const style = kind === 'failure' ? 'bad-strong' : 'warn';
  const mark = kind === 'failure' ? glyphs.cross : glyphs.bullet;
  return wrapHanging([theme.span(`${mark} `, style)], [theme.span(sentence, style)], columns);
}

function changes({ incident }: IncidentSamples, theme: Theme, columns: number): Span[][] {
  const times = incident.changes.map(({ atNs }) => theme.span(changeTime(atNs, incident)));
  const widest = Math.max(0, ...times.map(({ text }) => displayWidth(text)));
  return incident.changes.flatMap(({ text }, index) => {
    const time = times[index] ?? theme.span('');
    const gap = theme.span(' '.repeat(widest - displayWidth(time.text)));
    return wrapHanging([theme.span('  '), gap, time, theme.span('  ')], [theme.span(text)], columns);
  });
}

function repairs({ incident }: IncidentSamples, theme: Theme, columns: number): Span[][] {
  return incident.repairs.flatMap((repair) => {
    const good = repair.outcome === 'verified';
    const bad = repair.outcome === 'failed' || repair.outcome === 'rolled-back';
    const lines = wrapHanging(
      [theme.span(`  ${formatMoment(repair.atNs).slice(11)}  `, 'dim')],
      [
        theme.span(`${repair.title}: `),
        theme.span(repairOutcome(repair), good ? 'good' : bad ? 'bad' : 'plain'),
        theme.span(`. ${repair.statement}`, 'dim'),
      ],
      columns,
    );
    return repair.journalId !== undefined && good
      ? [...lines, [theme.span('            '), theme.span(`synscope fix --undo ${repair.journalId}`, 'command')]]
      : lines;
  });
}
