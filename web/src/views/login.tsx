import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { ApiError, logIn } from '../api/client.ts';
import { startLive } from '../api/live.ts';
import { pathWithin } from '../lib/paths.ts';
import { go, route } from '../lib/router.ts';

/** Asks for the token of the watch. */
export function Login(): JSX.Element {
  const { query } = route.use();
  const [token, setToken] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError>();
  const submit = async (): Promise<void> => {
    setBusy(true);
    setError(undefined);
    try {
      await logIn(token.trim());
      startLive();
      go(pathWithin(query.get('next'), location.origin));
    } catch (failure) {
      setError(failure instanceof ApiError ? failure : new ApiError(0, 'bug', String(failure)));
      setBusy(false);
    }
  };
  return (
    <form
      class="login"
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      <h1>Log in</h1>
      <p>This watch shows its page to those who have its token. On the host, as the user of the watch, it is in</p>
      <pre>
        <code>/var/lib/synscope/page-token</code>
      </pre>
      <p class="muted">
        or where <code>page.tokenFile</code> of the configuration says.
      </p>
      <label>
        <span>Token</span>
        <input
          type="password"
          name="token"
          autocomplete="current-password"
          required
          value={token}
          aria-invalid={error !== undefined}
          aria-describedby={error === undefined ? undefined : 'login-error'}
          onInput={(event) => setToken(event.currentTarget.value)}
        />
      </label>
      {error !== undefined && (
        <p id="login-error" class="notice bad" role="alert">
          {error.status === 401 ? 'That is not the token of this watch.' : error.message} {error.hint}
        </p>
      )}
      <button type="submit" class="strong" disabled={busy || token.trim() === ''}>
        {busy ? 'Logging in …' : 'Log in'}
      </button>
    </form>
  );
}
