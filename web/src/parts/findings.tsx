import { Fragment, type JSX } from 'preact';
import type { Diagnosis, Evidence as EvidenceItem } from '../../../src/model/diagnosis.ts';
import { quoteCommand } from '../../../src/model/shell-quote.ts';
import { formatCount, formatQuantity } from '../../../src/model/text.ts';
import type { IncidentPage } from '../api/types.ts';
import { clock, exact, span } from '../lib/time.ts';
import { idWords } from '../lib/words.ts';
import { Commands } from './command.tsx';

/** What supports the verdict and what speaks against it, each with its number and its source. */
export function Evidence({ evidence }: { readonly evidence: readonly EvidenceItem[] }): JSX.Element | null {
  if (evidence.length === 0) return null;
  const supports = evidence.filter(({ bearing }) => bearing === 'supports');
  const contradicts = evidence.filter(({ bearing }) => bearing === 'contradicts');
  return (
    <section aria-labelledby="because">
      {supports.length > 0 && (
        <>
          <h2 id="because">Because</h2>
          <EvidenceList items={supports} />
        </>
      )}
      {contradicts.length > 0 && (
        <>
          <h2 id={supports.length > 0 ? undefined : 'because'}>Against it</h2>
          <EvidenceList items={contradicts} />
        </>
      )}
    </section>
  );
}

function EvidenceList({ items }: { readonly items: readonly EvidenceItem[] }): JSX.Element {
  return (
    <ul class="evidence">
      {items.map(({ statement, weight, bearing, source }) => (
        <li key={statement} class={bearing === 'contradicts' ? 'against' : weight}>
          <span>
            {statement}
            <span class="hidden"> ({weight})</span>
          </span>
          <span class="source" title={`${weight} evidence, from ${source}`}>
            {source}
          </span>
        </li>
      ))}
    </ul>
  );
}

/** What was ruled out that is shown at once; the most telling comes first. */
const FIRST_RULED_OUT = 8;

/** What was ruled out and why, and what else it could be. */
export function RuledOut({ ruledOut, suspects }: Pick<Diagnosis, 'ruledOut' | 'suspects'>): JSX.Element | null {
  if (ruledOut.length === 0 && suspects.length === 0) return null;
  return (
    <section aria-labelledby="ruled-out">
      {suspects.length > 0 && (
        <>
          <h2>Could also be</h2>
          <ul class="plain">
            {suspects.map(({ id, status }) => (
              <li key={id}>
                <a href={`/causes/${encodeURIComponent(id)}`}>{idWords(id)}</a> <span class="muted">{status}</span>
              </li>
            ))}
          </ul>
        </>
      )}
      {ruledOut.length > 0 && (
        <>
          <h2 id="ruled-out">Ruled out</h2>
          <CausePairs items={ruledOut.slice(0, FIRST_RULED_OUT)} />
          {ruledOut.length > FIRST_RULED_OUT && (
            <details>
              <summary>{ruledOut.length - FIRST_RULED_OUT} more</summary>
              <CausePairs items={ruledOut.slice(FIRST_RULED_OUT)} />
            </details>
          )}
        </>
      )}
    </section>
  );
}

function CausePairs({ items }: { readonly items: Diagnosis['ruledOut'] }): JSX.Element {
  return (
    <dl class="pairs">
      {items.map(({ id, statement }) => (
        <div key={id}>
          <dt>
            <a href={`/causes/${encodeURIComponent(id)}`}>{idWords(id)}</a>
          </dt>
          <dd>{statement}</dd>
        </div>
      ))}
    </dl>
  );
}

/** What could not be told, and what would tell it. */
export function Undetermined({ undetermined }: Pick<Diagnosis, 'undetermined'>): JSX.Element | null {
  if (undetermined.length === 0) return null;
  return (
    <section aria-labelledby="undetermined">
      <h2 id="undetermined">Could not be told</h2>
      <dl class="pairs">
        {byReason(undetermined).map(({ ids, reason, hint }) => (
          <div key={reason}>
            <dt>
              {ids.map((id, at) => (
                <Fragment key={id}>
                  {at > 0 && ', '}
                  <a href={`/causes/${encodeURIComponent(id)}`}>{idWords(id)}</a>
                </Fragment>
              ))}
            </dt>
            <dd>
              {reason}
              {hint !== undefined && <span class="muted"> → {hint}</span>}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

/** What is missing is often missing for several causes: it is said once. */
function byReason(
  undetermined: Diagnosis['undetermined'],
): { readonly ids: string[]; readonly reason: string; readonly hint?: string }[] {
  const rows = new Map<string, { ids: string[]; reason: string; hint?: string }>();
  for (const { id, ...why } of undetermined) {
    const row = rows.get(why.reason);
    if (row === undefined) rows.set(why.reason, { ids: [id], ...why });
    else row.ids.push(id);
  }
  return [...rows.values()];
}

/** What changed on the host just before the first failure, newest last. */
export function ChangesBefore({
  changes,
  firstAt,
}: {
  readonly changes: IncidentPage['changes'];
  readonly firstAt: string;
}): JSX.Element {
  const firstMs = Date.parse(firstAt);
  return (
    <section aria-labelledby="changes">
      <h2 id="changes">What changed just before</h2>
      {changes.length === 0 ? (
        <p class="muted">
          No change of routes, rules, addresses, links or neighbours was seen before the first failure.
        </p>
      ) : (
        <ol class="changes">
          {changes.map(({ at, text }) => (
            <li key={`${at} ${text}`}>
              <time dateTime={at} title={exact(Date.parse(at))}>
                {clock(Date.parse(at))}
              </time>
              <span>{text}</span>
              <span class="muted">{distance(firstMs - Date.parse(at))}</span>
            </li>
          ))}
          <li class="first-failure">
            <time dateTime={firstAt} title={exact(firstMs)}>
              {clock(firstMs)}
            </time>
            <span>first failure</span>
          </li>
        </ol>
      )}
    </section>
  );
}

function distance(ms: number): string {
  const length = Math.abs(ms) < 1000 ? `${Math.abs(ms)} ms` : span(Math.abs(ms));
  return ms >= 0 ? `${length} before` : `${length} after`;
}

/** What to do next, with commands. */
export function NextSteps({ steps: all }: { readonly steps: Diagnosis['nextSteps'] }): JSX.Element | null {
  // What a command would explain is one click away.
  const steps = all.filter(({ command }) => command?.[1] !== 'explain');
  if (steps.length === 0) return null;
  return (
    <section aria-labelledby="next">
      <h2 id="next">Next</h2>
      <ol class="steps">
        {steps.map(({ statement, command }) => (
          <li key={statement}>
            {statement}
            {command !== undefined && <Commands lines={[quoteCommand(command)]} />}
          </li>
        ))}
      </ol>
    </section>
  );
}

/** Where the clients are that fail. */
export function ClientNetworks({ incident }: { readonly incident: IncidentPage }): JSX.Element | null {
  const { clientNetworks, clients } = incident;
  if (clientNetworks.length === 0) return null;
  const most = Math.max(...clientNetworks.map(({ attempts }) => attempts), 1);
  return (
    <section aria-labelledby="clients">
      <h2 id="clients">Client networks</h2>
      <table class="networks">
        <thead class="hidden">
          <tr>
            <th scope="col">Network</th>
            <th scope="col">Attempts</th>
          </tr>
        </thead>
        <tbody>
          {clientNetworks.map(({ network, attempts }) => (
            <tr key={network}>
              <th scope="row">
                <bdi>{network}</bdi>
                <span class="share" style={{ width: `${(attempts / most) * 100}%` }} />
              </th>
              <td class="num">{formatCount(attempts)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="muted note">{formatQuantity(clients, 'client')} in all, as far as counted.</p>
    </section>
  );
}
