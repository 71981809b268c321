import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { formatCount } from '../../../src/model/text.ts';
import { api } from '../api/client.ts';
import { changedIncident, epoch } from '../api/live.ts';
import { useLoad } from '../lib/load.ts';
import { go, replaceQuery, route } from '../lib/router.ts';
import { useKeys } from '../lib/shortcuts.ts';
import { IncidentFilters } from '../parts/incident-filters.tsx';
import { IncidentTable } from '../parts/incident-table.tsx';
import { Empty, Waiting } from '../parts/notice.tsx';

const PAGE = 50;

const EXPORTS: readonly (readonly [string, string])[] = [
  ['jsonl', 'JSON Lines'],
  ['csv', 'CSV'],
  ['parquet', 'Parquet'],
];

function exportQuery(query: URLSearchParams, format: string): string {
  const asked = new URLSearchParams(query);
  asked.set('format', format);
  return asked.toString();
}

/** Incidents by what they are about; the filters stand in the address, so a list can be sent to somebody. */
export function Incidents(): JSX.Element {
  const { query } = route.use();
  const [limit, setLimit] = useState(PAGE);
  const [missed, setMissed] = useState(0);
  const generation = epoch.use();
  const asked = new URLSearchParams(query);
  asked.set('limit', String(limit));
  const loaded = useLoad(
    (signal) => {
      setMissed(0);
      return api.incidents(asked, signal);
    },
    [asked.toString(), generation],
  );
  const changed = changedIncident.use();
  const rows = (loaded.value?.incidents ?? []).map((incident) => (incident.id === changed?.id ? changed : incident));
  useEffect(() => {
    // A list that moves under the pointer is no help: what is new waits until somebody asks for it.
    if (changed !== undefined && loaded.value !== undefined && rows.every(({ id }) => id !== changed.id)) {
      setMissed((before) => before + 1);
    }
  }, [changed?.id]);
  const [marked, setMarked] = useState(-1);
  useKeys({
    j: () => setMarked((before) => Math.min(before + 1, rows.length - 1)),
    k: () => setMarked((before) => Math.max(before - 1, 0)),
    o: () => {
      const incident = rows[marked];
      if (incident !== undefined) go(`/incidents/${incident.id}`);
    },
  });
  const filtered = [...query.keys()].length > 0;
  return (
    <>
      <h1>Incidents</h1>
      <IncidentFilters query={query} />
      {missed > 0 && (
        <p class="notice" role="status">
          <button type="button" onClick={loaded.reload}>
            Show what is new
          </button>
        </p>
      )}
      {loaded.value === undefined || loaded.error !== undefined ? (
        <Waiting loaded={loaded} what="incidents" />
      ) : rows.length === 0 ? (
        filtered ? (
          <Empty title="No incident matches.">
            <p>
              <button type="button" onClick={() => replaceQuery(new URLSearchParams())}>
                Show all incidents
              </button>
            </p>
          </Empty>
        ) : (
          <Empty title="No incident yet.">
            <p>
              The watch opens one when connections fail, or are about to. To see one now, break something for real in
              throw-away namespaces: <code>sudo synscope lab no-return-route</code>
            </p>
          </Empty>
        )
      ) : (
        <>
          <p class="muted note" role="status">
            {formatCount(rows.length)}
            {loaded.value.more ? ' newest' : ''} {rows.length === 1 ? 'incident' : 'incidents'}
          </p>
          <IncidentTable incidents={rows} marked={marked} />
          <p class="muted note exports">
            All that match as a file:
            {EXPORTS.map(([format, name]) => (
              <a key={format} href={`/api/v1/export?${exportQuery(query, format)}`} download>
                {name}
              </a>
            ))}
          </p>
          {loaded.value.more && (
            <button type="button" onClick={() => setLimit(limit + PAGE)} disabled={loaded.loading || limit >= 1000}>
              Show more
            </button>
          )}
        </>
      )}
    </>
  );
}
