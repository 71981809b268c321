import process from 'node:process';
import type { Incident, ListenerHealth } from '../model/incident.ts';
import { formatCount, formatDuration, formatQuantity } from '../model/text.ts';
import { createTheme, type Span, type Style, type Theme } from '../report/style.ts';
import { displayWidth, takeColumns } from '../report/width.ts';
import type { WatchView } from '../service/watch/view.ts';
import { outputStyle } from './output.ts';
import { serviceText } from './watch-lines.ts';
import type { PagePlace } from './watch-page.ts';

const REDRAW_MS = 1000;
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
    const lasted = formatDuration(Number(status.nowNs - status.startedNs));
    const lines = [
      line(
        ['synscope watch', 'strong'],
        [` on ${status.hostname}, ${formatQuantity(status.namespaces.length, 'network namespace')}, for ${lasted}`],
      ),
      line(
        [`${formatCount(Math.round(this.rate))}/s answered`],
        [`, ${formatCount(answered)} in all, ${formatCount(refused)} refused, `],
        [`${formatCount(failed)} failed`, failed > 0 ? 'bad' : 'plain'],
        [status.capture.lost > 0 ? `, ${formatCount(status.capture.lost)} packets lost` : '', 'warn'],
      ),
      ...(this.page === '' ? [] : [line([this.page, 'dim'])]),
      '',
    ];
    const incidents = this.view.openIncidents();
    if (incidents.length === 0) lines.push(line([`${paint.glyphs.check} nothing fails`, 'good']));
    else lines.push(line([`${formatQuantity(incidents.length, 'open incident')}`, 'bad-strong']));
    for (const incident of incidents.slice(0, INCIDENTS)) lines.push(...this.incidentLines(paint, columns, incident));
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

  private incidentLines(paint: Theme, columns: number, incident: Incident): string[] {
    const { id, kind, service, cause, attempts, clients, sentence, lastNs } = incident;
    const ago = formatDuration(Math.max(0, Date.now() * 1e6 - Number(lastNs)));
    const style: Style = kind === 'failure' ? 'bad' : 'warn';
    const head = [
      paint.span(`${kind === 'failure' ? paint.glyphs.cross : paint.glyphs.bullet} #${id} `, style),
      paint.span(`${serviceText(service)} `),
      paint.span(cause?.id ?? 'no cause found', 'strong'),
      paint.span(
        kind === 'warning'
          ? ''
          : `  ${formatQuantity(attempts, 'attempt')}, ${formatQuantity(clients, 'client')}, last ${ago} ago`,
        'dim',
      ),
    ];
    return [fitted(paint, head, columns), fitted(paint, [paint.span(`    ${sentence}`)], columns)];
  }

  private listenerLines(paint: Theme, columns: number): string[] {
    const all = [...this.view.listeners()].sort(byInterest);
    const lines = [fitted(paint, [paint.span(formatQuantity(all.length, 'listener'), 'strong')], columns)];
    for (const { service, acceptQueue, lastMinute, openIncidents } of all.slice(0, LISTENERS)) {
      const { answered, refused, failed } = lastMinute;
      const style: Style = openIncidents.length > 0 ? 'bad' : 'plain';
      lines.push(
        fitted(
          paint,
          [
            paint.span(
              `  ${serviceText(service)
                .replace(/^inbound /, '')
                .padEnd(24)} `,
              style,
            ),
            paint.span(`queue ${acceptQueue.waiting} of ${acceptQueue.limit}`.padEnd(20), 'dim'),
            paint.span(`last minute ${formatCount(answered)} answered, ${formatCount(refused + failed)} not`),
          ],
          columns,
        ),
      );
    }
    if (all.length > LISTENERS) {
      lines.push(fitted(paint, [paint.span(`  and ${all.length - LISTENERS} more`, 'dim')], columns));
    }
    return lines;
  }
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
