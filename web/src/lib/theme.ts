import { recall, remember } from './remembered.ts';
import { createState, type State } from './state.ts';

/** What a person chose; `auto` follows the system. */
export type Theme = 'auto' | 'light' | 'dark';

const theme: State<Theme> = createState<Theme>(known(recall('theme')));

/** Colours that are really shown; grows with each change, for what is painted by script. */
export const paint: State<number> = createState(0);

const system = matchMedia('(prefers-color-scheme: dark)');

/** Puts the chosen theme on the page, now and whenever the system's changes. */
export function startTheme(): void {
  apply();
  system.addEventListener('change', () => paint.set(paint.get() + 1));
}

/** Chooses light or dark: the other one than is shown. What the system shows anyway is not remembered. */
export function switchTheme(): void {
  const next = isDark() ? 'light' : 'dark';
  const chosen: Theme = (next === 'dark') === system.matches ? 'auto' : next;
  theme.set(chosen);
  remember('theme', chosen === 'auto' ? undefined : chosen);
  apply();
}

/** Whether the page is dark now. */
export function isDark(): boolean {
  return theme.get() === 'auto' ? system.matches : theme.get() === 'dark';
}

function apply(): void {
  const chosen = theme.get();
  if (chosen === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  paint.set(paint.get() + 1);
}

function known(text: string | undefined): Theme {
  return text === 'light' || text === 'dark' ? text : 'auto';
}
