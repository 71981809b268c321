import type { JSX } from 'preact';
import { formatCount } from '../../../src/model/text.ts';
import { status } from '../api/live.ts';
import { Exact, Lasting } from './ago.tsx';
import { Figure } from './marks.tsx';

/** How the watch itself is, and what it cannot see. */
export function WatchState(): JSX.Element | null {
  const now = status.use();
  if (now === undefined) return null;
  const { capture, totals, notSeen, namespaces, history } = now;
  return (
    <section aria-labelledby="watch-state">
      <h2 id="watch-state">The watch itself</h2>
      <dl class="figures">
        <Figure name="watching for">
          <Lasting from={now.startedAt} />
        </Figure>
        <Figure name="answered">{formatCount(totals.answered)}</Figure>
        <Figure name="refused">{formatCount(totals.refused)}</Figure>
        <Figure name="failed">{formatCount(totals.failed)}</Figure>
        <Figure name="packets taken">{formatCount(capture.taken)}</Figure>
        <Figure name="packets lost" tone={capture.lost > 0 ? 'warn' : 'plain'}>
          {formatCount(capture.lost)}
        </Figure>
        <Figure name="attempts open now">{formatCount(capture.openAttempts)}</Figure>
        {history?.bytes !== undefined && <Figure name="history">{formatBytes(history.bytes)}</Figure>}
      </dl>
      <p class="muted note">
        synscope {now.version} on <bdi>{now.hostname}</bdi>, since <Exact at={now.startedAt} />. Namespaces:{' '}
        {namespaces.map((name, index) => (
          <span key={name}>
            {index > 0 && ', '}
            <bdi>{name}</bdi>
          </span>
        ))}
        . History:{' '}
        {history?.kind === 'memory' ? 'in memory only, gone when the watch ends' : <bdi>{history?.path ?? 'none'}</bdi>}
        .
      </p>
      {history?.notes?.map(({ reason, hint }) => (
        <p class="note" key={reason}>
          History: {reason}. <span class="muted">{hint}</span>
        </p>
      ))}
      {history?.trouble !== undefined && (
        <div class="notice bad">
          <p>
            <b>The history cannot be written: {history.trouble.reason}.</b> {history.trouble.hint}
          </p>
        </div>
      )}
      <h3>Not seen</h3>
      {notSeen.length === 0 ? (
        <p>Nothing is hidden from this watch.</p>
      ) : (
        <ul class="not-seen">
          {notSeen.map(({ reason, hint }) => (
            <li key={reason}>
              {reason}
              {hint !== undefined && <span class="muted"> → {hint}</span>}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const step = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  const value = bytes / 1024 ** step;
  return `${value.toFixed(value < 10 && step > 0 ? 1 : 0)} ${units[step]}`;
}
