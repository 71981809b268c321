import type { JSX } from 'preact';
import { shortcutsOn, switchShortcuts } from '../lib/shortcuts.ts';
import { Dialog } from './dialog.tsx';

/** Keys of the page, in the order of the help. */
const KEYS: readonly (readonly [readonly string[], string])[] = [
  [['/'], 'search everything'],
  [['g', 'o'], 'overview'],
  [['g', 'i'], 'incidents'],
  [['g', 'l'], 'live'],
  [['g', 'c'], 'causes'],
  [['j', 'k'], 'next and previous incident of a list'],
  [['o'], 'open that incident'],
  [['p'], 'pause the live list, or go on'],
  [['t'], 'light or dark'],
  [['?'], 'this help'],
  [['Esc'], 'close what is open'],
];

/** What the keyboard does. */
export function Help({ onClose }: { readonly onClose: () => void }): JSX.Element {
  const on = shortcutsOn.use();
  return (
    <Dialog title="Keyboard" onClose={onClose}>
      <dl class="keys">
        {KEYS.map(([keys, meaning]) => (
          <div key={meaning}>
            <dt>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
      <label class="check">
        <input type="checkbox" checked={on} onChange={(event) => switchShortcuts(event.currentTarget.checked)} /> Single
        keys do something
      </label>
    </Dialog>
  );
}
