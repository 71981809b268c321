import type { CaptureReport, Group } from '../model/diagnosis.ts';
import { createTheme, type Span, type Theme } from './style.ts';
import { renderDiagnosis } from './terminal-diagnosis.ts';
import { renderGroupRows } from './terminal-groups.ts';
import { renderDiagnosisList } from './terminal-list.ts';
import { renderNotes, renderSummary } from './terminal-summary.ts';
import { wrapHanging } from './wrap.ts';

/** How a report is written on a terminal. */
export interface TerminalOptions {
  /** Width of the terminal. Text is never set wider than 120 columns. */
  readonly columns: number;
  readonly color: boolean;
  /** False for a terminal that shows only ASCII. */
  readonly unicode: boolean;
  /** 0: the most telling failure in full, the others as rows; 1: all in full; 2: also every attempt one by one. */
  readonly verbose: number;
}

/** Wider text is hard to read. */
const MAX_COLUMNS = 120;
const MIN_COLUMNS = 40;

/** Renders a report for a terminal: verdict, ladder, evidence, what to do, what else failed, what was not seen. */
export function renderTerminal(report: CaptureReport, options: TerminalOptions): string {
  const theme = createTheme(options);
  const columns = Math.max(MIN_COLUMNS, Math.min(MAX_COLUMNS, options.columns));
  const [lead, ...others] = report.groups;
  const blocks: Span[][][] = [headline(report, theme, columns)];
  if (lead !== undefined) {
    blocks.push(...groupInFull(lead, { report, theme, columns, only: others.length === 0 }, options));
    if (options.verbose >= 1) {
      for (const group of others) {
        blocks.push(...groupInFull(group, { report, theme, columns, only: false }, options));
      }
    } else {
      blocks.push(renderGroupRows(others, theme, columns));
    }
  }
  if (options.verbose >= 2) blocks.push(renderDiagnosisList(report, theme, columns));
  blocks.push(renderSummary(report, theme, columns), renderNotes(report, theme, columns));
  return blocks
    .filter((block) => block.length > 0)
    .map((block) => block.map((line) => `${theme.paint(line)}\n`).join(''))
    .join('\n');
}

function headline({ headline: sentence, summary, diagnoses }: CaptureReport, theme: Theme, columns: number): Span[][] {
  const { glyphs } = theme;
  if (summary.failed > 0) {
    return wrapHanging([theme.span(`${glyphs.cross} `, 'bad-strong')], [theme.span(sentence, 'bad-strong')], columns);
  }
  const supposed = diagnoses.some((one) => one.supposed);
  if ((summary.handshakes === 0 && !supposed) || diagnoses.some(({ incomplete }) => incomplete)) {
    return wrapHanging([theme.span(`${glyphs.hollow} `, 'warn')], [theme.span(sentence, 'warn')], columns);
  }
  return wrapHanging([theme.span(`${glyphs.check} `, 'good-strong')], [theme.span(sentence, 'good-strong')], columns);
}

interface Surroundings {
  readonly report: CaptureReport;
  readonly theme: Theme;
  readonly columns: number;
  /** Whether it is the only group, so that the headline speaks of it alone. */
  readonly only: boolean;
}

function groupInFull(
  group: Group,
  { report, theme, columns, only }: Surroundings,
  options: TerminalOptions,
): Span[][][] {
  const [example] = group.examples;
  const blocks: Span[][][] = [];
  if (!only && group.sentence !== report.headline) {
    blocks.push(
      wrapHanging(
        [theme.span(`${theme.glyphs.cross} `, 'bad-strong')],
        [theme.span(group.sentence, 'strong')],
        columns,
      ),
    );
  }
  if (example !== undefined) blocks.push(...renderDiagnosis(example, { group, report, theme, columns }, options));
  return blocks;
}
