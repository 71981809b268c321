import type { JSX } from 'preact';
import { api } from '../api/client.ts';
import type { CausePage } from '../api/types.ts';
import { readCatalogue } from '../lib/catalogue.ts';
import { useLoad } from '../lib/load.ts';
import { idWords } from '../lib/words.ts';
import { Commands } from '../parts/command.tsx';
import { IncidentTable } from '../parts/incident-table.tsx';
import { Markdown } from '../parts/markdown.tsx';
import { Empty, Waiting } from '../parts/notice.tsx';

/** One cause: what happens and why, how to be sure, what it is taken for, and where it was met here. */
export function CauseView({ id }: { readonly id: string }): JSX.Element {
  const loaded = useLoad(
    async (signal) => {
      const [cause, all] = await Promise.all([api.cause(id, signal), readCatalogue()]);
      return { cause, ids: new Set(all.map((row) => row.id)) };
    },
    [id],
  );
  return (
    <article class="cause">
      <nav class="crumbs" aria-label="Path">
        <a href="/causes">Causes</a> <span aria-hidden="true">/</span> <span aria-current="page">{idWords(id)}</span>
      </nav>
      {loaded.value !== undefined ? (
        <Cause {...loaded.value} />
      ) : loaded.error?.status === 404 ? (
        <>
          <h1>No such cause</h1>
          <Empty title="The catalogue does not know it.">
            <p>
              <a href="/causes">All causes</a>
            </p>
          </Empty>
        </>
      ) : (
        <>
          <h1>{idWords(id)}</h1>
          <Waiting loaded={loaded} what="the cause" />
        </>
      )}
    </article>
  );
}

function Cause({ cause, ids }: { readonly cause: CausePage; readonly ids: ReadonlySet<string> }): JSX.Element {
  return (
    <>
      <h1>{cause.title}</h1>
      <p class="meta">
        <code>{cause.id}</code> <span>{cause.stepTitle}</span>
        <span>to be repaired at the {cause.place === 'path' ? 'network between' : cause.place}</span>
        <span>evidence is had on the {cause.sides.join(' and the ')}</span>
      </p>
      <div class="prose">
        <Markdown text={cause.explanation} causes={ids} />
      </div>
      {cause.confusedWith.length > 0 && (
        <section>
          <h2>Easily taken for</h2>
          <dl class="pairs">
            {cause.confusedWith.map(({ id, title, toldApartBy }) => (
              <div key={id}>
                <dt>
                  {ids.has(id) ? (
                    <a href={`/causes/${id}`} title={title}>
                      {idWords(id)}
                    </a>
                  ) : (
                    idWords(id)
                  )}
                </dt>
                <dd>{toldApartBy}</dd>
              </div>
            ))}
          </dl>
        </section>
      )}
      {cause.remedies !== undefined && cause.remedies.length > 0 && (
        <section>
          <h2>What repairs it</h2>
          <ul class="plain remedies">
            {cause.remedies.map(({ id, title, risk, commands }) => (
              <li key={id}>
                {title} <span class="muted">({risk} risk)</span>
                <Commands lines={commands} />
              </li>
            ))}
          </ul>
          <p class="muted note">The addresses are those of documented examples; an incident names your own.</p>
        </section>
      )}
      <MetHere id={cause.id} />
      {cause.references.length > 0 && (
        <section>
          <h2>References</h2>
          <ul class="references">
            {cause.references.map((reference) => (
              <li key={reference}>
                {reference.startsWith('https://') ? (
                  <a href={reference} rel="noreferrer" target="_blank">
                    {reference}
                  </a>
                ) : (
                  <code>{reference}</code>
                )}
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

/** Incidents of this cause on this host. */
function MetHere({ id }: { readonly id: string }): JSX.Element {
  const loaded = useLoad((signal) => api.incidents(new URLSearchParams({ cause: id, limit: '5' }), signal), [id]);
  return (
    <section>
      <h2>Met here</h2>
      {loaded.value === undefined ? (
        <Waiting loaded={loaded} what="incidents" />
      ) : loaded.value.incidents.length === 0 ? (
        <p class="muted">Never, as far back as the history goes.</p>
      ) : (
        <>
          <IncidentTable incidents={loaded.value.incidents} />
          {loaded.value.more && (
            <p>
              <a href={`/incidents?cause=${encodeURIComponent(id)}`}>All incidents of this cause</a>
            </p>
          )}
        </>
      )}
    </section>
  );
}
