import type { JSX } from 'preact';
import { formatCount, formatQuantity } from '../../../src/model/text.ts';
import { listeners, openIncidents, status } from '../api/live.ts';
import type { IncidentRow } from '../api/types.ts';
import { toneOf } from '../lib/words.ts';
import { Ago, Exact, Lasting } from '../parts/ago.tsx';
import { ListenerTable } from '../parts/listener-table.tsx';
import { CauseLink, ServiceName, StateTag } from '../parts/marks.tsx';
import { Empty } from '../parts/notice.tsx';
import { RatesBlock } from '../parts/rates-block.tsx';
import { WatchState } from '../parts/watch-state.tsx';

/** How everything is: what is wrong, handshakes over time, listeners, the watch itself. */
export function Overview(): JSX.Element {
  const open = openIncidents.use();
  return (
    <>
      <Headline open={open} />
      {open !== undefined && open.length > 0 && <OpenIncidents incidents={open} />}
      <RatesBlock />
      <Listeners />
      <WatchState />
    </>
  );
}

/** The state of the host in one sentence. */
function Headline({ open }: { readonly open: readonly IncidentRow[] | undefined }): JSX.Element {
  const now = status.use();
  if (open === undefined || now === undefined) return <h1 class="headline">Reading the state of the watch …</h1>;
  const failures = open.filter(({ kind }) => kind === 'failure');
  const warnings = open.length - failures.length;
  const name = <bdi>{now.hostname}</bdi>;
  if (failures.length > 0) {
    return (
      <h1 class="headline bad">
        {formatQuantity(failures.length, 'thing')} {failures.length === 1 ? 'keeps' : 'keep'} connections{' '}
        {directionOf(failures)} {name} from coming up
        {warnings > 0 && `; ${formatQuantity(warnings, 'warning')}`}
      </h1>
    );
  }
  if (warnings > 0) {
    return (
      <h1 class="headline warn">
        {formatQuantity(warnings, 'warning')} on {name}; no connection fails
      </h1>
    );
  }
  const { answered, refused } = now.totals;
  return (
    <>
      <h1 class="headline good">No connection of {name} fails</h1>
      <p class="lead headline-lead">
        {answered === 0 ? 'No handshake' : formatQuantity(answered, 'handshake')} answered
        {refused > 0 && `, ${formatCount(refused)} refused`} since <Exact at={now.startedAt} />.
      </p>
    </>
  );
}

function directionOf(failures: readonly IncidentRow[]): string {
  const inbound = failures.some(({ service }) => service.direction === 'inbound');
  const outbound = failures.some(({ service }) => service.direction === 'outbound');
  return inbound && outbound ? 'to and from' : outbound ? 'from' : 'to';
}

function OpenIncidents({ incidents }: { readonly incidents: readonly IncidentRow[] }): JSX.Element {
  const failuresFirst = [...incidents].sort((one, other) => rank(one) - rank(other) || other.id - one.id);
  const shown = failuresFirst.slice(0, 6);
  return (
    <section aria-labelledby="open-now" class="open-now">
      <h2 id="open-now" class="hidden">
        Open incidents
      </h2>
      <ol class="open-incidents">
        {shown.map((incident) => (
          <li key={incident.id} class={toneOf(incident)}>
            <a class="sentence" href={`/incidents/${incident.id}`}>
              {incident.sentence}
            </a>
            <p class="meta">
              <StateTag incident={incident} /> <span class="number">#{incident.id}</span>{' '}
              <ServiceName service={incident.service} />{' '}
              {incident.attempts > 0 && (
                <span>
                  {formatQuantity(incident.attempts, 'attempt')} of {formatQuantity(incident.clients, 'client')}
                </span>
              )}
              <span>
                for <Lasting from={incident.firstAt} />, last <Ago at={incident.lastAt} />
              </span>{' '}
              <CauseLink incident={incident} />
            </p>
          </li>
        ))}
      </ol>
      {incidents.length > shown.length && (
        <p>
          <a href="/incidents?state=open">All {incidents.length} open incidents</a>
        </p>
      )}
    </section>
  );
}

function rank({ kind }: IncidentRow): number {
  return kind === 'failure' ? 0 : kind === 'warning' ? 1 : 2;
}

function Listeners(): JSX.Element {
  const all = listeners.use();
  return (
    <section aria-labelledby="listeners">
      <h2 id="listeners">Listeners</h2>
      {all === undefined ? (
        <p class="waiting">Reading listeners …</p>
      ) : all.length === 0 ? (
        <Empty title="Nothing listens on this host.">
          <p>
            Start a service, or let the watch see other network namespaces: <code>sudo synscope watch</code> sees them
            all.
          </p>
        </Empty>
      ) : (
        <ListenerTable listeners={all} />
      )}
    </section>
  );
}
