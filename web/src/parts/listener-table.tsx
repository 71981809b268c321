import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { formatCount } from '../../../src/model/text.ts';
import type { Listener } from '../api/types.ts';
import { route } from '../lib/router.ts';
import { serviceKey, serviceName, type Tone } from '../lib/words.ts';
import { ServiceName, Tag } from './marks.tsx';
import { Empty } from './notice.tsx';

/** Rows that are shown before a person asks for all. */
const FIRST_ROWS = 12;

/** The accept queue is in danger from here on. */
const NEARLY_FULL = 0.8;

/** Listeners with their health, what is wrong first. */
export function ListenerTable({ listeners }: { readonly listeners: readonly Listener[] }): JSX.Element {
  const [all, setAll] = useState(false);
  const asked = route.use().query.get('listener') ?? '';
  const [filter, setFilter] = useState(asked);
  useEffect(() => {
    if (asked === '') return;
    setFilter(asked);
    document.getElementById('listeners')?.scrollIntoView();
  }, [asked]);
  const words = filter.toLowerCase();
  const matching = listeners.filter(({ service }) => serviceName(service).toLowerCase().includes(words));
  const ordered = matching.sort((one, other) => urgency(other) - urgency(one) || byName(one, other));
  const shown = all || filter !== '' ? ordered : ordered.slice(0, FIRST_ROWS);
  return (
    <>
      {(listeners.length > FIRST_ROWS || filter !== '') && (
        <p class="tools">
          <input
            type="search"
            placeholder="Filter: process, address, port"
            aria-label="Filter the listeners"
            value={filter}
            onInput={(event) => setFilter(event.currentTarget.value)}
          />
          <span class="muted" role="status">
            {filter === '' ? `${listeners.length} listeners` : `${ordered.length} of ${listeners.length}`}
          </span>
        </p>
      )}
      {shown.length === 0 && <Empty title="No listener matches." />}
      <table class="cards listeners" hidden={shown.length === 0}>
        <thead>
          <tr>
            <th scope="col">Listener</th>
            <th scope="col">Health</th>
            <th scope="col" class="num">
              Answered
            </th>
            <th scope="col" class="num">
              Refused
            </th>
            <th scope="col" class="num">
              Failed
            </th>
            <th scope="col" class="queue">
              Accept queue
            </th>
            <th scope="col" class="num">
              Half-open
            </th>
            <th scope="col" class="num">
              Drops
            </th>
          </tr>
        </thead>
        <tbody>
          {shown.map((listener) => (
            <Row key={serviceKey(listener.service)} listener={listener} />
          ))}
        </tbody>
      </table>
      <p class="muted note">
        Answered, refused and failed: in the last minute. Drops: counted by the socket since it was made.
      </p>
      {shown.length < ordered.length && (
        <button type="button" onClick={() => setAll(true)}>
          Show all {ordered.length}
        </button>
      )}
    </>
  );
}

function Row({ listener }: { readonly listener: Listener }): JSX.Element {
  const { service, acceptQueue, synQueue, drops, lastMinute, openIncidents } = listener;
  const { word, tone } = healthOf(listener);
  return (
    <tr>
      <th scope="row">
        <ServiceName service={service} />
      </th>
      <td data-name="Health">
        <Tag tone={tone}>{word}</Tag>{' '}
        {openIncidents.map((id) => (
          <a key={id} class="incident-number" href={`/incidents/${id}`}>
            #{id}
          </a>
        ))}
      </td>
      <Count name="Answered" value={lastMinute.answered} />
      <Count name="Refused" value={lastMinute.refused} tone="warn" />
      <Count name="Failed" value={lastMinute.failed} tone="bad" />
      <td data-name="Accept queue" class="queue">
        <meter
          min={0}
          max={Math.max(1, acceptQueue.limit)}
          high={acceptQueue.limit * NEARLY_FULL}
          optimum={0}
          value={acceptQueue.waiting}
          aria-label="Accept queue"
        />
        <span>
          {formatCount(acceptQueue.waiting)} of {formatCount(acceptQueue.limit)}
        </span>
      </td>
      <td data-name="Half-open" class="num">
        {synQueue === undefined ? <span class="muted">not seen</span> : formatCount(synQueue)}
      </td>
      <Count name="Drops" value={drops} />
    </tr>
  );
}

function Count({
  name,
  value,
  tone,
}: {
  readonly name: string;
  readonly value: number;
  readonly tone?: Tone;
}): JSX.Element {
  return (
    <td data-name={name} class={`num ${value === 0 ? 'zero' : (tone ?? '')}`}>
      {formatCount(value)}
    </td>
  );
}

/** How a listener is, in one word. */
function healthOf({ acceptQueue, lastMinute, openIncidents }: Listener): {
  readonly word: string;
  readonly tone: Tone;
} {
  if (lastMinute.failed > 0) return { word: 'failing', tone: 'bad' };
  // A backlog of 0 still lets one connection wait: the kernel drops when more than the limit wait.
  if (acceptQueue.waiting > acceptQueue.limit) return { word: 'queue full', tone: 'bad' };
  if (acceptQueue.limit > 0 && acceptQueue.waiting >= acceptQueue.limit * NEARLY_FULL) {
    return { word: 'queue nearly full', tone: 'warn' };
  }
  if (openIncidents.length > 0) return { word: 'incident', tone: 'warn' };
  return lastMinute.answered > 0 ? { word: 'answering', tone: 'good' } : { word: 'idle', tone: 'muted' };
}

function urgency(listener: Listener): number {
  const { tone } = healthOf(listener);
  return tone === 'bad' ? 3 : tone === 'warn' ? 2 : tone === 'good' ? 1 : 0;
}

function byName(one: Listener, other: Listener): number {
  return (
    (one.service.port ?? 0) - (other.service.port ?? 0) ||
    serviceName(one.service).localeCompare(serviceName(other.service))
  );
}
