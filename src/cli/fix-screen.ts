import { changeCommands } from '../model/change-commands.ts';
import type { RepairPlan, RepairRecord, RepairStep } from '../model/repair.ts';
import { createTheme, type Span, type Theme } from '../report/style.ts';
import { renderCommand } from '../report/terminal-commands.ts';
import { renderItems, section } from '../report/terminal-section.ts';
import { wrapHanging } from '../report/wrap.ts';
import type { FixReport } from './fix-json.ts';
import type { OutputStyle } from './output.ts';

/** Wider text is hard to read. */
const MAX_COLUMNS = 120;
const MIN_COLUMNS = 40;

interface Page {
  readonly theme: Theme;
  readonly columns: number;
}

/** Renders what one run of `fix` has to tell for a terminal. */
export function renderFixScreen(
  report: FixReport,
  style: OutputStyle,
  applyCommand: readonly string[] | undefined,
): string {
  const theme = createTheme(style);
  const page: Page = { theme, columns: Math.max(MIN_COLUMNS, Math.min(MAX_COLUMNS, style.columns)) };
  const { glyphs } = theme;
  const { recovered, interrupted = [], cannot, nothingWrong, plan, result, journal } = report;
  const blocks: Span[][][] = [
    recovered.flatMap(({ id, title, outcome, statement }) =>
      line(
        page,
        glyphs.hint,
        'warn',
        `Repair ${id} (${title}): ${statement}${outcome === 'failed' ? '. It needs your hand.' : '.'}`,
      ),
    ),
    interrupted.flatMap(({ id, title, startedAt, statement }) =>
      line(
        page,
        glyphs.hint,
        'warn',
        `Repair ${id} (${title}) of ${when(startedAt)}: ${statement}. The next --apply or --undo on this host brings it to an end first.`,
      ),
    ),
    ...(journal === undefined ? [] : [renderJournal(journal, page)]),
    nothingWrong === undefined ? [] : line(page, glyphs.check, 'good-strong', nothingWrong),
    ...(plan === undefined
      ? []
      : renderPlan(plan, page, result !== undefined, result === undefined ? applyCommand : undefined)),
    cannot === undefined
      ? []
      : line(
          page,
          glyphs.cross,
          'bad-strong',
          `${capital(cannot.reason)}${cannot.hint === undefined ? '.' : `: ${cannot.hint}.`}`,
        ),
    result === undefined ? [] : renderResult(result, report, page),
  ];
  return blocks
    .filter((block) => block.length > 0)
    .map((block) => block.map((spans) => `${theme.paint(spans)}\n`).join(''))
    .join('\n');
}

/** Renders a plan: what, why, how, with what it is verified, how it lasts. */
function renderPlan(plan: RepairPlan, page: Page, isDone: boolean, applyCommand?: readonly string[]): Span[][][] {
  const { theme, columns } = page;
  const { glyphs } = theme;
  const item = (mark: string, markStyle: 'dim' | 'good' | 'bad' | 'warn', text: string): Span[][] =>
    renderItems([{ mark, markStyle, text: [theme.span(text)], source: '' }], theme, columns);
  const { remedy, cause, steps, persistent, twin } = plan;
  const lacking = optionsLacking(plan);
  return [
    [
      ...wrapHanging(
        [theme.span(`${glyphs.cross} `, 'bad-strong')],
        [theme.span(plan.sentence, 'bad-strong')],
        columns,
      ),
      ...wrapHanging([theme.span('  ')], [theme.span(`${cause.title} (${cause.id}, ${cause.status})`, 'dim')], columns),
    ],
    wrapHanging(
      [theme.span('Remedy  ', 'strong')],
      [theme.span(remedy.title, 'strong'), theme.span(` (${remedy.id}, ${remedy.risk} risk)`, 'dim')],
      columns,
    ),
    section(
      'Do',
      steps.flatMap((step) => renderStep(step, page)),
      theme,
    ),
    section(
      'By hand',
      plan.advice.flatMap((text) => item(glyphs.hint, 'dim', text)),
      theme,
    ),
    isDone
      ? []
      : section(
          'Because',
          plan.reasons.flatMap((text) => item(glyphs.bullet, 'dim', text)),
          theme,
        ),
    isDone
      ? []
      : section(
          'Checked',
          [
            ...plan.checks.flatMap(({ ok, statement }) =>
              item(ok ? glyphs.check : glyphs.cross, ok ? 'good' : 'bad', statement),
            ),
            ...(twin === undefined
              ? []
              : item(twin.helped ? glyphs.check : glyphs.cross, twin.helped ? 'good' : 'bad', twin.statement)),
          ],
          theme,
        ),
    isDone
      ? []
      : section(
          'Risk',
          steps
            .flatMap(({ dangers, cannotUndo }) => [
              ...dangers,
              ...(cannotUndo === undefined ? [] : [capital(cannotUndo)]),
            ])
            .flatMap((text) => item('!', 'warn', text)),
          theme,
        ),
    steps.length === 0 || isDone
      ? []
      : section(
          'Verified by',
          item(glyphs.hollow, 'dim', `${plan.verification}; otherwise everything is undone`),
          theme,
        ),
    section(
      'To make it last',
      [
        ...(persistent === undefined
          ? []
          : item(glyphs.hollow, 'dim', `--persist writes ${persistent.path}; ${persistent.statement}`)),
        ...(persistent?.added ?? []).map((text) => [theme.span('      '), theme.span(text, 'command')]),
        ...(plan.persistentNote === undefined ? [] : item(glyphs.hollow, 'dim', plan.persistentNote)),
      ],
      theme,
    ),
    isDone
      ? []
      : section(
          'Other remedies',
          plan.alternatives.flatMap(({ id, title, applicable }) =>
            item(glyphs.hollow, 'dim', `${title}${applicable ? ` (--remedy ${id})` : ' (by hand)'}`),
          ),
          theme,
        ),
    section(
      'Not possible as it stands',
      plan.blocked.flatMap(({ reason, hint }) =>
        item(glyphs.cross, 'bad', `${reason}${hint === undefined ? '' : `; ${hint}`}`),
      ),
      theme,
    ),
    applyCommand === undefined || lacking === undefined
      ? []
      : section(
          plan.blocked.length === 0 ? 'Nothing was changed. To do it' : 'Nothing was changed. To do it all the same',
          renderCommand([...applyCommand, ...lacking], theme, columns),
          theme,
        ),
  ];
}

/** What must be added to the command line so that a plan can be applied; undefined when no option would do. */
function optionsLacking({ blocked }: RepairPlan): readonly string[] | undefined {
  const options = blocked.map(({ option }) => option);
  if (options.some((option) => option === undefined || option.includes('ADDRESS'))) return undefined;
  return [...new Set(options.flatMap((option) => option ?? []))];
}

function renderStep(step: RepairStep, { theme, columns }: Page): Span[][] {
  const commands = (words: readonly string[]): Span[][] => renderCommand(words, theme, columns, 6);
  if (step.alreadySo)
    return wrapHanging(
      [theme.span('  '), theme.span(`${theme.glyphs.check} `, 'good')],
      [theme.span(`${step.text}: it is so already`)],
      columns,
    );
  return [
    ...wrapHanging([theme.span('  '), theme.span(`${theme.glyphs.bullet} `, 'dim')], [theme.span(step.text)], columns),
    ...(isScript(step.do) ? changeCommands(step.change) : [step.do]).flatMap(commands),
    ...renderUndo(step, theme, columns),
  ];
}

function renderUndo({ undo, undoText }: RepairStep, theme: Theme, columns: number): Span[][] {
  if (undo.length === 0) return [];
  const words = undoText ?? (undo.some(isScript) ? 'putting back what is there now' : undefined);
  if (words !== undefined) return wrapHanging([theme.span('    ')], [theme.span(`undone by ${words}`, 'dim')], columns);
  return [[theme.span('    undone by', 'dim')], ...undo.flatMap((argv) => renderCommand(argv, theme, columns, 6))];
}

/** A script of synscope says nothing to people. */
function isScript(words: readonly string[]): boolean {
  return words[0] === 'sh' && words[1] === '-c';
}

function renderResult(
  { id, outcome, statement, persisted, undid }: NonNullable<FixReport['result']>,
  { plan }: FixReport,
  page: Page,
): Span[][] {
  const { glyphs } = page.theme;
  const isExact = plan?.steps.every(({ cannotUndo }) => cannotUndo === undefined) !== false;
  const undo = `Repair ${id}; to take it back: synscope fix --undo ${id}`;
  if (undid !== undefined) return line(page, glyphs.check, 'good-strong', `Repair ${undid} is undone: ${statement}.`);
  if (outcome === 'verified') {
    return [
      ...line(page, glyphs.check, 'good-strong', `Repaired and verified: ${statement}.`),
      ...(persisted === undefined ? [] : line(page, ' ', 'dim', `It will last: ${persisted} is written.`)),
      ...line(page, ' ', 'dim', undo),
    ];
  }
  if (outcome === 'rolled-back') {
    return [
      ...line(page, glyphs.cross, 'bad-strong', `Taken back: ${statement}.`),
      ...line(page, ' ', 'dim', `${isExact ? 'Everything is as it was before. ' : ''}Repair ${id} in the journal.`),
    ];
  }
  return line(page, glyphs.cross, 'bad-strong', `It needs your hand: ${statement}. Repair ${id} in the journal.`);
}

function renderJournal(records: readonly RepairRecord[], page: Page): Span[][] {
  if (records.length === 0) return line(page, page.theme.glyphs.hollow, 'dim', 'No repair was ever made from here.');
  return records.flatMap((record) => {
    const { id, host, by, causeId, title, startedAt, outcome, statement, undoable } = record;
    const good = outcome === 'verified' || outcome === 'undone';
    const mark = good ? page.theme.glyphs.check : page.theme.glyphs.cross;
    return [
      ...line(page, mark, good ? 'good' : 'bad', `${id}  ${when(startedAt)}  ${host}  ${causeId}  ${outcome}`),
      ...line(
        page,
        ' ',
        'dim',
        `${title}${by === 'policy' ? ' (by policy)' : ''}: ${statement}.${undoable ? ` To take it back: synscope fix --undo ${id}` : ''}`,
      ),
    ];
  });
}

function line(
  { theme, columns }: Page,
  mark: string,
  style: 'dim' | 'good' | 'bad' | 'warn' | 'good-strong' | 'bad-strong',
  text: string,
): Span[][] {
  const textStyle = style === 'good-strong' || style === 'bad-strong' ? style : 'plain';
  return wrapHanging([theme.span(`${mark} `, style)], [theme.span(text, textStyle)], columns);
}

/** `2026-11-21 08:12:45 UTC`. */
function when(at: string): string {
  return at.replace('T', ' ').replace(/\.\d+Z$/, ' UTC');
}

function capital(text: string): string {
  return `${text[0]?.toUpperCase() ?? ''}${text.slice(1)}`;
}
