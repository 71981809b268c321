import { useCallback, useEffect, useState } from 'preact/hooks';
import { ApiError } from '../api/client.ts';

/** Something that is asked of the watch. */
export interface Loaded<T> {
  /** The last answer, also while a newer one is on its way. */
  readonly value?: T;
  readonly error?: ApiError;
  readonly loading: boolean;
  readonly reload: () => void;
}

/** Asks when the component appears, when `keys` change and on `reload`; the answer to an older question is dropped. */
export function useLoad<T>(ask: (signal: AbortSignal) => Promise<T>, keys: readonly unknown[]): Loaded<T> {
  const [turn, setTurn] = useState(0);
  const [state, setState] = useState<Omit<Loaded<T>, 'reload'>>({ loading: true });
  const reload = useCallback(() => setTurn((before) => before + 1), []);
  useEffect(() => {
    const stop = new AbortController();
    setState(({ error: _, ...before }) => ({ ...before, loading: true }));
    ask(stop.signal).then(
      (value) => {
        if (!stop.signal.aborted) setState({ value, loading: false });
      },
      (error: unknown) => {
        if (stop.signal.aborted) return;
        const failure = error instanceof ApiError ? error : new ApiError(0, 'bug', String(error));
        setState((before) => ({ ...before, error: failure, loading: false }));
      },
    );
    return () => stop.abort();
  }, [...keys, turn]);
  return { ...state, reload };
}
