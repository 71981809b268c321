import type { JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { logOut, onLoginRequired } from './api/client.ts';
import { openIncidents, status, stopLive } from './api/live.ts';
import { go, type Route, route } from './lib/router.ts';
import { useKeys } from './lib/shortcuts.ts';
import { isDark, paint, switchTheme } from './lib/theme.ts';
import { ConnectionLost, ConnectionMark } from './parts/connection.tsx';
import { Help } from './parts/help.tsx';
import { Empty } from './parts/notice.tsx';
import { Search } from './parts/search.tsx';
import { CauseView } from './views/cause.tsx';
import { Causes } from './views/causes.tsx';
import { IncidentView } from './views/incident.tsx';
import { Incidents } from './views/incidents.tsx';
import { Live } from './views/live.tsx';
import { Login } from './views/login.tsx';
import { Overview } from './views/overview.tsx';

const VIEWS: readonly (readonly [string, string])[] = [
  ['/', 'Overview'],
  ['/incidents', 'Incidents'],
  ['/live', 'Live'],
  ['/causes', 'Causes'],
];

/** The whole page: head, view, and what opens over them. */
export function App(): JSX.Element {
  const here = route.use();
  const [over, setOver] = useState<'search' | 'help'>();
  const main = useRef<HTMLElement>(null);
  const firstMove = useRef(here.move);
  const atLogin = here.parts[0] === 'login';
  const close = (): void => setOver(undefined);
  useEffect(() => {
    onLoginRequired(() => {
      stopLive();
      if (location.pathname !== '/login') go(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
    });
  }, []);
  useLayoutEffect(() => {
    document.title = titleOf(here, main.current);
    if (here.move === firstMove.current) return;
    // After a move within the page, reading and tabbing begin at the new view.
    scrollTo(0, 0);
    main.current?.focus({ preventScroll: true });
  }, [here.move]);
  useKeys({
    '/': () => setOver('search'),
    '?': () => setOver('help'),
    t: switchTheme,
    go: () => go('/'),
    gi: () => go('/incidents'),
    gl: () => go('/live'),
    gc: () => go('/causes'),
  });
  return (
    <>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <Head atLogin={atLogin} here={here} onSearch={() => setOver('search')} onHelp={() => setOver('help')} />
      {!atLogin && <ConnectionLost />}
      <main id="main" ref={main} tabIndex={-1}>
        <View here={here} />
      </main>
      {over === 'search' && <Search onClose={close} />}
      {over === 'help' && <Help onClose={close} />}
    </>
  );
}

function Head({
  atLogin,
  here,
  onSearch,
  onHelp,
}: {
  readonly atLogin: boolean;
  readonly here: Route;
  readonly onSearch: () => void;
  readonly onHelp: () => void;
}): JSX.Element {
  const now = status.use();
  const open = openIncidents.use()?.length ?? 0;
  const section = `/${here.parts[0] ?? ''}`;
  return (
    <header class="head">
      <a class="brand" href="/">
        <Logo />
        <span>synscope</span>
        {now !== undefined && !atLogin && <bdi class="host">{now.hostname}</bdi>}
      </a>
      {!atLogin && (
        <nav aria-label="Views">
          {VIEWS.map(([path, name]) => (
            <a key={path} href={path} aria-current={path === section ? 'page' : undefined}>
              {name}
              {path === '/incidents' && open > 0 && (
                <span class="count">
                  {open}
                  <span class="hidden"> open</span>
                </span>
              )}
            </a>
          ))}
        </nav>
      )}
      <div class="head-tools">
        {!atLogin && (
          <>
            <ConnectionMark />
            <button type="button" class="search-button" onClick={onSearch} aria-keyshortcuts="/">
              <span>Search</span> <kbd>/</kbd>
            </button>
          </>
        )}
        <ThemeButton />
        {!atLogin && (
          <button
            type="button"
            class="quiet icon"
            onClick={onHelp}
            aria-label="Keyboard shortcuts"
            title="Keyboard (?)"
          >
            ?
          </button>
        )}
        {!atLogin && now?.session?.loggedIn === true && (
          <button type="button" class="quiet" onClick={() => void logOut().then(() => location.reload())}>
            Log out
          </button>
        )}
      </div>
    </header>
  );
}

function ThemeButton(): JSX.Element {
  paint.use();
  const name = isDark() ? 'Light' : 'Dark';
  return (
    <button type="button" class="quiet icon" onClick={switchTheme} title={`${name} (t)`} aria-label={`${name} theme`}>
      <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
        <circle cx="8" cy="8" r="6.25" fill="none" stroke="currentColor" stroke-width="1.5" />
        <path d="M8 1.75a6.25 6.25 0 0 1 0 12.5z" fill="currentColor" />
      </svg>
    </button>
  );
}

function Logo(): JSX.Element {
  return (
    <svg class="logo" viewBox="0 0 24 24" width="22" height="22" aria-hidden="true">
      <path class="rails" d="M4 3v18M20 3v18" />
      <path d="M4 7l13 2.6M14 7l3.2 2.6-4 1.6" />
      <path class="answer" d="M20 14.4L7 17M10 14.4L6.8 17l4 1.6" />
    </svg>
  );
}

function View({ here }: { readonly here: Route }): JSX.Element {
  const [section = '', name, ...rest] = here.parts;
  if (rest.length === 0) {
    if (section === '' && name === undefined) return <Overview />;
    if (section === 'incidents' && name === undefined) return <Incidents />;
    if (section === 'incidents' && name !== undefined && /^\d{1,15}$/.test(name)) {
      return <IncidentView key={name} id={Number(name)} />;
    }
    if (section === 'live' && name === undefined) return <Live />;
    if (section === 'causes' && name === undefined) return <Causes />;
    if (section === 'causes' && name !== undefined) return <CauseView key={name} id={decoded(name)} />;
    if (section === 'login' && name === undefined) return <Login />;
  }
  return (
    <>
      <h1>There is no such page</h1>
      <Empty title="The address may be mistyped.">
        <p>
          <a href="/">Overview</a>
        </p>
      </Empty>
    </>
  );
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function titleOf({ parts: [section, name] }: Route, main: HTMLElement | null): string {
  const view = section === undefined ? 'Overview' : section.charAt(0).toUpperCase() + section.slice(1);
  const title =
    name === undefined
      ? view
      : section === 'incidents'
        ? `Incident ${name}`
        : (main?.querySelector('h1')?.textContent ?? view);
  return `${title} · synscope`;
}
