import type { ComponentChildren, JSX } from 'preact';
import type { Loaded } from '../lib/load.ts';

/** Says that there is nothing, and what to do about it. */
export function Empty({
  title,
  children,
}: {
  readonly title: string;
  readonly children?: ComponentChildren;
}): JSX.Element {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children}
    </div>
  );
}

/** What stands where an answer is to come: that it is on its way, or why it did not come. */
export function Waiting({ loaded, what }: { readonly loaded: Loaded<unknown>; readonly what: string }): JSX.Element {
  if (loaded.error === undefined) {
    return (
      <p class="waiting" role="status">
        Reading {what} …
      </p>
    );
  }
  return (
    <div class="notice bad" role="alert">
      <p>
        <b>{loaded.error.message}.</b> {loaded.error.hint}
      </p>
      <button type="button" onClick={loaded.reload}>
        Try again
      </button>
    </div>
  );
}
