import type { JSX } from 'preact';
import { connection, retryNow } from '../api/live.ts';
import { clock, span, tick } from '../lib/time.ts';

/** Whether what is shown is live. */
export function ConnectionMark(): JSX.Element {
  const now = connection.use();
  const words = { live: 'live', connecting: 'connecting', lost: 'not live' };
  return (
    <span class={`connection ${now.state}`} role="status">
      {words[now.state]}
    </span>
  );
}

/** Says for how long the connection has been lost, and when it is tried again. */
export function ConnectionLost(): JSX.Element | null {
  const now = connection.use();
  const nowMs = tick.use();
  if (now.state !== 'lost') return null;
  const waitS = Math.max(0, Math.ceil((now.retryMs - nowMs) / 1000));
  return (
    <section class="lost-banner" aria-label="Connection">
      <p>
        <b role="alert">Connection lost.</b> {now.reason}. What you see is as of {clock(now.sinceMs)},{' '}
        {span(nowMs - now.sinceMs)} old.
      </p>
      <button type="button" onClick={retryNow}>
        {waitS > 0 ? `Try now (by itself in ${waitS} s)` : 'Trying …'}
      </button>
    </section>
  );
}
