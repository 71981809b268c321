import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { api } from '../api/client.ts';
import { listeners } from '../api/live.ts';
import type { SearchResult } from '../api/types.ts';
import { useLoad } from '../lib/load.ts';
import { go } from '../lib/router.ts';
import { idWords, serviceName, stateWord } from '../lib/words.ts';
import { Dialog } from './dialog.tsx';

const NOTHING: SearchResult = { incidents: [], causes: [], words: [] };

/** Something to go to. */
interface Target {
  readonly path: string;
  readonly name: string;
  readonly detail: string;
  readonly group: string;
}

/** Searches incidents, causes, listeners and the words of the glossary. */
export function Search({ onClose }: { readonly onClose: () => void }): JSX.Element {
  const [text, setText] = useState('');
  const [asked, setAsked] = useState('');
  const [marked, setMarked] = useState(0);
  const options = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const timer = setTimeout(() => setAsked(text.trim()), 150);
    return () => clearTimeout(timer);
  }, [text]);
  const loaded = useLoad((signal) => (asked === '' ? Promise.resolve(NOTHING) : api.search(asked, signal)), [asked]);
  const result = loaded.value ?? NOTHING;
  const here = listeners.use() ?? [];
  const targets = targetsOf(
    result,
    asked,
    here.map(({ service }) => serviceName(service)),
  );
  useEffect(() => setMarked(0), [asked]);
  useEffect(() => {
    options.current?.querySelector('[aria-selected=true]')?.scrollIntoView({ block: 'nearest' });
  }, [marked]);
  const open = (target: Target | undefined): void => {
    if (target === undefined) return;
    onClose();
    go(target.path);
  };
  const onKey = (event: KeyboardEvent): void => {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (step !== 0 && targets.length > 0) {
      event.preventDefault();
      setMarked((marked + step + targets.length) % targets.length);
    } else if (event.key === 'Enter') {
      event.preventDefault();
      open(targets[marked]);
    }
  };
  return (
    <Dialog title="Search" onClose={onClose} bare>
      <input
        class="search-field"
        type="text"
        inputMode="search"
        autocomplete="off"
        // biome-ignore lint/a11y/noRedundantRoles: only an input with a list is one by itself
        role="combobox"
        aria-label="Search incidents, causes, listeners and words"
        aria-expanded={targets.length > 0}
        aria-controls="search-options"
        aria-activedescendant={targets.length > 0 ? `search-${marked}` : undefined}
        aria-autocomplete="list"
        list={undefined}
        placeholder="Incident, cause, counter, error, port …"
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={onKey}
        autofocus
      />
      <div class="search-results">
        <div id="search-options" role="listbox" aria-label="Results" ref={options} tabIndex={-1}>
          {targets.map((target, index) => (
            // biome-ignore lint/a11y/useKeyWithClickEvents: keys go to the field
            // biome-ignore lint/a11y/useFocusableInteractive: the field keeps the focus
            <div
              key={`${target.group} ${target.path} ${target.name}`}
              id={`search-${index}`}
              role="option"
              aria-selected={index === marked}
              onClick={() => open(target)}
              onMouseMove={() => setMarked(index)}
            >
              <span class="group">{target.group}</span>
              <span class="name">{target.name}</span>
              <span class="detail">{target.detail}</span>
            </div>
          ))}
        </div>
        {result.words.length > 0 && (
          <dl class="words">
            {result.words.map(({ word, kind, title, meaning }) => (
              <div key={`${kind}:${word}`}>
                <dt>
                  <code>{word}</code> {title}
                </dt>
                <dd>{meaning}</dd>
              </div>
            ))}
          </dl>
        )}
      </div>
      <p class="muted note search-note" role="status">
        {loaded.error !== undefined
          ? `${loaded.error.message}.`
          : asked === ''
            ? 'For example: queue, ListenDrops, ETIMEDOUT, 443, #42'
            : targets.length + result.words.length === 0 && !loaded.loading
              ? `Nothing is named “${asked}”.`
              : 'Arrow keys choose, Enter opens, Escape closes.'}
      </p>
    </Dialog>
  );
}

function targetsOf(result: SearchResult, text: string, services: readonly string[]): Target[] {
  if (text === '') return [];
  const words = text.toLowerCase();
  return [
    ...result.incidents.map((incident) => ({
      path: `/incidents/${incident.id}`,
      name: `#${incident.id} ${incident.sentence}`,
      detail: stateWord(incident),
      group: 'Incident',
    })),
    ...services
      .filter((name) => name.toLowerCase().includes(words))
      .slice(0, 4)
      .map((name) => ({ path: `/?listener=${encodeURIComponent(name)}`, name, detail: '', group: 'Listener' })),
    ...result.causes.map(({ id, title }) => ({
      path: `/causes/${id}`,
      name: idWords(id),
      detail: title,
      group: 'Cause',
    })),
  ];
}
