import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { replaceQuery } from '../lib/router.ts';
import { idWords } from '../lib/words.ts';

const SINCE: readonly (readonly [string, string])[] = [
  ['', 'any time'],
  ['1h', 'last hour'],
  ['24h', 'last day'],
  ['7d', 'last 7 days'],
  ['30d', 'last 30 days'],
];

const STATES: readonly (readonly [string, string])[] = [
  ['', 'any'],
  ['open', 'open'],
  ['closed', 'closed'],
];

const KINDS: readonly (readonly [string, string])[] = [
  ['', 'any'],
  ['failure', 'failures'],
  ['warning', 'early warnings'],
  ['noise', 'floods and scans'],
];

/** Filters of the list of incidents. */
export function IncidentFilters({ query }: { readonly query: URLSearchParams }): JSX.Element {
  const typing = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(typing.current), []);
  const set = (name: string, value: string): void => {
    const next = new URLSearchParams(location.search);
    if (value === '') next.delete(name);
    else next.set(name, value);
    replaceQuery(next);
  };
  const later = (name: string, value: string): void => {
    clearTimeout(typing.current);
    typing.current = setTimeout(() => set(name, value), 250);
  };
  const choice = (name: string, label: string, options: readonly (readonly [string, string])[]): JSX.Element => (
    <label>
      <span>{label}</span>
      <select value={query.get(name) ?? ''} onChange={(event) => set(name, event.currentTarget.value)}>
        {options.map(([value, word]) => (
          <option key={value} value={value}>
            {word}
          </option>
        ))}
      </select>
    </label>
  );
  const cause = query.get('cause');
  return (
    <search class="filters">
      <label class="wide">
        <span>Words</span>
        <input
          type="search"
          placeholder="sentence, cause, service, client"
          value={query.get('text') ?? ''}
          onInput={(event) => later('text', event.currentTarget.value)}
        />
      </label>
      <label class="narrow">
        <span>Port</span>
        <input
          type="search"
          inputMode="numeric"
          value={query.get('port') ?? ''}
          onInput={(event) => later('port', event.currentTarget.value.replace(/\D/g, '').slice(0, 5))}
        />
      </label>
      {choice('state', 'State', STATES)}
      {choice('kind', 'Kind', KINDS)}
      {choice('since', 'Last seen', SINCE)}
      {cause !== null && (
        <button type="button" class="chip" onClick={() => set('cause', '')} title="Show every cause">
          {idWords(cause)} <span aria-hidden="true">×</span>
          <span class="hidden">: remove this filter</span>
        </button>
      )}
    </search>
  );
}
