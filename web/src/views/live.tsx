import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { formatCount } from '../../../src/model/text.ts';
import { fates, type LiveFate, MAX_FATES } from '../api/live.ts';
import type { Fate } from '../api/types.ts';
import { useKeys } from '../lib/shortcuts.ts';
import { exact, fineClock } from '../lib/time.ts';
import { idWords, serviceName, type Tone } from '../lib/words.ts';
import { ServiceName, Tag } from '../parts/marks.tsx';
import { Empty } from '../parts/notice.tsx';

const TONES: Readonly<Record<Fate['fate'], Tone>> = { answered: 'good', refused: 'warn', failed: 'bad' };

/** Rows that are drawn; all that are kept can be filtered. */
const SHOWN = 100;

/** What becomes of each SYN, as it happens. */
export function Live(): JSX.Element {
  const latest = fates.use();
  const [held, setHeld] = useState<readonly LiveFate[]>();
  const [hidden, setHidden] = useState<ReadonlySet<Fate['fate']>>(new Set());
  const [words, setWords] = useState('');
  const list = held ?? latest;
  const waiting = held === undefined ? 0 : latest.findIndex(({ key }) => key === held[0]?.key);
  const toggle = (): void => setHeld(held === undefined ? latest : undefined);
  useKeys({ p: toggle });
  const matching = list.filter((fate) => !hidden.has(fate.fate) && textOf(fate).includes(words.toLowerCase()));
  const flip = (fate: Fate['fate']): void => {
    const next = new Set(hidden);
    if (!next.delete(fate)) next.add(fate);
    setHidden(next);
  };
  return (
    <>
      <h1>Live</h1>
      <div class="filters live-tools">
        <button type="button" aria-pressed={held !== undefined} onClick={toggle} aria-keyshortcuts="p">
          {held === undefined ? 'Pause' : 'Go on'}
        </button>
        <fieldset class="checks">
          <legend class="hidden">What is shown</legend>
          {(Object.keys(TONES) as Fate['fate'][]).map((fate) => (
            <label key={fate}>
              <input type="checkbox" checked={!hidden.has(fate)} onChange={() => flip(fate)} /> {fate}
            </label>
          ))}
        </fieldset>
        <label class="wide">
          <span class="hidden">Filter</span>
          <input
            type="search"
            placeholder="Filter: client, service, cause"
            value={words}
            onInput={(event) => setWords(event.currentTarget.value)}
          />
        </label>
      </div>
      <p class="muted note" role="status">
        {held === undefined
          ? 'Newest first. When there are very many, the watch tells some of each second.'
          : `Paused. ${waiting < 0 ? `More than ${MAX_FATES}` : formatCount(waiting)} came since.`}
      </p>
      {list.length === 0 ? (
        <Empty title="No SYN since this page was opened.">
          <p>
            Each connection attempt shows up here a moment after it was answered, refused or given up. Try one from
            another machine: <code>nc -vz {location.hostname} 443</code>
          </p>
        </Empty>
      ) : matching.length === 0 ? (
        <Empty title="None of those that came matches the filter." />
      ) : (
        <table class="cards fates">
          <thead>
            <tr>
              <th scope="col">Time</th>
              <th scope="col">Fate</th>
              <th scope="col">Client</th>
              <th scope="col">Service</th>
              <th scope="col">Why</th>
            </tr>
          </thead>
          <tbody>
            {matching.slice(0, SHOWN).map((fate) => (
              <Row key={fate.key} fate={fate} />
            ))}
          </tbody>
        </table>
      )}
      {matching.length > SHOWN && (
        <p class="muted note">
          {formatCount(matching.length - SHOWN)} older ones are not drawn; the filter finds them. The watch keeps what
          failed in <a href="/incidents">incidents</a>.
        </p>
      )}
    </>
  );
}

function Row({ fate }: { readonly fate: LiveFate }): JSX.Element {
  const ms = Date.parse(fate.at);
  return (
    <tr>
      <td class="short num-left">
        <time dateTime={fate.at} title={exact(ms)}>
          {fineClock(ms)}
        </time>
      </td>
      <td>
        <Tag tone={TONES[fate.fate] ?? 'plain'}>{fate.fate}</Tag>
      </td>
      <td>
        <bdi class="service" title={fate.client}>
          {fate.client}
        </bdi>
      </td>
      <td>
        <ServiceName service={fate.service} />
      </td>
      <td>
        {fate.causeId !== undefined && (
          <a href={`/causes/${encodeURIComponent(fate.causeId)}`}>{idWords(fate.causeId)}</a>
        )}
        {fate.incidentId !== undefined && (
          <a class="incident-number" href={`/incidents/${fate.incidentId}`}>
            #{fate.incidentId}
          </a>
        )}
      </td>
    </tr>
  );
}

function textOf({ fate, client, service, causeId = '' }: Fate): string {
  return `${fate} ${client} ${serviceName(service)} ${causeId} ${idWords(causeId)}`.toLowerCase();
}
