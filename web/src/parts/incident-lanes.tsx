import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { IncidentRow } from '../api/types.ts';
import { placeIncidents } from '../lib/lanes.ts';
import { exact, span } from '../lib/time.ts';
import { idWords, stateWord, toneOf } from '../lib/words.ts';

/** Incidents as bars from the first to the last failure, below the charts and on the same time axis. */
export function IncidentLanes({
  incidents,
  fromMs,
  toMs,
}: {
  readonly incidents: readonly IncidentRow[];
  readonly fromMs: number;
  readonly toMs: number;
}): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const [widthPx, setWidthPx] = useState(1000);
  useEffect(() => {
    const watcher = new ResizeObserver(() => setWidthPx(box.current?.clientWidth ?? 1000));
    if (box.current !== null) watcher.observe(box.current);
    return () => watcher.disconnect();
  }, []);
  const { lanes, omitted } = placeIncidents(incidents, fromMs, toMs, widthPx);
  return (
    <div class="lanes" ref={box}>
      {lanes.map((lane) => (
        <ol key={lane[0]?.incident.id}>
          {lane.map(({ incident, left, width, before }) => (
            <li
              key={incident.id}
              class={before ? 'before' : ''}
              style={before ? { right: percent(1 - left - width) } : { left: percent(left) }}
            >
              <a href={`/incidents/${incident.id}`} class={toneOf(incident)} title={hover(incident)}>
                <span class="bar" style={{ width: `max(6px, ${percent(width, true)})` }} />
                <span class="name">
                  #{incident.id} {idWords(incident.cause?.id ?? incident.outcome ?? incident.kind)}
                  <span class="hidden">, {stateWord(incident)}</span>
                </span>
              </a>
            </li>
          ))}
        </ol>
      ))}
      {omitted > 0 && (
        <p class="muted">
          and <a href="/incidents">{omitted} more</a>
        </p>
      )}
    </div>
  );
}

function percent(part: number, ofLanes = false): string {
  const text = Math.round(part * 10_000) / 100;
  return ofLanes ? `${text}cqi` : `${text}%`;
}

function hover(incident: IncidentRow): string {
  const first = Date.parse(incident.firstAt);
  return `${incident.sentence}\n${exact(first)}, for ${span(Date.parse(incident.lastAt) - first)}, ${incident.attempts} attempts`;
}
