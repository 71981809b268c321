import { createState, type State } from './state.ts';

/** Where the page is. */
export interface Route {
  /** Parts of the path: `/incidents/42` gives `['incidents', '42']`. */
  readonly parts: readonly string[];
  readonly query: URLSearchParams;
  /** Grows with every move, so that a move to the same place is one, too. */
  readonly move: number;
}

let moves = 0;

export const route: State<Route> = createState<Route>(current());

/** Follows links within the page and the browser's back button. */
export function startRouter(): void {
  addEventListener('popstate', () => route.set(current()));
  document.addEventListener('click', (event) => {
    if (
      event.defaultPrevented ||
      event.button !== 0 ||
      event.metaKey ||
      event.ctrlKey ||
      event.shiftKey ||
      event.altKey
    ) {
      return;
    }
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    if (link === null || link.target !== '' || link.hasAttribute('download') || link.origin !== location.origin) return;
    if (link.pathname.startsWith('/api/') || link.getAttribute('href')?.startsWith('#')) return;
    event.preventDefault();
    go(link.pathname + link.search);
  });
}

/** Moves to a path of the page. */
export function go(path: string): void {
  history.pushState(null, '', path);
  route.set(current());
}

/** Changes the query of the present path without a step in the history. */
export function replaceQuery(query: URLSearchParams): void {
  const text = query.toString();
  history.replaceState(history.state, '', location.pathname + (text === '' ? '' : `?${text}`));
  route.set({ ...current(), move: route.get().move });
}

function current(): Route {
  moves += 1;
  return {
    parts: location.pathname.split('/').filter((part) => part !== ''),
    query: new URLSearchParams(location.search),
    move: moves,
  };
}
