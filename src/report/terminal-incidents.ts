import { formatEndpoint } from '../model/flow.ts';
import type { Incident, IncidentService } from '../model/incident.ts';
import { formatCount, formatDuration, formatQuantity } from '../model/text.ts';
import { formatOutcome, formatTimestamp } from './format.ts';
import { formatService } from './incident-text.ts';
import { createTheme, type Span, type Theme } from './style.ts';
import type { TerminalOptions } from './terminal.ts';
import { displayWidth, shortenMiddle, takeColumns } from './width.ts';

const MIN_COLUMNS = 40;
const MAX_COLUMNS = 160;
/** From this width on the number of clients has its own column. */
const WIDE = 100;
const MAX_SERVICE = 26;
const MAX_NARROW_SERVICE = 20;

/** Renders incidents, one a row, newest first. */
export function renderIncidents(
  incidents: readonly Incident[],
  more: boolean,
  options: Pick<TerminalOptions, 'columns' | 'color' | 'unicode'>,
): string {
  const theme = createTheme(options);
  const columns = Math.max(MIN_COLUMNS, Math.min(MAX_COLUMNS, options.columns));
  const rows = incidents.map((incident) => cells(incident, columns, theme));
  const heads = ['', 'first (UTC)', 'lasted', 'service', 'failed', ...(columns >= WIDE ? ['clients'] : [])];
  const widths = heads.map((head, index) =>
    Math.max(head.length, ...rows.map((row) => displayWidth(row.cells[index]?.text ?? ''))),
  );
  const lines = [
    line(
      heads.map((head) => theme.span(head, 'dim')),
      widths,
      theme.span('what', 'dim'),
      columns,
      theme,
    ),
    ...rows.map((row) => line(row.cells, widths, row.sentence, columns, theme)),
  ];
  const open = incidents.filter(({ state }) => state === 'open').length;
  const [newest] = incidents;
  const sum = `${formatQuantity(incidents.length, 'incident')}${more ? ', and older ones (--limit)' : ''}; ${
    open === 0 ? 'none is open' : `${formatCount(open)} open`
  }. All of one: synscope show ${newest?.id ?? ''}`;
  return [...lines, [], [theme.span(sum.trim(), 'dim')]].map((spans) => `${theme.paint(spans)}\n`).join('');
}

interface Row {
  readonly cells: readonly Span[];
  readonly sentence: Span;
}

/** Right-aligned columns. */
const RIGHT: ReadonlySet<number> = new Set([2, 4, 5]);

function cells(incident: Incident, columns: number, theme: Theme): Row {
  const { id, state, kind, service, cause, firstNs, lastNs, attempts, clients, sentence } = incident;
  const open = state === 'open';
  const mark = open ? theme.glyphs.bullet : theme.glyphs.hollow;
  const tone = !open ? 'dim' : kind === 'failure' ? 'bad' : 'warn';
  const { ellipsis } = theme.glyphs;
  const serviceText =
    columns < WIDE
      ? shortenMiddle(shortService(service), MAX_NARROW_SERVICE, ellipsis)
      : shortenMiddle(
          `${formatService(service)}${service.process === undefined ? '' : ` ${service.process}`}`,
          MAX_SERVICE,
          ellipsis,
        );
  const label = cause?.id ?? (kind === 'noise' ? 'noise' : unexplained(incident));
  return {
    cells: [
      theme.span(`${mark} ${id}`, tone),
      theme.span(formatTimestamp(firstNs).slice(5, 16).replace('T', ' ')),
      theme.span(formatSpan(lastNs - firstNs)),
      theme.span(serviceText, 'strong'),
      theme.span(attempts === 0 ? '' : `${shortCount(attempts)}${theme.glyphs.times}`),
      ...(columns >= WIDE ? [theme.span(clients === 0 ? '' : shortCount(clients))] : []),
    ],
    sentence: theme.span(columns >= WIDE ? sentence : label, open ? 'plain' : 'dim'),
  };
}

function unexplained({ outcome }: Incident): string {
  return outcome === undefined ? 'cause unknown' : `${formatOutcome(outcome)}, cause unknown`;
}

/** `12,345`, `345k`, `1.2M`: a column of them stays narrow. */
function shortCount(count: number): string {
  return count < 100_000
    ? formatCount(count)
    : count < 1e6
      ? `${Math.floor(count / 1000)}k`
      : `${(count / 1e6).toFixed(1)}M`;
}

/** `:443`, `:443 web` in a namespace, `to 192.0.2.1:443`. */
function shortService({ direction, address, port, namespace }: IncidentService): string {
  const name = namespace === 'local' ? '' : ` ${namespace.replace(/^netns:/, '')}`;
  if (direction === 'outbound' && address !== undefined) {
    return `to ${port === undefined ? address : formatEndpoint({ address, port })}`;
  }
  return port === undefined ? name.trim() || 'this host' : `:${port}${name}`;
}

/** Short, so that a column of them stays narrow. */
function formatSpan(ns: bigint): string {
  if (ns < 1_000_000_000n) return '';
  return formatDuration(Number(ns)).replace(/^(\d+ (?:min|h)) .*/, '$1');
}

function line(
  values: readonly Span[],
  widths: readonly number[],
  last: Span,
  columns: number,
  theme: Theme,
): readonly Span[] {
  const spans = values.flatMap((span, index) => {
    const gap = theme.span(' '.repeat(Math.max(0, (widths[index] ?? 0) - displayWidth(span.text))));
    return RIGHT.has(index) ? [gap, span, theme.span('  ')] : [span, gap, theme.span('  ')];
  });
  const room = columns - widths.reduce((sum, width) => sum + width + 2, 0);
  if (displayWidth(last.text) <= room) return [...spans, last];
  const { ellipsis } = theme.glyphs;
  return [...spans, { ...last, text: `${takeColumns(last.text, room - ellipsis.length).trimEnd()}${ellipsis}` }];
}
