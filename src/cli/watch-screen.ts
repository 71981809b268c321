import process from 'node:process';
import type { Incident, IncidentService, ListenerHealth } from '../model/incident.ts';
import { formatCount, formatDuration, formatQuantity } from '../model/text.ts';
import { createTheme, type Span, type Style, type Theme } from '../report/style.ts';
import { displayWidth, shortenMiddle, takeColumns } from '../report/width.ts';
import { wrapHanging } from '../report/wrap.ts';
import type { WatchView } from '../service/watch/view.ts';
import { outputStyle } from './output.ts';
import { serviceText } from './watch-lines.ts';
import type { PagePlace } from './watch-page.ts';

const REDRAW_MS = 1000;
/** Lines of the sentence of an incident while there are so many at most; beyond that one. */
const SENTENCE_LINES: readonly { readonly incidents: number; readonly lines: number }[] = [
  { incidents: 3, lines: 3 },
  { incidents: 6, lines: 2 },
];
const MAX_SERVICE_COLUMNS = 44;
const LISTENERS = 8;
const INCIDENTS = 10;

/** A summary of a running watch on a terminal: listeners, rates, open incidents. It is drawn in place, and not more often than one can read. */
export class WatchScreen {
  private readonly view: WatchView;
  private readonly stop: () => void;
  private readonly closed: Incident[] = [];
  private timer: ReturnType<typeof setInterval> | undefined;
  private drawnLines = 0;
  private latest = '';
  private before: { readonly atMs: number; readonly answered: number } = { atMs: Date.now(), answered: 0 };
  private rate = 0;
  private page = '';
  /** The namespace that is watched, when it is the only one: its name need not stand on every line. */
  private single: string | undefined;

  constructor(view: WatchView) {
    this.view = view;
    this.stop = view.subscribe((event) => {
      if (event.type === 'incident' && event.incident.state === 'closed') {
        this.closed.unshift(event.incident);
        this.closed.length = Math.min(this.closed.length, 3);
      }
    });
  }

  begin(page: PagePlace): void {
    this.place(page);
    this.draw();
    this.timer = setInterval(() => this.draw(), REDRAW_MS);
  }

  /** Says where the page is from now on. */
  place({ url, tokenFile }: PagePlace): void {
    this.page = url === undefined ? '' : `page on ${url}${tokenFile === undefined ? '' : `, token in ${tokenFile}`}`;
  }

  /** Leaves what was drawn last. */
  end(): void {
    clearInterval(this.timer);
    this.stop();
  }

  draw(): void {
    if (this.timer === undefined && this.drawnLines > 0) return;
    const style = outputStyle();
    const paint = createTheme(style);
    const rows = Math.max(8, (process.stdout.rows ?? 24) - 1);
    const lines = this.lines(paint, style.columns).slice(0, rows);
    const text = lines.join('\n');
    if (text === this.latest) return;
    this.latest = text;
    const up = this.drawnLines === 0 ? '' : `\x1b[${this.drawnLines}A\r`;
    process.stdout.write(`${up}${lines.map((line) => `${line}\x1b[K\n`).join('')}\x1b[J`);
    this.drawnLines = lines.length;
  }

  private lines(paint: Theme, columns: number): string[] {
    const status = this.view.status();
    const { answered, refused, failed } = status.totals;
    const nowMs = Date.now();
    if (nowMs - this.before.atMs >= REDRAW_MS) {
      this.rate = ((answered - this.before.answered) * 1000) / (nowMs - this.before.atMs);
      this.before = { atMs: nowMs, answered };
    }
    const line = (...parts: readonly (readonly [text: string, style?: Style])[]): string =>
      fitted(
        paint,
        parts.map(([text, style]) => paint.span(text, style)),
        columns,
      );
    const lasted = wholeSeconds(Number(status.nowNs - status.startedNs));
    this.single = status.namespaces.length === 1 ? status.namespaces[0] : undefined;
    const lines = [
      line(
        ['synscope watch', 'strong'],
        [
          ` on ${status.hostname}, ${this.single ?? formatQuantity(status.namespaces.length, 'network namespace')}, for ${lasted}`,
        ],
      ),
      line(
        [`${formatCount(Math.round(this.rate))}/s answered`],
        [`, ${formatCount(answered)} in all, ${formatCount(refused)} refused, `],
        [`${formatCount(failed)} failed`, failed > 0 ? 'bad' : 'plain'],
        [status.capture.lost > 0 ? `, ${formatQuantity(status.capture.lost, 'packet')} lost` : '', 'warn'],
      ),
      ...(this.page === '' ? [] : [line([this.page, 'dim'])]),
      '',
    ];
    const incidents = this.view.openIncidents();
    if (incidents.length === 0) lines.push(line([`${paint.glyphs.check} nothing fails`, 'good']));
    else lines.push(line([`${formatQuantity(incidents.length, 'open incident')}`, 'bad-strong']));
    const room = SENTENCE_LINES.find((step) => incidents.length <= step.incidents)?.lines ?? 1;
    for (const incident of incidents.slice(0, INCIDENTS)) {
      lines.push(...this.incidentLines(paint, columns, incident, room));
    }
    if (incidents.length > INCIDENTS)
      lines.push(line([`  and ${incidents.length - INCIDENTS} more: synscope incidents`]));
    for (const { id, sentence, closedBecause } of this.closed) {
      lines.push(
        line([`${paint.glyphs.check} #${id} closed: `, 'dim'], [`${closedBecause ?? ''} (${sentence})`, 'dim']),
      );
    }
    lines.push('', ...this.listenerLines(paint, columns));
    const missing = status.notSeen;
    if (missing.length > 0) {
      lines.push('', line(['Not seen', 'strong']));
      for (const { reason, hint } of missing.slice(0, 4)) {
        lines.push(line([`  ${reason}${hint === undefined ? '' : `; ${hint}`}`, 'dim']));
      }
    }
    return lines;
  }

  private incidentLines(paint: Theme, columns: number, incident: Incident, room: number): string[] {
    const { id, kind, service, cause, attempts, clients, sentence, lastNs } = incident;
    const ago = wholeSeconds(Math.max(0, Date.now() * 1e6 - Number(lastNs)));
    const style: Style = kind === 'failure' ? 'bad' : 'warn';
    const head = [
      paint.span(`${kind === 'failure' ? paint.glyphs.cross : paint.glyphs.bullet} #${id} `, style),
      paint.span(`${this.nameOf(service)} `),
      paint.span(cause?.id ?? 'no cause found', 'strong'),
      paint.span(
        kind === 'warning'
          ? ''
          : `  ${formatQuantity(attempts, 'attempt')}, ${formatQuantity(clients, 'client')}, last ${ago} ago`,
        'dim',
      ),
    ];
    const told = wrapHanging([paint.span('    ')], [paint.span(sentence)], columns - 2);
    const kept = told.slice(0, room);
    if (told.length > room) kept.at(-1)?.push(paint.span(paint.glyphs.ellipsis));
    const text = kept.map((spans) => paint.paint(spans));
    return [fitted(paint, head, columns), ...text];
  }

  private nameOf(service: IncidentService): string {
    return serviceText(service.namespace === this.single ? { ...service, namespace: 'local' } : service);
  }

  private listenerLines(paint: Theme, columns: number): string[] {
    const all = [...this.view.listeners()].sort(byInterest);
    const rows = all.slice(0, LISTENERS).map(({ service, acceptQueue, lastMinute, openIncidents }) => {
      const { answered, refused, failed } = lastMinute;
      const style: Style = openIncidents.length > 0 ? 'bad' : 'plain';
      const name = shortenMiddle(
        this.nameOf(service).replace(/^inbound /, ''),
        Math.min(MAX_SERVICE_COLUMNS, Math.floor(columns / 2)),
        paint.glyphs.ellipsis,
      );
      return {
        style,
        cells: [
          name,
          `queue ${formatCount(acceptQueue.waiting)} of ${formatCount(acceptQueue.limit)}`,
          `${formatCount(answered)} answered`,
          `${formatCount(refused + failed)} not`,
        ],
      };
    });
    const widths = [0, 1, 2, 3].map((at) => Math.max(0, ...rows.map(({ cells }) => displayWidth(cells[at] ?? ''))));
    const lines = [
      fitted(
        paint,
        [
          paint.span(formatQuantity(all.length, 'listener'), 'strong'),
          paint.span(', handshakes of the last minute', 'dim'),
        ],
        columns,
      ),
      ...rows.map(({ style, cells }) =>
        fitted(
          paint,
          cells.map((cell, at) => {
            const padding = ' '.repeat((widths[at] ?? 0) - displayWidth(cell));
            // Numbers end under each other.
            return paint.span(`  ${at > 1 ? `${padding}${cell}` : `${cell}${padding}`}`, at === 1 ? 'dim' : style);
          }),
          columns,
        ),
      ),
    ];
    if (all.length > LISTENERS) {
      lines.push(fitted(paint, [paint.span(`  and ${all.length - LISTENERS} more`, 'dim')], columns));
    }
    return lines;
  }
}

/** A duration that does not flicker. */
function wholeSeconds(ns: number): string {
  return formatDuration(Math.round(ns / 1e9) * 1e9 || 1e9);
}

/** Those in trouble first, then those that are busy. */
function byInterest(a: ListenerHealth, b: ListenerHealth): number {
  const busy = ({ lastMinute }: ListenerHealth): number => lastMinute.answered + lastMinute.failed + lastMinute.refused;
  return b.openIncidents.length - a.openIncidents.length || busy(b) - busy(a);
}

/** One line that never wraps. */
function fitted(paint: Theme, spans: readonly Span[], columns: number): string {
  const kept: Span[] = [];
  let room = columns - 1;
  for (const span of spans) {
    const width = displayWidth(span.text);
    if (width <= room) {
      kept.push(span);
      room -= width;
      continue;
    }
    if (room > 1) {
      kept.push({ ...span, text: takeColumns(span.text, room - 1) }, paint.span(paint.glyphs.ellipsis, span.style));
    }
    break;
  }
  return paint.paint(kept);
}
