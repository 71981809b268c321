import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { CauseRow } from '../api/types.ts';
import { readCatalogue } from '../lib/catalogue.ts';
import { useLoad } from '../lib/load.ts';
import { replaceQuery, route } from '../lib/router.ts';
import { idWords } from '../lib/words.ts';
import { Empty, Waiting } from '../parts/notice.tsx';

/** The catalogue, in the order in which the packets of a handshake meet the causes. */
export function Causes(): JSX.Element {
  const loaded = useLoad(readCatalogue, []);
  const { query } = route.use();
  const [words, setWords] = useState(query.get('text') ?? '');
  if (loaded.value === undefined) {
    return (
      <>
        <h1>Causes</h1>
        <Waiting loaded={loaded} what="the catalogue" />
      </>
    );
  }
  const parts = words.toLowerCase().split(/\s+/);
  const found = loaded.value.filter((cause) => parts.every((part) => textOf(cause).includes(part)));
  const steps = [...new Set(found.map(({ stepTitle }) => stepTitle))];
  const search = (text: string): void => {
    setWords(text);
    replaceQuery(new URLSearchParams(text === '' ? {} : { text }));
  };
  return (
    <>
      <h1>Causes</h1>
      <p class="lead">Why a TCP handshake does not come up, in the order in which its packets meet the causes.</p>
      <search class="filters">
        <label class="wide">
          <span class="hidden">Search the causes</span>
          <input
            type="search"
            placeholder="For example: queue, route, server firewall"
            value={words}
            onInput={(event) => search(event.currentTarget.value)}
          />
        </label>
        <span class="muted" role="status">
          {found.length === loaded.value.length
            ? `${found.length} causes`
            : `${found.length} of ${loaded.value.length}`}
        </span>
      </search>
      {found.length === 0 && (
        <Empty title={`No cause is named “${words}”.`}>
          <p>
            Counters, errors and drop reasons are found by the search of the whole page: press <kbd>/</kbd>.
          </p>
        </Empty>
      )}
      {steps.map((step) => (
        <section key={step} class="step">
          <h2>{step}</h2>
          <ul class="plain catalogue">
            {found
              .filter(({ stepTitle }) => stepTitle === step)
              .map(({ id, title }) => (
                <li key={id}>
                  <a href={`/causes/${id}`}>{idWords(id)}</a>
                  <span>{title}</span>
                </li>
              ))}
          </ul>
        </section>
      ))}
    </>
  );
}

function textOf({ id, title, stepTitle, place }: CauseRow): string {
  return `${id} ${idWords(id)} ${title} ${stepTitle} ${place}`.toLowerCase();
}
