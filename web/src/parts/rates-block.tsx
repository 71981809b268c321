import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { formatCount } from '../../../src/model/text.ts';
import { api } from '../api/client.ts';
import { changedIncident, epoch } from '../api/live.ts';
import { useLoad } from '../lib/load.ts';
import { replaceQuery, route } from '../lib/router.ts';
import { exact } from '../lib/time.ts';
import { RANGES, type Rates, useRates } from '../lib/timeline.ts';
import { IncidentLanes } from './incident-lanes.tsx';
import { Empty, Waiting } from './notice.tsx';
import { perSecond, RatesChart } from './rates-chart.tsx';

/** Handshakes per second with the incidents of the same time. */
export function RatesBlock(): JSX.Element {
  const { query } = route.use();
  const asked = query.get('range') ?? '1h';
  const range = RANGES[asked] === undefined ? '1h' : asked;
  const { loaded, rates } = useRates(range);
  const lengthMs = RANGES[range]?.lengthMs ?? 0;
  const generation = epoch.use();
  const incidents = useLoad(
    async (signal) =>
      (await api.incidents(new URLSearchParams({ since: `${lengthMs / 1000}s`, limit: '60' }), signal)).incidents,
    [range, generation],
  );
  const changed = changedIncident.use();
  useEffect(() => {
    if (changed !== undefined) incidents.reload();
  }, [changed?.id, changed?.state]);
  const choose = (name: string): void => {
    const next = new URLSearchParams(query);
    next.set('range', name);
    replaceQuery(next);
  };
  const shown = (incidents.value ?? []).map((incident) => (incident.id === changed?.id ? changed : incident));
  return (
    <section aria-labelledby="rates" class="rates-block">
      <div class="section-head">
        <h2 id="rates">Handshakes per second</h2>
        <fieldset class="segments">
          <legend class="hidden">Time that is shown</legend>
          {Object.entries(RANGES).map(([key, { name }]) => (
            <label key={key}>
              <input type="radio" name="range" checked={key === range} onChange={() => choose(key)} />
              <span>{name}</span>
            </label>
          ))}
        </fieldset>
      </div>
      {rates === undefined ? (
        <Waiting loaded={loaded} what="the time line" />
      ) : (
        <>
          <p class="legend">
            <span class="key good">answered {formatCount(rates.totals.answered)}</span>
            <span class="key warn">refused {formatCount(rates.totals.refused)}</span>
            <span class="key bad">failed {formatCount(rates.totals.failed)}</span>
            <output class="read-out" />
          </p>
          {isQuiet(rates) ? (
            <Empty title="No handshake in this time.">
              <p>Each one that a listener of this host is asked for, or that the host asks for, shows up here.</p>
            </Empty>
          ) : (
            <RatesChart rates={rates} />
          )}
          <IncidentLanes incidents={shown} fromMs={rates.fromMs} toMs={rates.toMs} />
          <RatesTable rates={rates} />
        </>
      )}
    </section>
  );
}

function isQuiet({ totals: { answered, refused, failed } }: Rates): boolean {
  return answered + refused + failed === 0;
}

/** The charts as numbers, for those who cannot see them or want to copy them. */
function RatesTable({ rates }: { readonly rates: Rates }): JSX.Element {
  const eventful = rates.at
    .map((at, index) => ({
      at,
      answered: rates.answered[index] ?? 0,
      refused: rates.refused[index] ?? 0,
      failed: rates.failed[index] ?? 0,
    }))
    .filter(({ refused, failed }) => refused + failed > 0)
    .reverse();
  return (
    <details class="numbers">
      <summary>Failures as numbers</summary>
      {eventful.length === 0 ? (
        <p class="muted">Nothing was refused and nothing failed in this time.</p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
        <div class="scroll" tabIndex={0}>
          <table>
            <thead>
              <tr>
                <th scope="col">From</th>
                <th scope="col" class="num">
                  Answered
                </th>
                <th scope="col" class="num">
                  Refused
                </th>
                <th scope="col" class="num">
                  Failed
                </th>
              </tr>
            </thead>
            <tbody>
              {eventful.map(({ at, answered, refused, failed }) => (
                <tr key={at}>
                  <td class="num-left">{exact(at * 1000)}</td>
                  <td class="num">{perSecond(answered)}</td>
                  <td class="num">{perSecond(refused)}</td>
                  <td class="num">{perSecond(failed)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </details>
  );
}
