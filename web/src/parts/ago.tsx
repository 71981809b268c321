import type { JSX } from 'preact';
import { clockOffsetMs } from '../api/live.ts';
import { ago, exact, span, tick } from '../lib/time.ts';

/** How long ago a moment was by the watch's clock; the exact time is the tooltip. */
export function Ago({ at }: { readonly at: string }): JSX.Element {
  const nowMs = tick.use() + clockOffsetMs.use();
  const ms = Date.parse(at);
  return (
    <time dateTime={at} title={exact(ms)}>
      {ago(nowMs - ms)}
    </time>
  );
}

/** A moment with date and time. */
export function Exact({ at }: { readonly at: string }): JSX.Element {
  return (
    <time dateTime={at} title={at}>
      {exact(Date.parse(at))}
    </time>
  );
}

/** The time from one moment to another one, or until now. */
export function Lasting({ from, to }: { readonly from: string; readonly to?: string | undefined }): JSX.Element {
  const nowMs = tick.use() + clockOffsetMs.use();
  return <>{span((to === undefined ? nowMs : Date.parse(to)) - Date.parse(from))}</>;
}
