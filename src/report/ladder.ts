import { formatQuantity } from '../model/text.ts';
import { CanvasLine } from './canvas.ts';
import type { Ladder, LadderArrow } from './ladder-model.ts';
import type { Span, Style, Theme } from './style.ts';
import { displayWidth, shortenMiddle } from './width.ts';
import { wrapHanging, wrapSpans } from './wrap.ts';

/** Columns of the parts of a ladder drawn as text. */
interface Layout {
  readonly theme: Theme;
  readonly lanes: readonly number[];
  readonly timeEnd: number;
  readonly frameEnd: number;
  readonly columns: number;
}

const INDENT = 2;

/** Draws a ladder as lines of text: client left, server right, time and frame numbers at the left. */
export function renderLadder(ladder: Ladder, theme: Theme, columns: number): Span[][] {
  const layout = layOut(ladder, theme, columns);
  const lines = header(ladder, layout);
  for (const row of ladder.rows) {
    if (row.row === 'arrow') {
      lines.push(...arrow(row, ladder, layout));
      continue;
    }
    const line = rails(layout);
    line.putSpan(
      (layout.lanes[0] ?? 0) + 3,
      theme.span(`${theme.glyphs.ellipsis} ${formatQuantity(row.packets, 'more packet')} `, 'dim'),
    );
    lines.push(line.spans());
  }
  for (const footnote of ladder.footnotes) {
    lines.push(...wrapHanging([theme.span(' '.repeat(INDENT))], [theme.span(footnote, 'dim')], columns));
  }
  return lines;
}

function layOut(ladder: Ladder, theme: Theme, columns: number): Layout {
  const arrows = ladder.rows.filter((row) => row.row === 'arrow');
  const timeWidth = Math.max(...arrows.map((row) => timeText(row, ladder).length), 6);
  const single = ladder.lanes.length === 2;
  const frameWidth = single ? Math.max(0, ...arrows.map((row) => frameText(row).length)) + 2 : 0;
  const timeEnd = INDENT + timeWidth;
  const frameEnd = timeEnd + frameWidth;
  const first = frameEnd + 3;
  const remarks = arrows.map((row) =>
    row.end === 'unanswered' && row.to > row.from
      ? 2 + (row.remark === undefined ? 0 : displayWidth(row.remark) + 1)
      : 0,
  );
  const last = columns - 1 - Math.max(0, ...remarks) - 1;
  const lanes = ladder.lanes.map(
    (_, index) => first + Math.round(((last - first) * index) / (ladder.lanes.length - 1)),
  );
  return { theme, lanes, timeEnd, frameEnd, columns };
}

function header(ladder: Ladder, layout: Layout): Span[][] {
  const { theme, lanes, columns } = layout;
  const client = theme.span(ladder.lanes[0]?.name ?? '', 'strong');
  const server = theme.span(ladder.lanes.at(-1)?.name ?? '', 'strong');
  const left = lanes[0] ?? 0;
  const right = Math.min(columns, (lanes.at(-1) ?? columns) + 1);
  const clientWidth = displayWidth(client.text);
  const serverWidth = displayWidth(server.text);
  const captions = new CanvasLine();
  captions.putSpan(left, theme.span('client', 'dim'));
  captions.putSpan(right - 6, theme.span('server', 'dim'));
  const legend = captureCaptions(ladder, layout, captions);
  if (left + clientWidth + 2 + serverWidth <= right) {
    const names = new CanvasLine();
    names.putSpan(left, client);
    names.putSpan(right - serverWidth, server);
    return [...legend, captions.spans(), names.spans()];
  }
  if (clientWidth + serverWidth + INDENT + 2 <= right) {
    const names = new CanvasLine();
    names.putSpan(INDENT, client);
    names.putSpan(right - serverWidth, server);
    return [...legend, captions.spans(), names.spans()];
  }
  const indent = ' '.repeat(INDENT);
  return [
    ...wrapHanging([theme.span(`${indent}client `, 'dim')], [client], columns),
    ...wrapHanging([theme.span(`${indent}server `, 'dim')], [server], columns),
    ...legend,
    captions.spans(),
  ];
}

/** Writes the names of the captures above their lanes; where there is no room, letters and a legend. */
function captureCaptions(ladder: Ladder, { lanes, theme, columns }: Layout, captions: CanvasLine): Span[][] {
  const captures = ladder.lanes.flatMap((lane, index) => (lane.role === 'capture' ? [{ name: lane.name, index }] : []));
  const gap = (lanes[1] ?? 0) - (lanes[0] ?? 0);
  const room = Math.min(gap - 2, 2 * (gap - 8));
  const names = captures.map(({ name }) => laneCaption(name, room, theme));
  const fits = names.every((name) => displayWidth(name) <= room) || room >= 12;
  captures.forEach(({ index }, position) => {
    const letter = String.fromCharCode(65 + position);
    const text = fits ? shortenMiddle(names[position] ?? '', room, theme.glyphs.ellipsis) : letter;
    captions.putSpan((lanes[index] ?? 0) - Math.floor(displayWidth(text) / 2), theme.span(text, 'dim'));
  });
  if (fits) return [];
  return captures.flatMap(({ name }, position) =>
    wrapHanging([theme.span(`  ${String.fromCharCode(65 + position)}  `)], [theme.span(name, 'dim')], columns),
  );
}

/** Name of a capture without its folders and, where room is short, without its extension. */
function laneCaption(name: string, room: number, theme: Theme): string {
  const base = theme.span(name.slice(name.lastIndexOf('/') + 1)).text;
  return displayWidth(base) <= room ? base : base.replace(/(?:\.(?:pcap|pcapng|cap|gz|zst))+$/, '');
}

function rails({ theme, lanes }: Layout): CanvasLine {
  const line = new CanvasLine();
  for (const lane of lanes) line.put(lane, theme.glyphs.vertical, 'dim');
  return line;
}

function arrow(row: LadderArrow, ladder: Ladder, layout: Layout): Span[][] {
  const { theme, timeEnd, frameEnd } = layout;
  const { glyphs } = theme;
  const style = styleOf(row);
  const line = rails(layout);
  const time = timeText(row, ladder);
  line.put(timeEnd - time.length, time, 'dim');
  if (ladder.lanes.length === 2) {
    const frame = frameText(row);
    line.put(frameEnd - frame.length, frame, 'dim');
  }
  const from = columnOf(row.from, layout);
  const to = columnOf(row.to, layout);
  const rightward = to > from;
  const low = Math.min(from, to);
  const high = Math.max(from, to);
  line.fill(low + 1, high, glyphs.horizontal, style);
  for (const lane of layout.lanes) if (lane > low && lane < high) line.put(lane, glyphs.crossing, style);
  line.put(from, Number.isInteger(row.from) ? (rightward ? glyphs.fromLeft : glyphs.fromRight) : glyphs.origin, style);
  drawEnd(line, row, { to, rightward }, layout);
  const spare = drawMarks(line, row, { from, to, rightward }, ladder, layout);
  const rest = [spare, row.detail].filter((text) => text !== undefined).join(' ');
  if (rest === '') return [line.spans()];
  return withDetail(line, rest, { from, rightward, midway: !Number.isInteger(row.from) }, layout);
}

function drawEnd(line: CanvasLine, row: LadderArrow, at: { to: number; rightward: boolean }, layout: Layout): void {
  const { glyphs } = layout.theme;
  const { to, rightward } = at;
  if (row.end === 'lost' || row.end === 'unknown') {
    line.put(to, row.end === 'lost' ? glyphs.cross : '?', row.end === 'lost' ? 'bad-strong' : 'warn');
    return;
  }
  line.put(rightward ? to - 1 : to + 1, rightward ? glyphs.headRight : glyphs.headLeft, styleOf(row));
  if (row.end !== 'unanswered') return;
  line.put(rightward ? to + 2 : to - 2, glyphs.cross, 'bad-strong');
  if (row.remark !== undefined && rightward) line.putSpan(to + 4, layout.theme.span(row.remark, 'bad'));
}

/** Writes label and frame numbers on the arrow; returns the label when there is no room for it. */
function drawMarks(
  line: CanvasLine,
  row: LadderArrow,
  at: { from: number; to: number; rightward: boolean },
  ladder: Ladder,
  layout: Layout,
): string | undefined {
  const style = styleOf(row);
  const stops: [number, number][] = [[at.from, at.from]];
  if (ladder.lanes.length > 2) {
    for (const { lane, frame } of row.frames) {
      const mark = `#${frame}`;
      const column = (layout.lanes[lane] ?? 0) - Math.floor(mark.length / 2);
      line.put(column, mark, style);
      stops.push([column, column + mark.length - 1]);
    }
  }
  stops.push([at.to, at.to]);
  stops.sort(([a], [b]) => (at.rightward ? a - b : b - a));
  // The label stands in the first gap, seen from the sender, that holds it with a piece of line on both sides.
  const label = ` ${row.label} `;
  for (let index = 1; index < stops.length; index += 1) {
    const [left, right] = at.rightward
      ? [stops[index - 1]?.[1], stops[index]?.[0]]
      : [stops[index]?.[1], stops[index - 1]?.[0]];
    if (left === undefined || right === undefined || right - left - 1 < label.length + 4) continue;
    line.put(at.rightward ? left + 3 : right - 2 - label.length, label, style === 'plain' ? 'strong' : style);
    return undefined;
  }
  return row.label;
}

/** Puts the detail behind the origin of the arrow when it fits there, else on lines of its own between the lanes. */
function withDetail(
  line: CanvasLine,
  detail: string,
  at: { from: number; rightward: boolean; midway: boolean },
  layout: Layout,
): Span[][] {
  const { theme, lanes } = layout;
  const span = theme.span(detail, 'bad');
  const width = displayWidth(span.text);
  const nextLane = lanes.find((lane) => lane > at.from) ?? layout.columns;
  if (at.midway && !at.rightward && at.from + 3 + width < nextLane) {
    line.putSpan(at.from + 2, span);
    return [line.spans()];
  }
  const right = (lanes.at(-1) ?? 0) - 2;
  const fits = at.midway && at.from + width <= right;
  const left = fits ? at.from : (lanes[0] ?? 0) + 3;
  const below = wrapSpans([span], right - left).map((spans) => {
    const extra = rails(layout);
    const text = spans.map((part) => part.text).join('');
    extra.putSpan(left - 1, theme.span(` ${text} `, 'bad'));
    return extra.spans();
  });
  return [line.spans(), ...below];
}

function columnOf(position: number, { lanes }: Layout): number {
  const low = lanes[Math.floor(position)] ?? 0;
  const high = lanes[Math.ceil(position)] ?? low;
  return Math.round(low + (high - low) * (position - Math.floor(position)));
}

function styleOf({ tone }: LadderArrow): Style {
  return tone === 'plain' ? 'plain' : tone;
}

function timeText(row: LadderArrow, { decimals }: Ladder): string {
  return `${(row.sinceStartNs / 1e9).toFixed(decimals)} s`;
}

function frameText({ frames }: LadderArrow): string {
  return frames.map(({ frame }) => `#${frame}`).join(' ');
}
