import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { formatQuantity } from '../../../src/model/text.ts';
import { api } from '../api/client.ts';
import { changedIncident, epoch } from '../api/live.ts';
import { toDiagnosis } from '../api/sample.ts';
import type { IncidentPage } from '../api/types.ts';
import { useLoad } from '../lib/load.ts';
import { KIND_WORDS } from '../lib/words.ts';
import { Ago, Exact, Lasting } from '../parts/ago.tsx';
import { ChangesBefore, ClientNetworks, Evidence, NextSteps, RuledOut, Undetermined } from '../parts/findings.tsx';
import { LadderFigure } from '../parts/ladder.tsx';
import { CauseLink, ServiceName, StateTag } from '../parts/marks.tsx';
import { Empty, Waiting } from '../parts/notice.tsx';
import { Fixes, Repairs } from '../parts/repair.tsx';

const RELOAD_AFTER_MS = 500;

/** Everything about one incident: the verdict first. */
export function IncidentView({ id }: { readonly id: number }): JSX.Element {
  const generation = epoch.use();
  const loaded = useLoad((signal) => api.incident(id, signal), [id, generation]);
  const changed = changedIncident.use();
  const waiting = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => {
    if (changed?.id !== id || waiting.current !== undefined) return;
    // A flood updates its incident all the time.
    waiting.current = setTimeout(() => {
      waiting.current = undefined;
      loaded.reload();
    }, RELOAD_AFTER_MS);
  }, [changed]);
  useEffect(() => () => clearTimeout(waiting.current), []);
  const incident = loaded.value;
  if (incident === undefined) {
    return (
      <>
        <Crumbs id={id} />
        {loaded.error?.status === 404 ? (
          <>
            <h1>Incident {id} is not here</h1>
            <Empty title="It never was, or the history no longer keeps it.">
              <p>
                <a href="/incidents">All incidents</a>
              </p>
            </Empty>
          </>
        ) : (
          <>
            <h1>Incident {id}</h1>
            <Waiting loaded={loaded} what={`incident ${id}`} />
          </>
        )}
      </>
    );
  }
  return <Incident incident={incident} onRepaired={loaded.reload} />;
}

function Incident({
  incident,
  onRepaired,
}: {
  readonly incident: IncidentPage;
  readonly onRepaired: () => void;
}): JSX.Element {
  const diagnoses = useMemo(() => incident.samples.flatMap((sample) => toDiagnosis(sample) ?? []), [incident]);
  const [chosen, setChosen] = useState(0);
  const diagnosis = diagnoses[Math.min(chosen, diagnoses.length - 1)];
  return (
    <article class="incident">
      <Crumbs id={incident.id} />
      <h1>{incident.sentence}</h1>
      <Facts incident={incident} />
      <div class="incident-grid">
        <div class="story">
          {diagnosis !== undefined && (
            <section aria-labelledby="attempt">
              <div class="section-head">
                <h2 id="attempt">{incident.attempts > 1 ? 'One of the attempts' : 'The attempt'}</h2>
                {diagnoses.length > 1 && (
                  <label class="inline-choice">
                    <span class="hidden">Attempt that is shown</span>
                    <select value={chosen} onChange={(event) => setChosen(Number(event.currentTarget.value))}>
                      {diagnoses.map((_, index) => (
                        <option key={index} value={index}>
                          sample {index + 1} of {diagnoses.length}
                        </option>
                      ))}
                    </select>
                  </label>
                )}
              </div>
              {diagnosis.handshake.segments.length > 0 && <LadderFigure diagnosis={diagnosis} />}
            </section>
          )}
          {diagnosis !== undefined && <Evidence evidence={diagnosis.evidence} />}
          <ChangesBefore changes={incident.changes} firstAt={incident.firstAt} />
        </div>
        <div class="deeds">
          {diagnosis !== undefined && (
            <Fixes incident={incident} remedies={diagnosis.remedies} onRepaired={onRepaired} />
          )}
          <Repairs repairs={incident.repairs} />
          {diagnosis !== undefined && <NextSteps steps={diagnosis.nextSteps} />}
          <ClientNetworks incident={incident} />
        </div>
        <div class="rest">
          {diagnosis !== undefined && <RuledOut ruledOut={diagnosis.ruledOut} suspects={diagnosis.suspects} />}
          {diagnosis !== undefined && <Undetermined undetermined={diagnosis.undetermined} />}
        </div>
      </div>
    </article>
  );
}

function Crumbs({ id }: { readonly id: number }): JSX.Element {
  return (
    <nav class="crumbs" aria-label="Path">
      <a href="/incidents">Incidents</a> <span aria-hidden="true">/</span> <span aria-current="page">#{id}</span>
    </nav>
  );
}

function Facts({ incident }: { readonly incident: IncidentPage }): JSX.Element {
  const { closedAt, closedBecause } = incident;
  return (
    <dl class="facts-line">
      <div>
        <dt>State</dt>
        <dd>
          <StateTag incident={incident} /> {incident.state === 'closed' && KIND_WORDS[incident.kind]}
        </dd>
      </div>
      <div>
        <dt>Cause</dt>
        <dd>
          <CauseLink incident={incident} />
        </dd>
      </div>
      <div>
        <dt>Service</dt>
        <dd>
          <ServiceName service={incident.service} />
        </dd>
      </div>
      {incident.attempts > 0 && (
        <div>
          <dt>Failed</dt>
          <dd>
            {formatQuantity(incident.attempts, 'attempt')} of {formatQuantity(incident.clients, 'client')}
          </dd>
        </div>
      )}
      <div>
        <dt>First seen</dt>
        <dd>
          <Exact at={incident.firstAt} />
        </dd>
      </div>
      <div>
        <dt>Last seen</dt>
        <dd>
          <Ago at={incident.lastAt} />, <Lasting from={incident.firstAt} to={incident.lastAt} /> after the first
        </dd>
      </div>
      {closedAt !== undefined && (
        <div>
          <dt>Closed</dt>
          <dd>
            <Ago at={closedAt} />
            {closedBecause !== undefined && `: ${closedBecause}`}
          </dd>
        </div>
      )}
    </dl>
  );
}
