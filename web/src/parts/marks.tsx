import type { ComponentChildren, JSX } from 'preact';
import type { IncidentRow, Service } from '../api/types.ts';
import { idWords, serviceName, stateWord, type Tone, toneOf } from '../lib/words.ts';

/** A short word with a tone: a state, a risk, an outcome. */
export function Tag({ tone, children }: { readonly tone: Tone; readonly children: ComponentChildren }): JSX.Element {
  return <span class={`tag ${tone}`}>{children}</span>;
}

/** State of an incident, in a word and a colour. */
export function StateTag({ incident }: { readonly incident: Pick<IncidentRow, 'state' | 'kind'> }): JSX.Element {
  return <Tag tone={toneOf(incident)}>{stateWord(incident)}</Tag>;
}

/** A service; addresses and names of processes are foreign texts of any direction and length. */
export function ServiceName({ service }: { readonly service: Service }): JSX.Element {
  const name = serviceName(service);
  return (
    <bdi class="service" title={name}>
      {name}
    </bdi>
  );
}

/** Link to the cause of an incident, with how sure it is. Warnings have names that the catalogue does not hold. */
export function CauseLink({ incident }: { readonly incident: Pick<IncidentRow, 'cause' | 'kind'> }): JSX.Element {
  const { cause, kind } = incident;
  if (cause === null) return <span class="muted">no cause stands out</span>;
  if (kind === 'warning') return <span title={cause.title}>{idWords(cause.id)}</span>;
  return (
    <span>
      <a href={`/causes/${encodeURIComponent(cause.id)}`} title={cause.title}>
        {idWords(cause.id)}
      </a>{' '}
      <span class="muted">{cause.status}</span>
    </span>
  );
}

/** A named number. */
export function Figure({
  name,
  tone = 'plain',
  children,
}: {
  readonly name: string;
  readonly tone?: Tone;
  readonly children: ComponentChildren;
}): JSX.Element {
  return (
    <div class={`figure ${tone}`}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
