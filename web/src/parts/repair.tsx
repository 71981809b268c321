import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { RemedyOffer } from '../../../src/model/diagnosis.ts';
import { ApiError, api } from '../api/client.ts';
import { clockOffsetMs, status } from '../api/live.ts';
import type { IncidentPage, Preview, Repair } from '../api/types.ts';
import { tick } from '../lib/time.ts';
import { REPAIR_WORDS, type Tone } from '../lib/words.ts';
import { Ago } from './ago.tsx';
import { Commands } from './command.tsx';
import { Tag } from './marks.tsx';

const RISK_TONES: Readonly<Record<RemedyOffer['risk'], Tone>> = { low: 'good', medium: 'warn', high: 'bad' };

/** The repairs that the diagnosis offers; each is shown before it is done. */
export function Fixes({
  incident,
  remedies,
  onRepaired,
}: {
  readonly incident: IncidentPage;
  readonly remedies: readonly RemedyOffer[];
  readonly onRepaired: () => void;
}): JSX.Element {
  return (
    <section aria-labelledby="fix" class="fix">
      <h2 id="fix">Fix</h2>
      {remedies.length === 0 && <p class="muted">No repair is known that this host could do by itself.</p>}
      {remedies.map((remedy) => (
        <Fix key={remedy.id} incident={incident} remedy={remedy} onRepaired={onRepaired} />
      ))}
    </section>
  );
}

/** Where a repair stands between the first look and its result. */
type Stage =
  | { readonly is: 'offered' | 'planning' }
  | { readonly is: 'shown'; readonly preview: Preview }
  | { readonly is: 'doing'; readonly preview: Preview }
  | { readonly is: 'done'; readonly repair: Repair }
  | { readonly is: 'failed'; readonly error: ApiError };

function Fix({
  incident,
  remedy,
  onRepaired,
}: {
  readonly incident: IncidentPage;
  readonly remedy: RemedyOffer;
  readonly onRepaired: () => void;
}): JSX.Element {
  const [stage, setStage] = useState<Stage>({ is: 'offered' });
  const now = status.use();
  const failed = (error: unknown): void =>
    setStage({ is: 'failed', error: error instanceof ApiError ? error : new ApiError(0, 'bug', String(error)) });
  const plan = (): void => {
    setStage({ is: 'planning' });
    api.previewRepair(incident.id, remedy.id).then((preview) => setStage({ is: 'shown', preview }), failed);
  };
  const apply = (preview: Preview): void => {
    setStage({ is: 'doing', preview });
    api.repair(incident.id, preview.confirm?.token ?? '').then((repair) => {
      setStage({ is: 'done', repair });
      onRepaired();
    }, failed);
  };
  return (
    <div class="remedy">
      <p class="remedy-title">
        {remedy.title} <Tag tone={RISK_TONES[remedy.risk] ?? 'plain'}>{remedy.risk} risk</Tag>
      </p>
      {(stage.is === 'offered' || stage.is === 'planning') && (
        <>
          <Commands lines={remedy.commands} />
          {now?.repair === true && now.session?.mayRepair === false && (
            <a class="button" href={`/login?next=/incidents/${incident.id}`}>
              Log in to repair
            </a>
          )}
          {now?.repair === true && now.session?.mayRepair !== false && (
            <button type="button" onClick={plan} disabled={stage.is === 'planning'}>
              {stage.is === 'planning' ? 'Looking what it would do …' : 'Preview'}
            </button>
          )}
        </>
      )}
      {(stage.is === 'shown' || stage.is === 'doing') && (
        <PlanView
          preview={stage.preview}
          doing={stage.is === 'doing'}
          onApply={() => apply(stage.preview)}
          onCancel={() => setStage({ is: 'offered' })}
          onAgain={plan}
        />
      )}
      {stage.is === 'done' && <Result repair={stage.repair} />}
      {stage.is === 'failed' && (
        <div class="notice bad" role="alert">
          <p>
            <b>{stage.error.message}.</b> {stage.error.hint}
          </p>
          <p class="buttons">
            {stage.error.code === 'repair-needs-login' && (
              <a class="button" href={`/login?next=/incidents/${incident.id}`}>
                Log in
              </a>
            )}
            <button type="button" onClick={plan}>
              Preview again
            </button>
          </p>
        </div>
      )}
    </div>
  );
}

function PlanView({
  preview: { plan, confirm },
  doing,
  onApply,
  onCancel,
  onAgain,
}: {
  readonly preview: Preview;
  readonly doing: boolean;
  readonly onApply: () => void;
  readonly onCancel: () => void;
  readonly onAgain: () => void;
}): JSX.Element {
  const nowMs = tick.use() + clockOffsetMs.use();
  const leftMs = confirm === undefined ? 0 : Date.parse(confirm.expiresAt) - nowMs;
  const refused = plan.refused !== undefined;
  return (
    <section class="plan" aria-label={`Plan: ${plan.title}`}>
      <p>This is what will be done, in this order:</p>
      <ol class="steps">
        {plan.steps.map(({ text, commands, undo }) => (
          <li key={text}>
            {text}
            <Commands lines={commands} />
            {undo.length > 0 && (
              <details>
                <summary>How it is taken back</summary>
                <Commands lines={undo} />
              </details>
            )}
          </li>
        ))}
      </ol>
      <p>
        <b>Then it is verified:</b> {plan.verification} If it did not help, it is taken back.
      </p>
      {refused ? (
        <div class="notice warn">
          <p>
            <b>It cannot be done now:</b> {plan.refused}
          </p>
        </div>
      ) : null}
      <p class="buttons">
        {!refused && leftMs > 0 && (
          <button type="button" class={`strong ${plan.risk}`} onClick={onApply} disabled={doing}>
            {doing ? 'Doing it and verifying …' : 'Do it and verify it'}
          </button>
        )}
        {!refused && leftMs <= 0 && (
          <button type="button" onClick={onAgain}>
            This preview has expired: preview again
          </button>
        )}
        {!doing && (
          <button type="button" class="quiet" onClick={onCancel}>
            {refused ? 'Close' : 'Cancel'}
          </button>
        )}
      </p>
      <p class="hidden" role="status">
        {doing
          ? 'The repair is being done and verified; that may take a minute'
          : 'The plan is shown; nothing was changed'}
      </p>
    </section>
  );
}

function Result({ repair }: { readonly repair: Repair }): JSX.Element {
  const { word, tone } = REPAIR_WORDS[repair.outcome] ?? { word: repair.outcome, tone: 'plain' };
  return (
    <div class={`notice ${tone}`} role="status">
      <p>
        <b>{word.charAt(0).toUpperCase() + word.slice(1)}:</b> {repair.statement}
      </p>
    </div>
  );
}

/** What was done about the incident so far. */
export function Repairs({ repairs }: { readonly repairs: readonly Repair[] }): JSX.Element | null {
  if (repairs.length === 0) return null;
  return (
    <section aria-labelledby="repairs">
      <h2 id="repairs">Repairs</h2>
      <ol class="repairs">
        {repairs.map((repair) => {
          const { word, tone } = REPAIR_WORDS[repair.outcome] ?? { word: repair.outcome, tone: 'plain' };
          return (
            <li key={`${repair.at} ${repair.remedyId}`}>
              <p>
                <Tag tone={tone}>{word}</Tag> {repair.title}
              </p>
              <p class="muted">
                <Ago at={repair.at} /> by {repair.by === 'policy' ? 'a policy' : 'a person'}: {repair.statement}
              </p>
              {repair.journalId !== undefined && ['verified', 'failed'].includes(repair.outcome) && (
                <Commands lines={[`synscope fix --undo ${repair.journalId}`]} />
              )}
            </li>
          );
        })}
      </ol>
    </section>
  );
}
