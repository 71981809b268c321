import { useLayoutEffect } from 'preact/hooks';
import { recall, remember } from './remembered.ts';
import { createState, type State } from './state.ts';

/** Whether single keys do something; speech input and slips of the hand make some people switch them off. */
export const shortcutsOn: State<boolean> = createState(recall('shortcuts') !== 'off');

/** Switches single keys on or off, and remembers it. */
export function switchShortcuts(on: boolean): void {
  shortcutsOn.set(on);
  remember('shortcuts', on ? undefined : 'off');
}

/** What keys do; a key of two letters is typed one after the other. */
export type Keys = Readonly<Record<string, () => void>>;

const active: Keys[] = [];
let pending = '';
let pendingTimer: ReturnType<typeof setTimeout> | undefined;

/** Makes keys work while the component is shown; what was shown last goes first. */
export function useKeys(keys: Keys): void {
  // At once, so that two keys that follow each other quickly mean what they say.
  useLayoutEffect(() => {
    active.push(keys);
    return () => {
      active.splice(active.indexOf(keys), 1);
    };
  });
}

/** Listens to the keyboard. */
export function startShortcuts(): void {
  document.addEventListener('keydown', (event) => {
    if (!shortcutsOn.get() || event.ctrlKey || event.metaKey || event.altKey || isWriting(event.target)) return;
    if (document.querySelector('dialog[open]') !== null) return;
    const sequence = pending + event.key;
    const action = find(sequence) ?? find(event.key);
    clearTimeout(pendingTimer);
    pending = '';
    if (action !== undefined) {
      event.preventDefault();
      action();
    } else if (active.some((keys) => Object.keys(keys).some((key) => key.length > 1 && key[0] === event.key))) {
      pending = event.key;
      pendingTimer = setTimeout(() => {
        pending = '';
      }, 1500);
    }
  });
}

function find(key: string): (() => void) | undefined {
  return active.findLast((keys) => keys[key] !== undefined)?.[key];
}

function isWriting(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return target.type !== 'checkbox' && target.type !== 'radio';
  return target.isContentEditable || target.tagName === 'TEXTAREA' || target.tagName === 'SELECT';
}
