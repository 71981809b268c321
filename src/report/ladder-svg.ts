import { type HtmlPart, html, type SafeHtml } from './html-template.ts';
import type { Ladder, LadderArrow, LadderGap } from './ladder-model.ts';

/** Room for the letters of the captures. */
const LETTERS = 20;
const ROW = 34;

/** Times end left of the client's lane; the page keeps room free for them. */
const TIME_X = -14;

/**
 * Draws a ladder as SVG without a fixed width: lanes stand at percentages, text keeps its size, so the same drawing fits a
 * wide screen, a phone and paper. Colours come from the classes of the page's style sheet.
 */
export function renderLadderSvg(ladder: Ladder): SafeHtml {
  const top = ladder.lanes.length > 2 ? LETTERS : 0;
  const height = top + ladder.rows.length * ROW + 6;
  const last = ladder.lanes.length - 1;
  const rails = ladder.lanes.map((lane, index) => {
    const x = percent(index, last);
    return html`<line class="rail ${lane.role}" x1="${x}" x2="${x}" y1="${top}" y2="${height}"/>`;
  });
  const letters = ladder.lanes.map((lane, index) =>
    lane.role === 'capture'
      ? html`<text class="lane" x="${percent(index, last)}" y="12" text-anchor="middle">${laneLetter(index)}</text>`
      : undefined,
  );
  const rows = ladder.rows.map((row, index) => drawRow(row, top + index * ROW + ROW / 2 + 5, ladder));
  return html`<svg class="ladder" role="img" width="100%" height="${height}"><title>Ladder of the handshake</title><desc>${describe(ladder)}</desc>${rails}${letters}${rows}</svg>`;
}

/** Letter under which a capture stands in the drawing and in its legend. */
export function laneLetter(lane: number): string {
  return String.fromCharCode(64 + lane);
}

/** The drawing in words, for those who cannot see it. */
function describe(ladder: Ladder): string {
  const ends = { arrived: '', unanswered: ', no answer', lost: ', lost on the way', unknown: ', fate unknown' };
  return ladder.rows
    .map((row) =>
      row.row === 'gap'
        ? `${row.packets} more packets`
        : `${timeText(row, ladder)} ${row.label} to the ${row.to > row.from ? 'server' : 'client'}${ends[row.end]}`,
    )
    .join('; ');
}

function drawRow(row: LadderArrow | LadderGap, y: number, ladder: Ladder): SafeHtml {
  if (row.row === 'gap') {
    return html`<text class="gap" x="50%" y="${y}" text-anchor="middle">… ${row.packets} more packets</text>`;
  }
  const last = ladder.lanes.length - 1;
  const from = percent(row.from, last);
  const to = percent(row.to, last);
  const middle = percent((row.from + row.to) / 2, last);
  const single = ladder.lanes.length === 2;
  const rightward = row.to > row.from;
  const frames = row.frames.map(({ lane, frame }) =>
    single
      ? html`<text class="frame" x="0" dx="${rightward ? 6 : 14}" y="${y + 14}">#${frame}</text>`
      : html`<text class="frame" x="${percent(lane, last)}" y="${y + 14}" text-anchor="middle">#${frame}</text>`,
  );
  return html`<g class="${row.tone}"><text class="time" x="${TIME_X}" y="${y + 4}" text-anchor="end">${timeText(row, ladder)}</text><line class="arrow" x1="${from}" x2="${to}" y1="${y}" y2="${y}"/>${origin(row, from, y)}${end(row, to, y)}<text class="label" x="${middle}" y="${y - 6}" text-anchor="middle">${row.label}</text>${frames}${remark(row, y)}</g>`;
}

function origin(row: LadderArrow, x: string, y: number): HtmlPart {
  if (Number.isInteger(row.from)) return undefined;
  return at(x, y, html`<path class="fill" d="M-6 0L0 -6L6 0L0 6Z"/>`);
}

function end(row: LadderArrow, x: string, y: number): SafeHtml {
  const side = row.to > row.from ? 1 : -1;
  if (row.end === 'unknown') return at(x, y, html`<text class="lost" y="5" text-anchor="middle">?</text>`);
  const cross = html`<path class="cross" d="M-5 -5L5 5M-5 5L5 -5"/>`;
  if (row.end === 'lost') return at(x, y, cross);
  const head = html`<path class="fill" d="M${-9 * side} -5L0 0L${-9 * side} 5Z"/>`;
  if (row.end === 'arrived') return at(x, y, head);
  return at(x, y, html`${head}<g transform="translate(${12 * side} 0)">${cross}</g>`);
}

function remark(row: LadderArrow, y: number): HtmlPart {
  if (row.remark === undefined) return undefined;
  return html`<text class="remark" x="100%" dx="-8" y="${y + 14}" text-anchor="end">${row.remark}</text>`;
}

/** Moves a shape to a percentage, which a transformation cannot. */
function at(x: string, y: number, shape: SafeHtml): SafeHtml {
  return html`<svg x="${x}" y="${y}" overflow="visible">${shape}</svg>`;
}

function percent(position: number, last: number): string {
  return `${Math.round((position / last) * 10_000) / 100}%`;
}

function timeText(row: LadderArrow, { decimals }: Ladder): string {
  return `${(row.sinceStartNs / 1e9).toFixed(decimals)} s`;
}
