import { CAUSES } from '../../causes/index.ts';
import { causeEntries } from '../../engine/cause-entries.ts';
import type { GlossaryEntry } from '../../model/glossary/entry.ts';
import { GLOSSARY } from '../../model/glossary/glossary.ts';
import { GlossaryIndex } from '../../model/glossary/lookup.ts';
import type { JsonValue } from '../../report/json-values.ts';

const ENTRIES: readonly GlossaryEntry[] = [...causeEntries(), ...GLOSSARY];
const INDEX: GlossaryIndex = new GlossaryIndex(ENTRIES);

/** Finds causes, and words of `synscope explain`, whose names or titles hold a text; an exact word comes first. */
export function findWords(text: string, limit: number): { readonly causes: JsonValue; readonly words: JsonValue } {
  const wanted = text.toLowerCase();
  const dashed = wanted.replaceAll(' ', '-');
  const causes = CAUSES.filter(({ id, title }) => id.includes(dashed) || title.toLowerCase().includes(wanted));
  const exact = INDEX.find(text);
  const named = exact === undefined ? [] : [exact.entry, ...exact.others];
  const similar = GLOSSARY.filter(
    (entry) =>
      !named.includes(entry) &&
      [entry.word, entry.title, ...(entry.aliases ?? [])].some((one) => one.toLowerCase().includes(wanted)),
  );
  const words = [...named, ...similar].filter(({ kind }) => kind !== 'cause');
  return {
    causes: causes.slice(0, limit).map(({ id, title }) => ({ id, title })),
    words: words.slice(0, limit).map(({ word, kind, title, meaning }) => ({ word, kind, title, meaning })),
  };
}
